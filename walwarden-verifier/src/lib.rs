//! The `walwarden-verify` command: checks an evidence bundle offline, against keys you trust.
//!
//! `walwarden verify` and the commands that other languages install are this crate, too. It reads the named files, writes to
//! stdout and into the files that were asked for, and uses no code of Walwarden but the `walwarden-verify` library.

mod arguments;
mod first_reading;
mod papers;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser;
use walwarden_verify::{Report, Timestamp, Trust, Verifier};

pub use arguments::VerifyArguments;
use first_reading::FirstReading;
use papers::Auditor;

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

/// The whole command: takes its arguments, of which the first is its own name, and returns its exit status
/// (`spec/outcomes.md`).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match CommandLine::try_parse_from(arguments) {
        Ok(CommandLine { verify, json }) => run(verify, json),
        Err(refusal) => {
            let _ = refusal.print();
            if refusal.use_stderr() { UNUSABLE } else { 0 }
        }
    }
}

/// The arguments cannot be used, or a file cannot be read: exit status 2.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    fn file(what: &str, path: &Path, cause: impl fmt::Display) -> Self {
        Unusable(format!("{what} {}: {cause}", path.display()))
    }
}

/// Verifies and prints the report; returns the exit status of `spec/evidence.md` section 4.
pub fn run(arguments: VerifyArguments, json: bool) -> u8 {
    judge(arguments).publish(json)
}

/// What is to be told of a bundle; nothing was printed or written yet.
pub struct Judged {
    arguments: VerifyArguments,
    verdict: Result<(Report, Trust, Option<Auditor>), Unusable>,
}

impl fmt::Debug for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged").finish_non_exhaustive()
    }
}

/// Verifies, which may take its time.
pub fn judge(arguments: VerifyArguments) -> Judged {
    Judged { verdict: verdict(&arguments), arguments }
}

impl Judged {
    /// Writes the papers that were asked for and prints the report; returns the exit status.
    pub fn publish(self, json: bool) -> u8 {
        let written = self.verdict.and_then(|(report, trust, auditor)| {
            if wants_papers(&self.arguments) {
                papers::write(&self.arguments, auditor.as_ref(), &trust, &report)?;
            }
            Ok(report)
        });
        let printed = match written {
            Ok(report) => {
                let status = report.exit().status();
                (status, print(&report, json))
            }
            Err(unusable) => {
                let _ = writeln!(io::stderr().lock(), "error: {unusable}");
                let record = format!("{{\"exit\":2,\"error\":{}}}\n", quoted(&unusable.to_string()));
                (UNUSABLE, if json { say(record.as_bytes()) } else { Ok(()) })
            }
        };
        match printed {
            (status, Ok(())) => status,
            // Who closed the pipe has read enough; the verdict stays in the exit status.
            (status, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => status,
            (_, Err(_)) => UNUSABLE,
        }
    }
}

fn wants_papers(arguments: &VerifyArguments) -> bool {
    arguments.html.is_some() || arguments.vsa.is_some()
}

fn verdict(arguments: &VerifyArguments) -> Result<(Report, Trust, Option<Auditor>), Unusable> {
    papers::check(arguments)?;
    let auditor = arguments.vsa_key.as_deref().map(Auditor::load).transpose()?;
    let trust = trust(arguments)?;
    let verifier =
        Verifier::try_from(&trust).map_err(|error| match arguments.file_of(error.what, error.index) {
            Some(path) => Unusable::file(error.what, path, &error.cause),
            None => Unusable(error.to_string()),
        })?;
    let verifier = verifier.with_now(now());
    let failed = |error: io::Error| Unusable::file("bundle", &arguments.bundle, error);
    if !wants_papers(arguments) {
        return Ok((verify_file(&verifier, &arguments.bundle).map_err(failed)?, trust, auditor));
    }
    let mut reading = FirstReading::new(open(&arguments.bundle).map_err(failed)?);
    let mut report = verifier.verify(&mut reading).map_err(failed)?;
    report.bundle_sha256 = Some(reading.finish().map_err(failed)?);
    Ok((report, trust, auditor))
}

/// Everything that the arguments name.
fn trust(arguments: &VerifyArguments) -> Result<Trust, Unusable> {
    let bytes = |what: &'static str, path: &PathBuf| {
        fs::read(path).map_err(|error| Unusable::file(what, path, error))
    };
    let text = |what: &'static str, path: &PathBuf| {
        fs::read_to_string(path).map_err(|error| Unusable::file(what, path, error))
    };
    Ok(Trust {
        public_keys: arguments
            .pubkey
            .iter()
            .map(|path| text("public key", path))
            .collect::<Result<_, _>>()?,
        fingerprints: arguments.fingerprint.clone(),
        witnesses: arguments.witness.clone(),
        witness_policy: arguments
            .witness_policy
            .as_ref()
            .map(|path| bytes("witness policy", path))
            .transpose()?,
        policy: arguments.policy.as_ref().map(|path| bytes("policy", path)).transpose()?,
        as_of: arguments.as_of.clone(),
        kept_checkpoint: arguments.since.as_ref().map(|path| bytes("kept checkpoint", path)).transpose()?,
        authorities: arguments
            .tsa_ca()
            .iter()
            .map(|path| text("authority", path))
            .collect::<Result<_, _>>()?,
        level: arguments.level,
    })
}

/// Checks the bundle in a file, which is read as a stream.
///
/// # Errors
/// When it cannot be read, or cannot be [opened](open).
pub fn verify_file(verifier: &Verifier, bundle: &Path) -> io::Result<Report> {
    verifier.verify(open(bundle)?)
}

/// Opens the file of a bundle.
///
/// # Errors
/// When it cannot be opened, or cannot be read more than once: a folder, a pipe.
pub fn open(bundle: &Path) -> io::Result<BufReader<File>> {
    let found = fs::metadata(bundle)?;
    if found.is_dir() {
        let message = "this is a folder; name the *.evidence.tgz file";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, message));
    }
    // Before it is opened, which of a pipe might wait for ever.
    if !found.is_file() {
        let message = "this is no file, but a pipe or device, and a bundle is read more than once; save it in a file first";
        return Err(io::Error::new(io::ErrorKind::NotSeekable, message));
    }
    File::open(bundle).map(BufReader::new)
}

/// Writes the report to stdout.
fn print(report: &Report, json: bool) -> io::Result<()> {
    if json {
        let mut line = report.to_json();
        line.push(b'\n');
        return say(&line);
    }
    say(report.to_text().as_bytes())
}

fn say(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// The machine's clock, for the age rules of a policy.
pub fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods, reason = "a program is where the clock comes in")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.ok().and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok());
    millis.and_then(Timestamp::from_unix_millis).unwrap_or(Timestamp::MAX)
}

fn quoted(text: &str) -> String {
    let value = walwarden_verify::json::Value::from(text);
    String::from_utf8_lossy(&walwarden_verify::canonical::to_vec(&value)).into_owned()
}

const UNUSABLE: u8 = 2;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_cannot_be_read_again_is_refused_with_a_word_on_what_to_do() {
        let refusal = open(Path::new("/dev/null")).unwrap_err();
        assert!(refusal.to_string().contains("save it in a file first"), "{refusal}");
    }
}
