//! Copies a chain into the destination, and rebuilds a catalogue from one.
//!
//! In: a chain and a store. Out: segments of rows and a signed checkpoint beside the backups. What always holds: no
//! segment is ever overwritten, and the segments of a chain, in order, are the chain.

mod push;
mod rebuild;

pub(crate) use push::{Mirror, Mirrored};
pub use rebuild::{Rebuilder, Rebuilt};
