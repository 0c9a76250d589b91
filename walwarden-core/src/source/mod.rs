//! Reads Postgres: connection strings, client programs, preflight, the `pg_dump` stream.
//!
//! In: a [`Dsn`]. Out: an archive as a byte stream. What always holds: the source is only read, passwords stay out of
//! arguments, logs and errors, and a dump counts only when its program says that it ended well.

mod client;
mod compression;
mod connect;
mod copies;
mod dsn;
mod dump;
mod enforce;
mod fingerprint;
mod globals;
mod parallel;
mod passfile;
mod patterns;
mod preflight;
mod program;
mod server;
mod snapshot;
mod stderr;
mod tls;

pub use client::{Client, ClientSearch, ClientSet, Codec, RestoreChoice};
pub use compression::Compression;
pub use connect::connect;
pub use copies::{Copied, Copies, TableSource};
pub use dsn::Dsn;
pub use dump::{Dump, DumpOptions, Dumped};
pub use fingerprint::{TableContent, TableName, fingerprint};
pub use globals::globals;
pub use parallel::{DumpPart, ParallelDump};
pub use preflight::{Finding, Preflight, Severity, preflight};
pub use server::Server;
pub use snapshot::Snapshot;
pub use stderr::Said;

pub(crate) use connect::explain;
pub(crate) use fingerprint::CopyCounter;
pub(crate) use patterns::idle_exclusions;
pub(crate) use program::Program;
