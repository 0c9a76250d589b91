use std::borrow::Cow;

use super::write::short_escape;
use crate::json::{Error, Number, Object, Value};

/// Containers within each other; the outermost counts (`spec/evidence.md`, section 1).
pub(super) const MAX_DEPTH: usize = 64;

/// Wherever a key may be, its document or item has a limit of as much, but in documents of fields that are all known.
const MOST_MADE_OF_A_KEY: usize = 1 << 20;

/// As `\u001f`.
const LONGEST_ESCAPE: usize = 6;

/// Walks canonical JSON in one pass, without building what the caller does not ask for.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
    least_depth_left: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of `text`.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Error> {
        let text =
            std::str::from_utf8(text).map_err(|error| Error::at(error.valid_up_to(), "this is not UTF-8"))?;
        Ok(Scanner::of(text))
    }

    /// At the beginning of text known to be UTF-8.
    pub(crate) fn of(text: &'a str) -> Self {
        Scanner { text, at: 0, depth_left: MAX_DEPTH, least_depth_left: MAX_DEPTH }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The text must end here.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.error("something follows the value")) }
    }

    /// Takes exactly these bytes.
    pub(crate) fn exactly(&mut self, bytes: &[u8], otherwise: &'static str) -> Result<(), Error> {
        if !self.text.as_bytes()[self.at..].starts_with(bytes) {
            return Err(self.error(otherwise));
        }
        self.at += bytes.len();
        Ok(())
    }

    /// Takes one byte if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Any value, built.
    pub(crate) fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{') => self.object().map(Value::Object),
            Some(b'[') => {
                let mut items = Vec::new();
                self.items(|scanner| {
                    let item = scanner.value()?;
                    // Lists within lists are of one item, and room for four would be 128 bytes for two of text.
                    if items.is_empty() {
                        items.reserve_exact(1);
                    }
                    items.push(item);
                    Ok::<(), Error>(())
                })?;
                Ok(Value::Array(items))
            }
            Some(b'"') => self.string().map(|text| Value::String(text.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number().map(|text| Value::Number(Number::from_text(text))),
            _ => self.literal(),
        }
    }

    /// An object, built.
    pub(crate) fn object(&mut self) -> Result<Object, Error> {
        let mut members = Vec::new();
        self.members(|scanner, key, _| {
            let value = scanner.value()?;
            members.push((key.to_owned(), value));
            Ok::<(), Error>(())
        })?;
        Ok(Object::from_sorted(members))
    }

    /// Any value, checked and not built.
    pub(crate) fn skip_value(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'{') => self.members(|scanner, _, _| scanner.skip_value()),
            Some(b'[') => self.items(Self::skip_value),
            Some(b'"') => self.skip_string(),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ => self.literal().map(drop),
        }
    }

    /// The text of any value, checked and not built, of at most so many bytes, and how many containers it has within each other. More is
    /// not read, for each key on the way down may have to be made.
    pub(crate) fn text_within(&mut self, limit: usize) -> Result<(&'a str, usize), Error> {
        let (start, whole, depth_left) = (self.at, self.text, self.depth_left);
        let end = start.saturating_add(limit);
        // An escape or a word that begins within the limit is read to its end.
        self.text = &whole[..whole.floor_char_boundary(end.saturating_add(LONGEST_ESCAPE))];
        self.least_depth_left = depth_left;
        let skipped = self.skip_value();
        self.text = whole;
        // What ends behind the limit, or is not over there, is too long, however it goes on.
        if self.at > end || skipped.is_err() && self.at == end && end < whole.len() {
            return Err(Error::limit(start, "a value is too long"));
        }
        skipped?;
        Ok((&whole[start..self.at], depth_left - self.least_depth_left))
    }

    /// Hands each member of an object to `read`: its key, and where the member begins.
    pub(crate) fn members<E: From<Error>>(
        &mut self,
        mut read: impl FnMut(&mut Self, &str, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        let mut previous: Option<Cow<'a, str>> = None;
        if !self.take(b'}') {
            loop {
                let start = self.at;
                let key = self.string_within(MOST_MADE_OF_A_KEY)?;
                if !key.is_ascii() {
                    return Err(Error::at(start, "a key is not ASCII").into());
                }
                if previous.is_some_and(|previous| previous >= key) {
                    return Err(Error::at(start, "keys are out of order or twice there").into());
                }
                self.exactly(b":", "expected :")?;
                read(self, &key, start)?;
                if self.take(b'}') {
                    break;
                }
                self.exactly(b",", "expected , or }")?;
                previous = Some(key);
            }
        }
        self.depth_left += 1;
        Ok(())
    }

    /// Has `read` take each item of an array.
    pub(crate) fn items<E: From<Error>>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        if !self.take(b']') {
            loop {
                read(self)?;
                if self.take(b']') {
                    break;
                }
                self.exactly(b",", "expected , or ]")?;
            }
        }
        self.depth_left += 1;
        Ok(())
    }

    /// A string, with its escapes undone.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.string_within(usize::MAX)
    }

    /// A string without escapes is lent; of one with escapes at most so many bytes are made.
    fn string_within(&mut self, most_made: usize) -> Result<Cow<'a, str>, Error> {
        let start = self.at;
        self.exactly(b"\"", "expected a string")?;
        let mut plain = self.plain();
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut decoded = String::new();
        loop {
            if decoded.len() + plain.len() > most_made {
                return Err(Error::limit(start, "a string is too long"));
            }
            decoded.push_str(plain);
            if self.take(b'"') {
                return Ok(Cow::Owned(decoded));
            }
            decoded.push(self.special()?);
            plain = self.plain();
        }
    }

    /// A string in which no character is escaped.
    pub(crate) fn plain_string(&mut self) -> Result<&'a str, Error> {
        self.exactly(b"\"", "expected a string")?;
        let plain = self.plain();
        self.exactly(b"\"", "expected the end of a string without escapes")?;
        Ok(plain)
    }

    /// Any string, checked and not made.
    fn skip_string(&mut self) -> Result<(), Error> {
        self.exactly(b"\"", "expected a string")?;
        loop {
            self.plain();
            if self.take(b'"') {
                return Ok(());
            }
            self.special()?;
        }
    }

    /// As many characters of a string as stand for themselves.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let plain = &rest[..plain_length(rest.as_bytes())];
        self.at += plain.len();
        plain
    }

    /// The character of the escape that comes next in a string.
    fn special(&mut self) -> Result<char, Error> {
        match self.peek() {
            Some(b'\\') => self.escape(),
            Some(0x7f) => Err(self.error("U+007F is outside the writing profile")),
            Some(_) => Err(self.error("a control character stands in a string")),
            None => Err(self.error("the string does not end")),
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let error = self.error("not the canonical spelling of a character");
        let rest = &self.text.as_bytes()[self.at + 1..];
        let control = match *rest {
            [b'u', b'0', b'0', high @ b'0'..=b'1', low @ (b'0'..=b'9' | b'a'..=b'f'), ..] => {
                let low = if low.is_ascii_digit() { low - b'0' } else { low - b'a' + 10 };
                let byte = (high - b'0') << 4 | low;
                if short_escape(byte).is_some() {
                    return Err(error);
                }
                self.at += 6;
                return Ok(char::from(byte));
            }
            [b'"', ..] => '"',
            [b'\\', ..] => '\\',
            [b'b', ..] => '\u{8}',
            [b't', ..] => '\t',
            [b'n', ..] => '\n',
            [b'f', ..] => '\u{c}',
            [b'r', ..] => '\r',
            _ => return Err(error),
        };
        self.at += 2;
        Ok(control)
    }

    /// An integer within ±(2^53−1), as its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits = self.at;
        let bytes = self.text.as_bytes();
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = bytes.get(self.at) {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let leading_zero = bytes.get(digits) == Some(&b'0') && (self.at > digits + 1 || negative);
        let wrong = if self.at == digits || leading_zero || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            Some("not the canonical spelling of an integer")
        } else if value > crate::json::MAX_SAFE_INTEGER {
            Some("the integer is beyond 2^53-1")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            // It is not cut off: it is over, and wrong.
            self.at = start;
            return Err(self.error(wrong));
        }
        Ok(&self.text[start..self.at])
    }

    /// Opens an object whose members the caller takes one by one.
    pub(crate) fn open_object(&mut self) -> Result<(), Error> {
        self.open(b'{', "expected an object")
    }

    /// Closes an object opened by [`open_object`](Self::open_object).
    pub(crate) fn close_object(&mut self) -> Result<(), Error> {
        self.exactly(b"}", "expected the end of the object")?;
        self.depth_left += 1;
        Ok(())
    }

    /// Counts one container that stands around the text.
    pub(crate) fn enter(&mut self) -> Result<(), Error> {
        self.depth_left =
            self.depth_left.checked_sub(1).ok_or(Error::limit(self.at, "too many nested containers"))?;
        self.least_depth_left = self.least_depth_left.min(self.depth_left);
        Ok(())
    }

    /// Takes `null` if it comes next.
    pub(crate) fn take_null(&mut self) -> bool {
        let found = self.text[self.at..].starts_with("null");
        self.at += if found { 4 } else { 0 };
        found
    }

    fn literal(&mut self) -> Result<Value, Error> {
        for (word, value) in
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("expected a value"))
    }

    fn open(&mut self, bracket: u8, otherwise: &'static str) -> Result<(), Error> {
        self.exactly(&[bracket], otherwise)?;
        self.enter()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn error(&self, reason: &'static str) -> Error {
        Error::at(self.at, reason)
    }
}

/// How many bytes come before a quote, a backslash, a control character or U+007F. Eight at a time: this is where
/// most of a chain's bytes pass through.
pub(super) fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    // The high bit of each byte that is 0; above the first such byte there may be others.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let found = control | quote | backslash | zeros(word ^ (ONES * 0x7f));
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7f);
    text.len() - rest.len() + rest.iter().position(ends).unwrap_or(rest.len())
}
