//! SHA-256 of many short messages at once.
//!
//! A single SHA-256 cannot use the wide registers of a processor: each step needs the one before. Rows are many and
//! independent, so eight of them are hashed side by side, each in a lane of its own.

mod compress;

use std::ops::Range;

use crate::Sha256;
use fearless_simd::{Level, dispatch};

/// Digests messages eight at a time, with the widest instructions of this processor.
#[derive(Debug, Clone, Copy)]
pub struct LaneHasher {
    level: Level,
    one_by_one: bool,
}

impl LaneHasher {
    /// A hasher for the processor this runs on.
    pub fn new() -> Self {
        LaneHasher { level: Level::new(), one_by_one: has_sha_instructions() }
    }

    /// Replaces `digests` by those of the `messages`, which are places in `data`.
    ///
    /// # Panics
    ///
    /// If a message does not lie in `data`.
    pub fn digest(self, data: &[u8], messages: &[Range<usize>], digests: &mut Vec<Sha256>) {
        digests.clear();
        if self.one_by_one {
            digests.extend(messages.iter().map(|message| Sha256::of(&data[message.clone()])));
            return;
        }
        digests.resize(messages.len(), Sha256::from_bytes([0; 32]));
        let level = self.level;
        dispatch!(level, simd => compress::digest(simd, data, messages, digests));
    }
}

impl Default for LaneHasher {
    fn default() -> Self {
        LaneHasher::new()
    }
}

/// With instructions of its own, a processor is faster with one message after the other.
fn has_sha_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    return false;
}

#[cfg(test)]
mod tests;
