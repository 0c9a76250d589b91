//! Suites for Walwarden's doors, and the broken worlds to run them in: faulty stores, clocks that run backwards,
//! throwaway Postgres servers.

pub mod catalog;
pub mod chain;
pub mod clock;
pub mod manifest;
pub mod postgres;
pub mod skip;
pub mod storage;
pub mod torture;
