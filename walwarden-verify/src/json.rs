//! JSON values and a strict reader for RFC 8259 text.
//!
//! [`parse`] takes any spelling RFC 8259 allows, but nothing two readers could understand differently: duplicate
//! keys, byte-order marks, lone surrogates, invalid UTF-8 and numbers beyond a double are errors.
//! [`canonical`](crate::canonical) reads and writes the one spelling our documents have.

mod number;
mod object;
mod parse;

use std::fmt;

pub(crate) use number::MAX_SAFE_INTEGER;
pub use number::Number;
pub use object::Object;
pub use parse::{Limits, parse, parse_within};

/// A JSON value.
///
/// ```
/// use walwarden_verify::json::{Object, Value};
///
/// let payload = Object::from_iter([("class", Value::from("dump-failed")), ("retryable", Value::from(false))]);
/// assert_eq!(payload.get("retryable"), Some(&Value::Bool(false)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, with its text.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Members, ordered as RFC 8785 orders them.
    Object(Object),
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is written as an integer of 0 to 2^64−1.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident($convert:expr);)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant($convert(value))
            }
        }
    )*};
}

from! {
    bool => Bool(|value| value);
    u32 => Number(Number::from);
    u64 => Number(Number::from);
    i64 => Number(Number::from);
    Number => Number(|value| value);
    &str => String(str::to_owned);
    String => String(|value| value);
    Vec<Value> => Array(|value| value);
    Object => Object(|value| value);
    crate::Sha256 => String(|value: crate::Sha256| value.to_string());
    crate::Timestamp => String(|value: crate::Timestamp| value.to_string());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    /// None is `null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// The text is not JSON, or not in the form asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    offset: usize,
    reason: &'static str,
    over_limit: bool,
}

impl Error {
    pub(crate) const fn at(offset: usize, reason: &'static str) -> Self {
        Error { offset, reason, over_limit: false }
    }

    pub(crate) const fn limit(offset: usize, reason: &'static str) -> Self {
        Error { offset, reason, over_limit: true }
    }

    /// Where, in bytes from the beginning.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong there.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Whether the text was refused for its size or depth.
    pub const fn is_over_limit(&self) -> bool {
        self.over_limit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
