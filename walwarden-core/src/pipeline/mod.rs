//! What happens to bytes on their way from the source to storage: they are compressed, and measured.
//!
//! In: chunks, in order. Out: chunks, and [`Measured`]. What always holds: the digest covers exactly the bytes that were
//! passed on, and memory does not grow with them.

mod thread;

pub(crate) use thread::{Drain, Feed, assemble, transcode};

use walwarden_verify::{Hasher, Sha256};

/// Size and digest of a finished stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Bytes in all.
    pub size_bytes: u64,
    /// SHA-256 of them all.
    pub sha256: Sha256,
}

impl Measured {
    /// Of bytes that are all there.
    pub fn of(bytes: &[u8]) -> Self {
        Measured { size_bytes: bytes.len() as u64, sha256: Sha256::of(bytes) }
    }
}

/// Counts and hashes a stream as it passes.
///
/// ```
/// use walwarden_core::pipeline::Measure;
/// use walwarden_core::verify::Sha256;
///
/// let mut measure = Measure::default();
/// measure.update(b"PGD");
/// measure.update(b"MP");
/// let measured = measure.finish();
/// assert_eq!((measured.size_bytes, measured.sha256), (5, Sha256::of(b"PGDMP")));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Measure {
    size_bytes: u64,
    hasher: Hasher,
}

impl Measure {
    /// Takes the next chunk into account.
    pub fn update(&mut self, chunk: &[u8]) {
        self.size_bytes += chunk.len() as u64;
        self.hasher.update(chunk);
    }

    /// Bytes so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Size and digest of all chunks.
    pub fn finish(self) -> Measured {
        Measured { size_bytes: self.size_bytes, sha256: self.hasher.finish() }
    }
}
