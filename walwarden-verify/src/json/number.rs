use std::fmt;

/// The largest integer our documents write as a number: 2^53−1.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A number as it was written. Two numbers are equal when their text is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// Takes text already known to be a number within the range of a double.
    pub(crate) fn from_text(text: &str) -> Self {
        Number(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its value, if it is written as an integer of 0 to 2^64−1.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().expect("the text of a number is one")
    }

    /// Whether it is an integer within ±(2^53−1) in its canonical text, as the writing profile demands.
    pub fn is_safe_integer(&self) -> bool {
        self.0
            .parse::<i64>()
            .is_ok_and(|value| value.unsigned_abs() <= MAX_SAFE_INTEGER && *value.to_string() == *self.0)
    }
}

macro_rules! from {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Self {
                Number(value.to_string().into())
            }
        }
    )*};
}

from!(u32 u64 i64);

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
