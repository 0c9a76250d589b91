//! The `walwarden-verify` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(walwarden_verifier::main(std::env::args_os()))
}
