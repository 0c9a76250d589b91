//! Suites for Walwarden's doors, faulty stores, a fixed clock and throwaway Postgres servers.

pub mod postgres;
pub mod torture;
