//! How many rows a table has, and a digest of them that their order does not change.

use std::fmt;

use memchr::memchr;
use walwarden_verify::index::Rows;
use walwarden_verify::{Hasher, Sha256};

use crate::Error;

/// The sum modulo 2^256 of SHA-256 digests, one for each row.
///
/// ```
/// use walwarden_archive::RowsDigest;
///
/// let (mut one, mut other) = (RowsDigest::default(), RowsDigest::default());
/// one.add_line(b"1\tAda");
/// one.add_line(b"2\tGrace");
/// other.add_line(b"2\tGrace");
/// other.merge(&{
///     let mut rest = RowsDigest::default();
///     rest.add_line(b"1\tAda");
///     rest
/// });
/// assert_eq!(one, other);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsDigest {
    // Least first.
    limbs: [u64; 4],
}

impl RowsDigest {
    /// Adds a row, given as COPY text writes it, without the newline.
    pub fn add_line(&mut self, line: &[u8]) {
        self.add(&Sha256::of(line));
    }

    /// Adds a row by the digest of its line.
    pub fn add(&mut self, digest: &Sha256) {
        let (limbs, []) = digest.as_bytes().as_chunks::<8>() else { unreachable!("32 bytes are four limbs") };
        let mut term = [0; 4];
        for (limb, bytes) in term.iter_mut().zip(limbs.iter().rev()) {
            *limb = u64::from_be_bytes(*bytes);
        }
        self.add_limbs(term);
    }

    /// Adds all rows of another.
    pub fn merge(&mut self, other: &RowsDigest) {
        self.add_limbs(other.limbs);
    }

    /// The sum as the index has it.
    pub fn to_sha256(&self) -> Sha256 {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.limbs.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        Sha256::from_bytes(bytes)
    }

    fn add_limbs(&mut self, term: [u64; 4]) {
        let mut carry = false;
        for (limb, term) in self.limbs.iter_mut().zip(term) {
            (*limb, carry) = limb.carrying_add(term, carry);
        }
    }
}

/// 64 lower-case hex digits.
impl fmt::Display for RowsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_sha256(), f)
    }
}

impl fmt::Debug for RowsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Counts and digests the rows of a table's data as it passes, in whatever pieces.
///
/// The data is what `pg_dump` puts into an archive: the lines of `COPY … TO stdout`, then a line of `\.`, then empty ones.
///
/// ```
/// use walwarden_archive::RowCounter;
///
/// let mut rows = RowCounter::new();
/// rows.update(b"1\tAda\n2\tGra")?;
/// rows.update(b"ce\n\\.\n\n\n")?;
/// assert_eq!(rows.finish()?.count, 2);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RowCounter {
    count: u64,
    digest: RowsDigest,
    line: Line,
    ended: bool,
}

/// A line whose end has not come yet.
#[derive(Debug, Default)]
struct Line {
    hasher: Option<Hasher>,
    // As many of its bytes as it takes to know the end marker.
    head: [u8; 2],
    length: usize,
}

const END_MARKER: &[u8; 2] = b"\\.";

impl RowCounter {
    /// No rows so far.
    pub fn new() -> Self {
        RowCounter::default()
    }

    /// Takes the next bytes of the data.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) when something but empty lines follows the end marker.
    pub fn update(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !self.ended {
            let Some(length) = memchr(b'\n', data) else {
                self.line.extend(data);
                return Ok(());
            };
            let (line, rest) = (&data[..length], &data[length + 1..]);
            data = rest;
            if self.line.is_begun() {
                self.line.extend(line);
                match self.line.take() {
                    Some(digest) => self.add(&digest),
                    None => self.ended = true,
                }
            } else if line == END_MARKER {
                self.ended = true;
            } else {
                self.add(&Sha256::of(line));
            }
        }
        if data.iter().all(|byte| *byte == b'\n') {
            Ok(())
        } else {
            Err(Error::malformed("a table's data goes on after its end marker"))
        }
    }

    /// What was counted.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) when the end marker has not come.
    pub fn finish(self) -> Result<Rows, Error> {
        if self.ended {
            Ok(Rows { count: self.count, digest: self.digest.to_sha256() })
        } else {
            Err(Error::truncated("a table's data ends without its end marker"))
        }
    }

    fn add(&mut self, digest: &Sha256) {
        self.count += 1;
        self.digest.add(digest);
    }
}

impl Line {
    fn is_begun(&self) -> bool {
        self.hasher.is_some()
    }

    fn extend(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        for (known, byte) in self.head.iter_mut().skip(self.length).zip(bytes) {
            *known = *byte;
        }
        self.length += bytes.len();
        self.hasher.get_or_insert_default().update(bytes);
    }

    // The line's digest; none if it is the end marker.
    fn take(&mut self) -> Option<Sha256> {
        let Line { hasher, head, length } = std::mem::take(self);
        (length != END_MARKER.len() || head != *END_MARKER).then(|| hasher.unwrap_or_default().finish())
    }
}
