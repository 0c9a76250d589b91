//! Reads the fields of our documents: every named one present and typed, no other one there.

use std::fmt;
use std::str::FromStr;

use crate::canonical::Scanner;
use crate::json::{self, MAX_SAFE_INTEGER, Object, Value};

/// A document of ours does not have the form the format demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormError {
    message: String,
    over_limit: bool,
}

impl FormError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        FormError { message: message.into(), over_limit: false }
    }

    pub(crate) fn over_limit(message: impl Into<String>) -> Self {
        FormError { message: message.into(), over_limit: true }
    }

    pub(crate) fn field(name: &str, rule: &str) -> Self {
        FormError::new(format!("field {name} {rule}"))
    }

    fn within(mut self, list: &str, number: usize) -> Self {
        self.message = format!("item {number} of {list}: {}", self.message);
        self
    }

    /// Whether the document was refused for its size or depth.
    pub fn is_over_limit(&self) -> bool {
        self.over_limit
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FormError {}

impl From<json::Error> for FormError {
    fn from(error: json::Error) -> Self {
        FormError { message: error.to_string(), over_limit: error.is_over_limit() }
    }
}

// A value takes up to 50 times the memory of its text, objects within objects the most.
const MOST_SHORT_MEMBERS: usize = 16;
// No field of ours has such a name.
const LONGEST_NAME: usize = 64;
const SHORT_BYTES: usize = 64 << 10;
const ITEM_BYTES: usize = 1 << 20;

/// Reads a canonical object of which some members are long: those that `long` reads from the scanner, saying so, stand as `true`
/// among the members returned. The others are few and short, whoever wrote them.
pub(crate) fn read_members<'a>(
    text: &'a [u8],
    mut long: impl FnMut(&mut Scanner<'a>, &str) -> Result<bool, FormError>,
) -> Result<Object, FormError> {
    let mut scanner = Scanner::new(text)?;
    let mut members = Object::new();
    scanner.members(|scanner, key, _| {
        let value = match long(scanner, key)? {
            true => Value::Bool(true),
            false if members.len() == MOST_SHORT_MEMBERS || key.len() > LONGEST_NAME => {
                return Err(FormError::new("there are fields that it does not have"));
            }
            // A field of fields is the deepest of them.
            false => Scanner::of(shallow(scanner, SHORT_BYTES, 1)?).value()?,
        };
        members.insert(key, value);
        Ok(())
    })?;
    scanner.end()?;
    Ok(members)
}

/// Reads a list item by item, each from its own canonical text, in which at most so many containers are within each other.
pub(crate) fn read_items<'a>(
    scanner: &mut Scanner<'a>,
    list: &'static str,
    containers: usize,
    mut read: impl FnMut(&'a str) -> Result<(), FormError>,
) -> Result<bool, FormError> {
    let mut number = 0;
    scanner.items(|scanner| {
        number += 1;
        let item = shallow(scanner, ITEM_BYTES, containers);
        item.and_then(&mut read).map_err(|error| error.within(list, number))
    })?;
    Ok(true)
}

/// The text of a value of at most so many bytes, and so many containers within each other.
fn shallow<'a>(scanner: &mut Scanner<'a>, limit: usize, containers: usize) -> Result<&'a str, FormError> {
    match scanner.text_within(limit)? {
        (text, depth) if depth <= containers => Ok(text),
        _ => Err(FormError::new("there are lists or objects that it does not have")),
    }
}

/// The fields of one object.
pub(crate) struct Fields<'a> {
    object: &'a Object,
    named: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(object: &'a Object) -> Self {
        Fields { object, named: Vec::new() }
    }

    pub(crate) fn of_value(value: &'a Value, what: &str) -> Result<Self, FormError> {
        value.as_object().map(Fields::of).ok_or_else(|| FormError::field(what, "is not an object"))
    }

    /// The field's value, whatever it is.
    pub(crate) fn value(&mut self, name: &'static str) -> Result<&'a Value, FormError> {
        self.named.push(name);
        self.object.get(name).ok_or_else(|| FormError::field(name, "is missing"))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<&'a str, FormError> {
        self.value(name)?.as_str().ok_or_else(|| FormError::field(name, "is not text"))
    }

    /// Text that is an id, a time, a hash and so on.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<T, FormError> {
        let text = self.text(name)?;
        text.parse().map_err(|error: T::Err| FormError::field(name, &format!("is malformed: {error}")))
    }

    /// An integer of 0 to 2^53−1.
    pub(crate) fn number(&mut self, name: &'static str) -> Result<u64, FormError> {
        let value = self.value(name)?.as_u64().filter(|value| *value <= MAX_SAFE_INTEGER);
        value.ok_or_else(|| FormError::field(name, "is not an integer of 0 to 2^53-1"))
    }

    /// A count written as text, in its only spelling.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<u64, FormError> {
        let text = self.text(name)?;
        let count: Option<u64> = text.parse().ok();
        count
            .filter(|count| count.to_string() == text)
            .ok_or_else(|| FormError::field(name, "is not a count written as text"))
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> Result<bool, FormError> {
        self.value(name)?.as_bool().ok_or_else(|| FormError::field(name, "is not true or false"))
    }

    pub(crate) fn array(&mut self, name: &'static str) -> Result<&'a [Value], FormError> {
        self.value(name)?.as_array().ok_or_else(|| FormError::field(name, "is not a list"))
    }

    pub(crate) fn object(&mut self, name: &'static str) -> Result<Fields<'a>, FormError> {
        Fields::of_value(self.value(name)?, name)
    }

    /// None where the field is null.
    pub(crate) fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, FormError>,
    ) -> Result<Option<T>, FormError> {
        if self.value(name)?.is_null() { Ok(None) } else { read(self, name).map(Some) }
    }

    /// None where the field is absent.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, FormError>,
    ) -> Result<Option<T>, FormError> {
        if self.object.get(name).is_some() { read(self, name).map(Some) } else { Ok(None) }
    }

    /// The field must hold exactly this text.
    pub(crate) fn exactly(&mut self, name: &'static str, expected: &str) -> Result<(), FormError> {
        if self.text(name)? == expected {
            Ok(())
        } else {
            Err(FormError::field(name, &format!("is not {expected}")))
        }
    }

    /// `type` and `formatVersion` of a document.
    pub(crate) fn document(&mut self, kind: &str) -> Result<(), FormError> {
        self.exactly("type", kind)?;
        self.format_version()
    }

    /// `formatVersion`, which is 1.
    pub(crate) fn format_version(&mut self) -> Result<(), FormError> {
        match self.number("formatVersion")? {
            1 => Ok(()),
            _ => Err(FormError::field("formatVersion", "is not 1, the only version this reader knows")),
        }
    }

    /// No field may be there that was not asked for.
    pub(crate) fn end(self) -> Result<(), FormError> {
        match self.object.keys().find(|key| !self.named.contains(key)) {
            None => Ok(()),
            Some(key) => Err(FormError::field(key, "is unknown")),
        }
    }
}
