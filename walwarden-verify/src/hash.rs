//! SHA-256 digests.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A SHA-256 digest; its text form is 64 lower-case hex digits, and no other spelling is read.
///
/// ```
/// use walwarden_verify::Sha256;
///
/// let empty = Sha256::of(b"");
/// assert_eq!(empty.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// assert!("E3B0".parse::<Sha256>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Sha256(backend::digest(bytes))
    }

    /// Digest of these parts, one after the other. Short ones are put together first: that costs less than a
    /// [`Hasher`], of which a chain would need two for each row.
    pub(crate) fn of_parts<const N: usize>(parts: [&[u8]; N]) -> Self {
        let mut buffer = [0; GATHERED_BYTES];
        let mut filled = 0;
        for part in parts {
            let Some(room) = buffer.get_mut(filled..filled + part.len()) else {
                let mut hasher = Hasher::new();
                parts.iter().for_each(|part| hasher.update(part));
                return hasher.finish();
            };
            room.copy_from_slice(part);
            filled += part.len();
        }
        Sha256::of(&buffer[..filled])
    }

    /// Takes a finished digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Sha256(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits, without an allocation.
    pub fn hex(&self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

/// Digests of messages that lie in `data`.
#[derive(Debug)]
pub(crate) struct ManyHasher {
    #[cfg(feature = "lanes")]
    lanes: crate::lanes::LaneHasher,
}

impl ManyHasher {
    pub(crate) fn new() -> Self {
        ManyHasher {
            #[cfg(feature = "lanes")]
            lanes: crate::lanes::LaneHasher::new(),
        }
    }

    /// Replaces `digests`.
    pub(crate) fn digest(&self, data: &[u8], messages: &[Range<usize>], digests: &mut Vec<Sha256>) {
        #[cfg(feature = "lanes")]
        self.lanes.digest(data, messages, digests);
        #[cfg(not(feature = "lanes"))]
        {
            digests.clear();
            digests.extend(messages.iter().map(|message| Sha256::of(&data[message.clone()])));
        }
    }
}

const GATHERED_BYTES: usize = 1024;

/// Hashes bytes as they come.
///
/// ```
/// use walwarden_verify::{Hasher, Sha256};
///
/// let mut hasher = Hasher::new();
/// hasher.update(b"PGD");
/// hasher.update(b"MP");
/// assert_eq!(hasher.finish(), Sha256::of(b"PGDMP"));
/// ```
#[derive(Clone)]
pub struct Hasher(backend::Context);

impl Hasher {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Hasher(backend::new())
    }

    /// Takes further bytes into account.
    pub fn update(&mut self, bytes: &[u8]) {
        backend::update(&mut self.0, bytes);
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Sha256 {
        Sha256(backend::finish(self.0))
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Hasher::new()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

#[cfg(not(feature = "aws-lc-rs"))]
mod backend {
    use sha2::Digest;

    pub(super) use sha2::Sha256 as Context;

    pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
        Context::digest(bytes).into()
    }

    pub(super) fn new() -> Context {
        Context::new()
    }

    pub(super) fn update(context: &mut Context, bytes: &[u8]) {
        Digest::update(context, bytes);
    }

    pub(super) fn finish(context: Context) -> [u8; 32] {
        context.finalize().into()
    }
}

#[cfg(feature = "aws-lc-rs")]
mod backend {
    use aws_lc_rs::digest::{Digest, SHA256};

    pub(super) use aws_lc_rs::digest::Context;

    pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
        whole(aws_lc_rs::digest::digest(&SHA256, bytes))
    }

    pub(super) fn new() -> Context {
        Context::new(&SHA256)
    }

    pub(super) fn update(context: &mut Context, bytes: &[u8]) {
        context.update(bytes);
    }

    pub(super) fn finish(context: Context) -> [u8; 32] {
        whole(context.finish())
    }

    fn whole(digest: Digest) -> [u8; 32] {
        digest.as_ref().try_into().expect("a SHA-256 digest has 32 bytes")
    }
}

pub(crate) const NO_DIGIT: u8 = 0x80;

/// What each lower-case hex digit stands for.
pub(crate) const HEX_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashTextError;

impl fmt::Display for HashTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256 is written as exactly 64 lower-case hex digits")
    }
}

impl std::error::Error for HashTextError {}

impl FromStr for Sha256 {
    type Err = HashTextError;

    fn from_str(text: &str) -> Result<Self, HashTextError> {
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| HashTextError)?;
        let mut bytes = [0; 32];
        // Asked for once, at the end: a chain has two of these in each row.
        let mut wrong = 0;
        for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let (high, low) = (HEX_VALUES[usize::from(*high)], HEX_VALUES[usize::from(*low)]);
            wrong |= high | low;
            *byte = high << 4 | low & 15;
        }
        if wrong & NO_DIGIT == 0 { Ok(Sha256(bytes)) } else { Err(HashTextError) }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
