//! Ints and texts as an archive writes them, taken from input that comes in pieces.

use crate::{Error, Text};

/// Bytes of an int: one of sign, four of magnitude, least first.
pub(crate) const INT_BYTES: usize = 5;

/// Why a field could not be taken.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The input is used up in the middle of it; call again with more.
    More,
    /// It breaks the format.
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Bad(error)
    }
}

/// Takes fields from the input. What a piece of input has of an unfinished field is kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    held: Vec<u8>,
    // Of the text whose length was read already.
    length: Option<usize>,
    offset: u64,
}

impl Wire {
    /// The input begins at this byte of the archive.
    pub(crate) fn at(offset: u64) -> Self {
        Wire { offset, ..Wire::default() }
    }

    /// The byte of the archive that comes next.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a field was begun and not ended.
    pub(crate) fn within_field(&self) -> bool {
        !self.held.is_empty() || self.length.is_some()
    }

    pub(crate) fn byte(&mut self, input: &mut &[u8]) -> Result<u8, Stop> {
        self.bytes::<1>(input).map(|[byte]| byte)
    }

    pub(crate) fn bytes<const N: usize>(&mut self, input: &mut &[u8]) -> Result<[u8; N], Stop> {
        self.gather(N, input)?;
        let bytes = self.held.as_slice().try_into().expect("as many bytes were gathered");
        self.held.clear();
        Ok(bytes)
    }

    pub(crate) fn int(&mut self, input: &mut &[u8]) -> Result<i32, Stop> {
        let [sign, a, b, c, d] = self.bytes::<INT_BYTES>(input)?;
        let magnitude = i64::from(u32::from_le_bytes([a, b, c, d]));
        let value = match sign {
            0 => Some(magnitude),
            // Zero has no sign: every value has one spelling only.
            1 if magnitude != 0 => Some(-magnitude),
            _ => None,
        };
        value.and_then(|value| i32::try_from(value).ok()).ok_or_else(|| {
            Stop::Bad(Error::malformed("an int is spelled wrong").at(self.offset - INT_BYTES as u64))
        })
    }

    pub(crate) fn text(&mut self, limit: usize, input: &mut &[u8]) -> Result<Option<Text>, Stop> {
        let length = match self.length {
            Some(length) => length,
            None => {
                let length = self.int(input)?;
                let at = self.offset - INT_BYTES as u64;
                if length == -1 {
                    return Ok(None);
                }
                let length = usize::try_from(length)
                    .map_err(|_| Error::malformed("a text has a negative length").at(at))?;
                if length > limit {
                    let detail = format!("a text of {length} bytes, limit={limit}");
                    return Err(Error::over_limit(detail).at(at).into());
                }
                self.length = Some(length);
                length
            }
        };
        self.gather(length, input)?;
        self.length = None;
        let bytes = std::mem::take(&mut self.held);
        // Readers in C would take such a text for a shorter one.
        if let Some(at) = memchr::memchr(0, &bytes) {
            let at = self.offset - (bytes.len() - at) as u64;
            return Err(Error::malformed("a text has a zero byte in it").at(at).into());
        }
        Ok(Some(Text::from(bytes)))
    }

    /// Takes what there is of at most so many bytes, without keeping any.
    pub(crate) fn pass<'a>(&mut self, most: usize, input: &mut &'a [u8]) -> &'a [u8] {
        let (passed, rest) = input.split_at(most.min(input.len()));
        *input = rest;
        self.offset += passed.len() as u64;
        passed
    }

    // Memory grows with the bytes that really come, not with the length that was promised.
    fn gather(&mut self, count: usize, input: &mut &[u8]) -> Result<(), Stop> {
        let taken = self.pass(count - self.held.len(), input);
        self.held.extend_from_slice(taken);
        if self.held.len() == count { Ok(()) } else { Err(Stop::More) }
    }
}

pub(crate) fn put_int(out: &mut Vec<u8>, value: i32) {
    out.push(u8::from(value < 0));
    out.extend_from_slice(&value.unsigned_abs().to_le_bytes());
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        None => put_int(out, -1),
        Some(bytes) => {
            put_int(out, i32::try_from(bytes.len()).expect("texts are shorter than 2 GiB"));
            out.extend_from_slice(bytes);
        }
    }
}

/// An int that cannot be negative, as two's complement does not say: the OIDs of large objects.
pub(crate) fn put_oid(out: &mut Vec<u8>, oid: u32) {
    put_int(out, oid.cast_signed());
}
