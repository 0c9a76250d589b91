//! The `walwarden-verify` command: checks an evidence bundle offline, against keys you trust.

#[path = "../verification/mod.rs"]
mod verification;

use std::process::ExitCode;

use clap::Parser;
use verification::VerifyArguments;

/// Verify an evidence bundle offline, against keys you trust
///
/// Reads the named files, writes nothing to disk unless asked to, opens no connection, and prints one line for each check:
/// OK, FAIL or SKIP.
#[derive(Debug, Parser)]
#[command(name = "walwarden-verify", version, max_term_width = 100)]
struct CommandLine {
    #[command(flatten)]
    verify: VerifyArguments,
    /// Print one JSON report instead
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let CommandLine { verify, json } = CommandLine::parse();
    ExitCode::from(verification::run(&verify, json))
}
