//! Verifies an evidence bundle offline. Both `walwarden-verify` and `walwarden verify` are this module: it reads the
//! named files, writes to stdout and into the files that were asked for, and uses no code of Walwarden but the `walwarden-verify` library.

mod arguments;
mod papers;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use walwarden_verify::checkpoint::Vkey;
use walwarden_verify::key::PublicKey;
use walwarden_verify::{Level, Policy, Report, Timestamp, Verifier, WitnessPolicy};

pub(crate) use arguments::VerifyArguments;
use papers::Auditor;

/// The arguments cannot be used, or a file cannot be read: exit status 2.
#[derive(Debug)]
pub(crate) struct Unusable {
    what: String,
    cause: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

impl Unusable {
    fn file(what: &str, path: &Path, cause: impl fmt::Display) -> Self {
        Unusable { what: format!("{what} {}", path.display()), cause: cause.to_string() }
    }
}

/// Verifies and prints the report; returns the exit status of formats.md section 7.
pub(crate) fn run(arguments: &VerifyArguments, json: bool) -> u8 {
    let printed = match verify_and_keep(arguments) {
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

fn verify_and_keep(arguments: &VerifyArguments) -> Result<Report, Unusable> {
    let auditor = arguments.vsa_key.as_deref().map(Auditor::load).transpose()?;
    if arguments.html.is_none() && arguments.vsa.is_none() {
        return verify(arguments);
    }
    let digest = papers::digest(&arguments.bundle)?;
    let mut report = verify(arguments)?;
    if papers::digest(&arguments.bundle)? != digest {
        return Err(Unusable::file("bundle", &arguments.bundle, "it changed while it was verified"));
    }
    report.bundle_sha256 = Some(digest);
    papers::write(arguments, auditor.as_ref(), &report)?;
    Ok(report)
}

/// Verifies with everything that the arguments name.
///
/// # Errors
/// When a named file cannot be read or is not what it is given as.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<Report, Unusable> {
    let mut verifier = Verifier::new().with_now(now());
    for path in &arguments.pubkey {
        let text = fs::read_to_string(path).map_err(|error| Unusable::file("public key", path, error))?;
        let keys = PublicKey::several_from_pem(&text);
        for key in keys.map_err(|error| Unusable::file("public key", path, error))? {
            verifier = verifier.with_key(key);
        }
    }
    for key_id in &arguments.fingerprint {
        verifier = verifier.with_fingerprint(*key_id);
    }
    for text in &arguments.witness {
        let witness: Vkey = text
            .parse()
            .map_err(|error| Unusable { what: format!("--witness {text}"), cause: format!("{error}") })?;
        verifier = verifier.with_witness(witness);
    }
    if let Some(path) = &arguments.witness_policy {
        let text = fs::read(path).map_err(|error| Unusable::file("witness policy", path, error))?;
        let policy = WitnessPolicy::parse(&text);
        let policy = policy.map_err(|error| Unusable::file("witness policy", path, error))?;
        verifier = verifier.with_witness_policy(policy);
    }
    if let Some(path) = &arguments.policy {
        let text = fs::read(path).map_err(|error| Unusable::file("policy", path, error))?;
        let policy = Policy::parse(&text).map_err(|error| Unusable::file("policy", path, error))?;
        verifier = verifier.with_policy(policy);
    }
    if let Some(as_of) = arguments.as_of {
        verifier = verifier.with_as_of(as_of);
    }
    #[cfg(feature = "timestamps")]
    for path in &arguments.tsa_ca {
        let text = fs::read_to_string(path).map_err(|error| Unusable::file("authority", path, error))?;
        let authorities = walwarden_verify::timestamp::Authorities::from_pem(&text);
        let authorities = authorities.map_err(|error| Unusable::file("authority", path, error))?;
        verifier = verifier.with_authorities(authorities);
    }
    if let Some(path) = &arguments.since {
        let note = fs::read(path).map_err(|error| Unusable::file("kept checkpoint", path, error))?;
        verifier = verifier.with_kept_checkpoint(note);
    }
    if let Some(level) = arguments.level.and_then(Level::from_number) {
        verifier = verifier.with_level(level);
    }
    verify_file(&verifier, &arguments.bundle)
}

/// Verifies a file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn verify_file(verifier: &Verifier, bundle: &Path) -> Result<Report, Unusable> {
    if bundle.is_dir() {
        return Err(Unusable::file("bundle", bundle, "this is a folder; name the *.evidence.tgz file"));
    }
    File::open(bundle)
        .and_then(|file| verifier.verify(io::BufReader::new(file)))
        .map_err(|error| Unusable::file("bundle", bundle, error))
}

/// Writes the report to stdout.
fn print(report: &Report, json: bool) -> io::Result<()> {
    if json {
        let mut line = report.to_json();
        line.push(b'\n');
        return say(&line);
    }
    say(format!("{report}{}\n{}", verdict(report), context(report)).as_bytes())
}

/// Under which keys, and what stays open.
fn context(report: &Report) -> String {
    let mut text = String::new();
    for key in &report.keys {
        let trusted = if key.pinned { ", trusted" } else { "" };
        let revoked = key.revoked_seq.map(|seq| format!(", revoked by row {seq}")).unwrap_or_default();
        text.push_str(&format!("key {} from row {}{trusted}{revoked}\n", key.key_id, key.from_seq));
    }
    for not in report.not_proven() {
        text.push_str(&format!("NOT PROVEN: {}\n", not.text));
    }
    text
}

fn verdict(report: &Report) -> String {
    let counted = format!(
        "{} events, {} manifests, {} receipts, {} dumps checked",
        report.events, report.manifests, report.receipts, report.artifacts_checked
    );
    let level = report.level.map_or_else(|| "none".to_owned(), |level| level.number().to_string());
    format!("{} (level {level}, asked {}; {counted})", report.verdict(), report.asked.number())
}

fn say(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// The machine's clock, for the age rules of a policy.
fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods)] // the command line is where the clock comes in
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.ok().and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok());
    millis.and_then(Timestamp::from_unix_millis).unwrap_or(Timestamp::MAX)
}

fn quoted(text: &str) -> String {
    let value = walwarden_verify::json::Value::from(text);
    String::from_utf8_lossy(&walwarden_verify::canonical::to_vec(&value)).into_owned()
}

const UNUSABLE: u8 = 2;
