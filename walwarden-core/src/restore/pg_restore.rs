//! Runs `pg_restore` and judges how it ended.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use tokio::io::AsyncReadExt;

use super::spool::VerifiedDump;
use crate::error::{Code, Error, Result};
use crate::source::{Client, Dsn, Program, Said};
use crate::watch::Cancel;

/// What is given to `pg_restore` besides target and archive.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn push(&mut self, argument: &str) -> &mut Self {
        self.0.push(argument.into());
        self
    }

    pub(super) fn path(&mut self, option: &str, path: &Path) -> &mut Self {
        let mut argument = OsString::from(option);
        argument.push("=");
        argument.push(path);
        self.0.push(argument);
        self
    }
}

/// `pg_restore` of one client version, one verified dump, one target.
#[derive(Debug)]
pub(super) struct PgRestore<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Dsn,
    pub(super) dump: &'a VerifiedDump,
    pub(super) cancel: &'a Cancel,
}

impl PgRestore<'_> {
    /// Restores into `database`. Returns notices on errors that are known to be harmless.
    ///
    /// # Errors
    /// `restore-failed` with the first error that `pg_restore` told, `target-connection-lost`, `cancelled`.
    pub(super) async fn run(&self, mut arguments: Arguments, database: &str) -> Result<Vec<String>> {
        let target = self.target.with_database(database);
        arguments
            .push("--no-password")
            .push(&format!("--dbname={}", target.libpq_conninfo_without_password()));
        arguments.0.push(self.dump.path().into());
        // Dropping the program ends it, which is what happens to it when we are cancelled.
        let (program, stdout) = Program::start(self.client, "pg_restore", arguments.0, &target)?;
        let (status, said) = tokio::select! {
            ended = program.ended(stdout) => ended?,
            () = self.cancel.cancelled() => return Err(Error::new(Code::Cancelled, "the restore was cancelled")),
        };
        judge(status, &said)
    }

    /// What `pg_restore` prints of the archive, without a target.
    pub(super) async fn print(&self, mut arguments: Arguments) -> Result<String> {
        arguments.0.push(self.dump.path().into());
        let (program, mut stdout) = Program::start(self.client, "pg_restore", arguments.0, self.target)?;
        let mut printed = String::new();
        stdout.read_to_string(&mut printed).await.map_err(|error| {
            Error::new(Code::RestoreFailed, "what pg_restore prints of the archive cannot be read")
                .with_source(error)
        })?;
        let (status, said) = program.ended(stdout).await?;
        if status.success() {
            return Ok(printed);
        }
        let line = said.main_line();
        Err(Error::new(Code::RestoreFailed, format!("pg_restore cannot read the archive: {line}")))
    }
}

/// Errors that say nothing about the data, and why.
const HARMLESS: &[(&str, &str)] = &[
    (
        "unrecognized configuration parameter \"transaction_timeout\"",
        "the server is older than pg_restore and does not know transaction_timeout (PostgreSQL 17); data is unaffected",
    ),
    (
        "cannot drop inherited constraint",
        "inherited keys of partitions went with their tables instead of one by one; data is unaffected",
    ),
    (
        "must be owner of extension",
        "the comment of an extension that the server provides was left as it is; data is unaffected",
    ),
];

/// Success, success with harmless errors, or the error that ends the restore.
fn judge(status: ExitStatus, said: &Said) -> Result<Vec<String>> {
    if status.success() {
        return Ok(Vec::new());
    }
    let errors = || said.text().lines().filter(|line| line.starts_with("pg_restore: error: "));
    // What the server said stands behind the last «ERROR:  »; user data is quoted on other lines.
    let words = |line: &str| line.split("ERROR:  ").nth(1).map(str::to_owned).unwrap_or_default();
    let harmless = |line: &&str| HARMLESS.iter().find(|(text, _)| words(line).starts_with(text));
    // Status 1 with «errors ignored on restore» means that it went on to the end; anything else, that it did not.
    let reached_the_end = status.code() == Some(1) && said.text().contains("errors ignored on restore: ");
    let serious = errors().find(|line| harmless(line).is_none());
    if serious.is_none() && reached_the_end && said.is_whole() {
        let mut notices: Vec<String> = Vec::new();
        for (_, notice) in errors().filter_map(|line| harmless(&line)) {
            if !notices.iter().any(|known| known == notice) {
                notices.push((*notice).to_owned());
            }
        }
        return Ok(notices);
    }
    let line = serious.unwrap_or_else(|| said.main_line());
    let code = match said.code() {
        Code::SourceConnectionLost | Code::SourceUnreachable => Code::TargetConnectionLost,
        _ => Code::RestoreFailed,
    };
    let line = line.trim_start_matches("pg_restore: error: ");
    let message = format!("pg_restore failed with {} errors, {status}: {line}", errors().count());
    Err(Error::new(code, message).with_source(said.clone()))
}
