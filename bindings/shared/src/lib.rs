//! What all language bindings share: plain records in, plain records out, and adapters for signers and storage that are
//! written in the other language. `bindings/README.md` has the table of how things cross.
//!
//! Rules and defaults are those of `walwarden-verify` and `walwarden-core`; there are none here.

#[cfg(feature = "engine")]
pub mod engine;
mod failure;
#[cfg(feature = "engine")]
pub mod own;
pub mod process;
mod turn;
mod verify;

pub use failure::Failure;
pub use turn::{Turn, verify_in_turn};
pub use verify::{Bundle, verify};
