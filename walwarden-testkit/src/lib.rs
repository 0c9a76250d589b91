//! Suites for Walwarden's doors, and the broken worlds to run them in.

pub mod catalog;
pub mod chain;
pub mod clock;
pub mod manifest;
