//! The `walwarden` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(walwarden_cli::main(std::env::args_os()))
}
