//! Suites for Walwarden's doors, and the broken worlds to run them in.

pub mod storage;
