//! How many rows a table has, and a digest of them that their order does not change.

use std::ops::Range;
use std::{fmt, mem};

use memchr::{memchr, memchr_iter};
use walwarden_verify::index::Rows;
use walwarden_verify::lanes::LaneHasher;
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
    // Data that waits until there is enough of it to hash many lines at once. Begins with a line.
    waiting: Vec<u8>,
    lines: Vec<Range<usize>>,
    digests: Vec<Sha256>,
    hasher: LaneHasher,
    // A line that is too long to wait for its end.
    long_line: Option<Hasher>,
    ended: bool,
}

/// How much data waits at most.
const WAITING_BYTES: usize = 128 * 1024;
/// How many lines are hashed at once, at most.
const LINES: usize = 1024;
const END_MARKER: &[u8] = b"\\.";

impl RowCounter {
    /// No rows so far.
    pub fn new() -> Self {
        RowCounter::default()
    }

    /// Takes the next bytes of the data.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) when something but empty lines follows the end marker; now or later.
    pub fn update(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            if self.ended {
                return only_newlines(data);
            }
            if let Some(hasher) = &mut self.long_line {
                let length = memchr(b'\n', data);
                hasher.update(&data[..length.unwrap_or(data.len())]);
                let Some(length) = length else { return Ok(()) };
                data = &data[length + 1..];
                let digest = self.long_line.take().unwrap_or_default().finish();
                self.add(&digest);
                continue;
            }
            let (part, rest) = data.split_at(data.len().min(WAITING_BYTES - self.waiting.len()));
            self.waiting.extend_from_slice(part);
            data = rest;
            if self.waiting.len() == WAITING_BYTES {
                self.hash_waiting()?;
            }
        }
        Ok(())
    }

    /// What was counted.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) when the end marker has not come;
    /// [`Malformed`](crate::ErrorKind::Malformed) as for [`update`](Self::update).
    pub fn finish(mut self) -> Result<Rows, Error> {
        self.hash_waiting()?;
        if self.ended {
            Ok(Rows { count: self.count, digest: self.digest.to_sha256() })
        } else {
            Err(Error::truncated("a table's data ends without its end marker"))
        }
    }

    // Hashes the lines that are complete. What is left is the beginning of a line.
    fn hash_waiting(&mut self) -> Result<(), Error> {
        let waiting = mem::take(&mut self.waiting);
        let mut start = 0;
        for end in memchr_iter(b'\n', &waiting) {
            if &waiting[start..end] == END_MARKER {
                self.ended = true;
                self.hash_lines(&waiting);
                return only_newlines(&waiting[end + 1..]);
            }
            self.lines.push(start..end);
            start = end + 1;
            if self.lines.len() == LINES {
                self.hash_lines(&waiting);
            }
        }
        self.hash_lines(&waiting);
        if start == 0 && waiting.len() == WAITING_BYTES {
            self.long_line.get_or_insert_default().update(&waiting);
            start = waiting.len();
        }
        self.waiting = waiting;
        self.waiting.drain(..start);
        Ok(())
    }

    fn hash_lines(&mut self, waiting: &[u8]) {
        let mut digests = mem::take(&mut self.digests);
        self.hasher.digest(waiting, &self.lines, &mut digests);
        for digest in &digests {
            self.add(digest);
        }
        self.digests = digests;
        self.lines.clear();
    }

    fn add(&mut self, digest: &Sha256) {
        self.count += 1;
        self.digest.add(digest);
    }
}

fn only_newlines(data: &[u8]) -> Result<(), Error> {
    if data.iter().all(|byte| *byte == b'\n') {
        Ok(())
    } else {
        Err(Error::malformed("a table's data goes on after its end marker"))
    }
}

#[cfg(test)]
mod tests;
