//! The native half of the Node package `@walwarden/verifier`, and the verifying part of `walwarden-cli`'s; `../src` is the
//! other half of both. Each function here converts, calls and converts.
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi exports nothing to a test harness, of which there is none but clippy's")
)]

mod failure;
mod promise;
mod report;

use std::ffi::OsString;

use napi_derive::napi;

pub use failure::Failure;
pub use promise::{promise, tell};
pub use report::{ChainKey, Finding, Report, Trust};

/// The command `walwarden-verify` with these arguments, its own name not among them; returns its exit status.
#[napi]
pub fn walwarden_verify(arguments: Vec<String>) -> u8 {
    walwarden_verifier::main(named("walwarden-verify", arguments))
}

/// The arguments of a command, with its name before them.
pub fn named(name: &str, arguments: Vec<String>) -> impl Iterator<Item = OsString> {
    std::iter::once(name.into()).chain(arguments.into_iter().map(OsString::from))
}

/// The version of both packages.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
