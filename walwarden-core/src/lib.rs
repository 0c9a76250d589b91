//! Backups of Postgres that anyone can prove.
//!
//! `Engine` is the way in: give it settings and components, then back up, restore or
//! export evidence. Each module is a room with one job; `ARCHITECTURE.md` draws the map.

pub mod backup;
pub mod catalog;
pub mod chain;
pub mod clock;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod export;
mod held;
pub mod manifest;
pub mod mirror;
pub mod pipeline;
pub mod restore;
pub mod secret;
pub mod source;
pub mod storage;
pub mod watch;

pub use engine::{Engine, EngineBuilder, Settings};
pub use error::{Code, Error, Exit, Kind, Result, Retry};
pub use walwarden_verify as verify;

// The README's program compiles, or the documentation tests fail.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
