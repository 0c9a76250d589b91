//! The `walwarden` command, for whatever runs it: the program of that name, and the commands that other languages install.

mod arguments;
mod commands;
mod environment;
mod exit;
mod home;
mod output;
mod settings;
mod signals;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use arguments::{Arguments, masked};
use clap::Parser as _;
use exit::{Ending, Stop};
use output::Output;
use walwarden_core::{Code, Error};

/// The whole command: takes its arguments, of which the first is its own name, and returns its exit status
/// (`spec/outcomes.md`).
///
/// It has the process for itself: it reads the environment, writes to stdout and stderr, listens for SIGINT and SIGTERM, and the
/// second of them ends the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&typed) {
        Ok(arguments) => arguments,
        Err(refusal) => return refuse(&refusal, &typed),
    };
    let output = Output::new(arguments.json_wanted(io::stdout().is_terminal()));
    log_to_stderr(arguments.verbose);
    match carry_out(arguments, output) {
        Ok(status) => status,
        Err(Stop::PipeClosed) => exit::DONE,
        Err(Stop::Failed(error)) => fail(&error, output),
    }
}

/// Runs the command; what still hangs in a system call when it has ended (a name server or a disk that does not answer)
/// is not waited for.
fn carry_out(arguments: Arguments, output: Output) -> Ending {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Error::new(Code::Internal, "cannot start the runtime").with_source(error))?;
    let ending = runtime.block_on(commands::run(arguments, output));
    runtime.shutdown_timeout(TIDY_UP);
    ending
}

/// Enough to remove a file that was being written.
const TIDY_UP: Duration = Duration::from_millis(500);

/// Help and version are answers; everything else is wrong use, told as JSON too where that was asked for.
fn refuse(refusal: &clap::Error, typed: &[OsString]) -> u8 {
    if !refusal.use_stderr() {
        let _ = refusal.print();
        return exit::DONE;
    }
    let typed: Vec<String> = typed.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let rendered = refusal.render();
    let text = if io::stderr().is_terminal() { rendered.ansi().to_string() } else { rendered.to_string() };
    let _ = write!(io::stderr().lock(), "{}", masked(&text, typed.iter().cloned()));
    if typed.iter().any(|argument| argument == "--json") {
        let line =
            masked(&rendered.to_string(), typed).lines().next().unwrap_or_default().replace("error: ", "");
        let _ = Output::new(true).record(&exit::record(&Error::new(Code::ArgumentInvalid, line)));
    }
    walwarden_core::Exit::UserError as u8
}

fn fail(error: &Error, output: Output) -> u8 {
    let lines = error.lines();
    output.note(format_args!("error: {} [{}]", lines[0], error.code()));
    for cause in &lines[1..] {
        output.note(format_args!("  because: {cause}"));
    }
    output.note(format_args!("next: {}", error.code().next_action()));
    if output.is_json() {
        let _ = output.record(&exit::record(error));
    }
    exit::status(error)
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "walwarden_core=info,warn",
        2 => "walwarden_core=debug,info",
        _ => "walwarden_core=trace,debug",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(io::stderr);
    // The second command in one process keeps to what the first one set.
    let _ = log.try_init();
}
