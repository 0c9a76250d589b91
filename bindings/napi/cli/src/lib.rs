//! The native half of the Node package `walwarden-cli`; `../src` is the other one. Each function here converts, calls and
//! converts.
#![cfg_attr(
    test,
    allow(dead_code, reason = "napi exports nothing to a test harness, of which there is none but clippy's")
)]

mod components;
mod engine;
mod job;
mod options;
mod own;

use napi_derive::napi;
use walwarden_node_verifier::named;

/// The command `walwarden` with these arguments, its own name not among them; returns its exit status.
#[napi]
pub fn walwarden(arguments: Vec<String>) -> u8 {
    walwarden_cli::main(named("walwarden", arguments))
}
