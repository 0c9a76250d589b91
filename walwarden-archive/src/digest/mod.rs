//! SHA-256 of many short messages at once.
//!
//! A single SHA-256 cannot use the wide registers of a processor: each step needs the one before. Rows are many and
//! independent, so eight of them are hashed side by side, each in a lane of its own.

mod lanes;

use std::ops::Range;

use fearless_simd::{Level, dispatch};
use walwarden_verify::Sha256;

/// Digests messages eight at a time, with the widest instructions of this processor.
#[derive(Debug, Clone, Copy)]
pub struct LaneHasher {
    level: Level,
}

impl LaneHasher {
    /// A hasher for the processor this runs on.
    pub fn new() -> Self {
        LaneHasher { level: Level::new() }
    }

    /// Replaces `digests` by those of the `messages`, which are places in `data`.
    ///
    /// # Panics
    ///
    /// If a message does not lie in `data`.
    pub fn digest(self, data: &[u8], messages: &[Range<usize>], digests: &mut Vec<Sha256>) {
        digests.clear();
        digests.resize(messages.len(), Sha256::from_bytes([0; 32]));
        let level = self.level;
        dispatch!(level, simd => lanes::digest(simd, data, messages, digests));
    }
}

impl Default for LaneHasher {
    fn default() -> Self {
        LaneHasher::new()
    }
}

#[cfg(test)]
mod tests;
