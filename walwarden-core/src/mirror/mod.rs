//! Copies a chain into the destination, and rebuilds a catalogue from one.
//!
//! In: a chain and a store. Out: segments of rows and a signed checkpoint beside the backups. What always holds: no
//! segment is ever overwritten, and the segments of a chain, in order, are the chain. After a crash or a race of two
//! workers segments may overlap; they hold the same rows then.

mod push;
mod rebuild;
mod trust;

pub(crate) use push::{Mirror, Mirrored};
pub use rebuild::{RebuildOptions, Rebuilder, Rebuilt};

/// Bytes of one segment or checkpoint that may be read back: rows are limited to well below this.
const SEGMENT_LIMIT_BYTES: u64 = 1 << 30;

/// Numbers of the first and last row in a segment, from the last part of its name.
fn segment(file: &str) -> Option<(u64, u64)> {
    let (first, last) = file.strip_suffix(".jsonl")?.split_once('-')?;
    Some((number(first)?, number(last)?))
}

fn number(text: &str) -> Option<u64> {
    if text.len() == 20 { text.parse().ok() } else { None }
}
