use super::object::order;
use super::{Error, Number, Object, Value};

/// How much JSON is read before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Nested arrays and objects; the outermost counts.
    pub depth: usize,
    /// Bytes of text.
    pub size_bytes: usize,
}

impl Default for Limits {
    /// 64 containers, 256 MiB.
    fn default() -> Self {
        Limits { depth: 64, size_bytes: 256 << 20 }
    }
}

impl Limits {
    /// The same with another depth.
    #[must_use]
    pub const fn with_depth(self, depth: usize) -> Self {
        Limits { depth, ..self }
    }

    /// The same with another size.
    #[must_use]
    pub const fn with_size_bytes(self, size_bytes: usize) -> Self {
        Limits { size_bytes, ..self }
    }
}

/// Reads one JSON text within the default [`Limits`].
///
/// # Errors
///
/// Whatever RFC 8259 forbids, and besides: a key that an object has twice (escapes undone), a byte-order mark, a
/// surrogate without its partner, invalid UTF-8, a number beyond the range of a double.
///
/// ```
/// use walwarden_verify::json;
///
/// assert!(json::parse(br#"{"a": [1, 2.50]}"#).is_ok());
/// assert!(json::parse(br#"{"a": 1, "\u0061": 2}"#).is_err());
/// ```
pub fn parse(text: &[u8]) -> Result<Value, Error> {
    parse_within(text, Limits::default())
}

/// Reads one JSON text within the given limits.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_within(text: &[u8], limits: Limits) -> Result<Value, Error> {
    if text.len() > limits.size_bytes {
        return Err(Error::limit(limits.size_bytes, "the text is too long"));
    }
    let text =
        std::str::from_utf8(text).map_err(|error| Error::at(error.valid_up_to(), "this is not UTF-8"))?;
    let mut parser = Parser { text, at: 0, depth_left: limits.depth };
    parser.skip_whitespace();
    let value = parser.value()?;
    parser.skip_whitespace();
    if parser.at < text.len() { Err(parser.error("something follows the value")) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.error("expected a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Error>) -> Result<Value, Error> {
        self.depth_left =
            self.depth_left.checked_sub(1).ok_or(Error::limit(self.at, "too many nested containers"))?;
        self.at += 1;
        self.skip_whitespace();
        let value = read(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_whitespace();
            items.push(self.value()?);
            self.skip_whitespace();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',', "expected , or ]")?;
        }
    }

    fn object(&mut self) -> Result<Value, Error> {
        let start = self.at;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            self.skip_whitespace();
            let key = self.string()?;
            self.skip_whitespace();
            self.expect(b':', "expected :")?;
            self.skip_whitespace();
            members.push((key, self.value()?));
            self.skip_whitespace();
            if self.take(b'}') {
                break;
            }
            self.expect(b',', "expected , or }")?;
        }
        members.sort_by(|left, right| order(&left.0, &right.0));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::at(start, "an object has a key twice"));
        }
        Ok(Value::Object(Object::from_sorted(members)))
    }

    fn string(&mut self) -> Result<String, Error> {
        self.expect(b'"', "expected a string")?;
        let mut decoded = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
                .ok_or(Error::at(self.text.len(), "the string does not end"))?;
            decoded.push_str(&rest[..plain]);
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => return Ok(decoded),
                b'\\' => decoded.push(self.escape()?),
                _ => return Err(Error::at(self.at - 1, "a control character stands in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let letter = self.peek().ok_or(self.error("the string does not end"))?;
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("unknown escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, Error> {
        let start = self.at;
        let lone = Error::at(start, "a surrogate stands without its partner");
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if !(self.take(b'\\') && self.take(b'u')) {
            return Err(lone);
        }
        let second = self.hex4()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(lone)
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .ok_or(self.error("expected four hex digits"))?;
        self.at += 4;
        Ok(digits.iter().fold(0, |sum, digit| {
            sum << 4 | char::from(*digit).to_digit(16).expect("only hex digits are left")
        }))
    }

    fn number(&mut self) -> Result<Number, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            if self.digits() == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        let number = Number::from_text(&self.text[start..self.at]);
        if number.as_f64().is_finite() {
            Ok(number)
        } else {
            Err(Error::at(start, "the number is beyond the range of a double"))
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Error> {
        if self.take(byte) { Ok(()) } else { Err(self.error(otherwise)) }
    }

    fn error(&self, reason: &'static str) -> Error {
        Error::at(self.at, reason)
    }
}
