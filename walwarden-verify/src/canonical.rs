//! The one spelling our documents have: RFC 8785 (JCS), narrowed to the writing profile.
//!
//! In the writing profile object keys are ASCII, numbers are integers within ±(2^53−1) and no U+007F occurs, so that
//! `jq -cS` writes the same bytes. [`to_vec`] writes any value as RFC 8785 says; [`parse`] takes only text that
//! already is canonical and in the profile, and never repairs it.

mod scan;
mod write;

use crate::json::{Error, Object, Value};

pub(crate) use scan::Scanner;
pub use write::to_vec;

/// Reads text that already is canonical and in the writing profile.
///
/// # Errors
///
/// Any other text: white space between tokens, keys out of order or twice, another spelling of a number or a
/// string, a fraction, U+007F, more than 64 nested containers.
///
/// ```
/// use walwarden_verify::canonical;
///
/// let value = canonical::parse(br#"{"a":1,"b":"\n"}"#).unwrap();
/// assert_eq!(canonical::to_vec(&value), br#"{"a":1,"b":"\n"}"#);
/// assert!(canonical::parse(br#"{"b":1,"a":1}"#).is_err());
/// assert!(canonical::parse(b"1.0").is_err());
/// ```
pub fn parse(text: &[u8]) -> Result<Value, Error> {
    let mut scanner = Scanner::new(text)?;
    let value = scanner.value()?;
    scanner.end()?;
    Ok(value)
}

/// Reads a canonical object.
pub(crate) fn parse_object(text: &[u8]) -> Result<Object, Error> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::at(0, "expected an object")),
    }
}

/// The bytes of the canonical object `text` without one of its members, whatever that holds.
pub(crate) fn without_member(text: &[u8], name: &str) -> Result<Vec<u8>, Error> {
    let mut scanner = Scanner::new(text)?;
    let mut kept = Vec::with_capacity(text.len());
    kept.push(b'{');
    scanner.members(|scanner, key, start| {
        scanner.skip_value()?;
        if key != name {
            if kept.len() > 1 {
                kept.push(b',');
            }
            kept.extend_from_slice(&text[start..scanner.position()]);
        }
        Ok(())
    })?;
    scanner.end()?;
    kept.push(b'}');
    Ok(kept)
}

/// Whether the value keeps the writing profile, so that [`parse`] will read what [`to_vec`] writes.
///
/// # Errors
///
/// What breaks the profile; the offset is 0.
pub fn check_profile(value: &Value) -> Result<(), Error> {
    fn check(value: &Value, depth_left: usize) -> Result<(), Error> {
        let deeper = || depth_left.checked_sub(1).ok_or(Error::limit(0, "too many nested containers"));
        match value {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::Number(number) if number.is_safe_integer() => Ok(()),
            Value::Number(_) => Err(Error::at(0, "a number is not an integer within 2^53-1")),
            Value::String(text) if text.contains('\u{7f}') => Err(Error::at(0, "text contains U+007F")),
            Value::String(_) => Ok(()),
            Value::Array(items) => {
                let depth_left = deeper()?;
                items.iter().try_for_each(|item| check(item, depth_left))
            }
            Value::Object(object) => {
                let depth_left = deeper()?;
                object.iter().try_for_each(|(key, value)| {
                    if !key.is_ascii() || key.contains('\u{7f}') {
                        return Err(Error::at(0, "a key is not ASCII"));
                    }
                    check(value, depth_left)
                })
            }
        }
    }
    check(value, scan::MAX_DEPTH)
}

#[cfg(test)]
mod tests;
