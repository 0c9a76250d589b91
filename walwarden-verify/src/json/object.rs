use std::cmp::Ordering;
use std::fmt;

use super::Value;

/// The members of a JSON object, each key once, in RFC 8785 order (by UTF-16 code units of the key).
///
/// ```
/// use walwarden_verify::json::{Object, Value};
///
/// let mut payload = Object::from_iter([("sizeBytes", Value::from(12_u64))]);
/// payload.insert("policy", "keep-30");
/// assert_eq!(payload.keys().collect::<Vec<_>>(), ["policy", "sizeBytes"]);
/// ```
#[derive(Clone, PartialEq, Default)]
pub struct Object {
    // Sorted by `order`, no key twice.
    members: Vec<(String, Value)>,
}

impl Object {
    /// No members.
    pub const fn new() -> Self {
        Object { members: Vec::new() }
    }

    /// Takes members already in order, each key once.
    pub(crate) fn from_sorted(members: Vec<(String, Value)>) -> Self {
        debug_assert!(members.is_sorted_by(|a, b| order(&a.0, &b.0) == Ordering::Less));
        Object { members }
    }

    /// Sets a member and returns the value it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.members.binary_search_by(|member| order(&member.0, &key)) {
            Ok(at) => Some(std::mem::replace(&mut self.members[at].1, value)),
            Err(at) => {
                self.members.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.members.binary_search_by(|member| order(&member.0, key)).ok().map(|at| &self.members[at].1)
    }

    /// Removes a member and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.members.binary_search_by(|member| order(&member.0, key)).ok()?;
        Some(self.members.remove(at).1)
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_str())
    }
}

/// The order of RFC 8785: by UTF-16 code units.
pub(crate) fn order(left: &str, right: &str) -> Ordering {
    // Only where a code point above U+FFFF meets one of U+E000 to U+FFFF do UTF-8 and UTF-16 disagree.
    if left.is_ascii() || right.is_ascii() {
        left.cmp(right)
    } else {
        left.encode_utf16().cmp(right.encode_utf16())
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    /// Of a key given twice the last value stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut object = Object::new();
        object.extend(members);
        object
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, members: I) {
        for (key, value) in members {
            self.insert(key, value);
        }
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().collect()
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
