//! Runs `pg_restore` and judges how it ended.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use tokio::io::AsyncReadExt;

use super::properties::after_identifier;
use super::spool::VerifiedPath;
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

/// `pg_restore` of one client version, one verified archive, one target.
#[derive(Debug)]
pub(super) struct PgRestore<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Dsn,
    pub(super) archive: VerifiedPath,
    pub(super) cancel: &'a Cancel,
}

/// Why `pg_restore` did not restore.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused, or `pg_restore` did not start or gave up by itself: what it had begun was rolled back.
    Refused(Error),
    /// It was cut off. The server may have carried out the last thing it was told, a COMMIT among them.
    CutOff(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::CutOff(error) => error,
        }
    }
}

impl PgRestore<'_> {
    /// Restores into `database`. Returns notices on errors that are known to be harmless.
    ///
    /// # Errors
    /// `restore-failed` with the first error that `pg_restore` told, `target-connection-lost`, `cancelled`.
    pub(super) async fn run(&self, mut arguments: Arguments, database: &str) -> Result<Vec<String>, Failure> {
        let target = self.target.with_database(database);
        arguments
            .push("--no-password")
            .push(&format!("--dbname={}", target.libpq_conninfo_without_password()));
        arguments.0.push(self.archive.as_path().into());
        // Dropping the program ends it, which is what happens to it when we are cancelled.
        let started = Program::start(self.client, "pg_restore", arguments.0, &target);
        let (program, stdout) = started.map_err(Failure::Refused)?;
        let (status, said) = tokio::select! {
            ended = program.ended(stdout) => ended.map_err(Failure::CutOff)?,
            () = self.cancel.cancelled() => {
                return Err(Failure::CutOff(Error::new(Code::Cancelled, "the restore was cancelled")));
            }
        };
        judge(status, &said).map_err(|error| match error.code() {
            // By a signal, it has no code.
            Code::RestoreFailed if status.code().is_some() => Failure::Refused(error),
            _ => Failure::CutOff(error),
        })
    }

    /// What `pg_restore` prints of the archive, without a target.
    pub(super) async fn print(&self, mut arguments: Arguments) -> Result<String> {
        arguments.0.push(self.archive.as_path().into());
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

/// Statements whose failure says nothing about the data, and why.
///
/// They are known by what `pg_restore` did, which it prints in its own words: what the server answered may be in any
/// language (`lc_messages`), and may quote the user's data.
const HARMLESS: [(Knows, &str); 3] = [
    (
        |command| command == "SET transaction_timeout = 0;",
        "the server is older than pg_restore and does not know transaction_timeout (PostgreSQL 17); data is unaffected",
    ),
    (
        // Where the table stays, too, dropping that fails as well.
        drops_one_constraint,
        "inherited keys of partitions went with their tables instead of one by one; data is unaffected",
    ),
    (
        |command| command.starts_with("COMMENT ON EXTENSION "),
        "the comment of an extension that the server provides was left as it is; data is unaffected",
    ),
];

/// Whether a statement is the one meant.
type Knows = fn(&str) -> bool;

/// Whether this is what `--clean --if-exists` does with a primary key or unique constraint, and nothing more.
fn drops_one_constraint(command: &str) -> bool {
    let parts = || {
        let table = command.strip_prefix("ALTER TABLE IF EXISTS ONLY ")?;
        let table = after_identifier(table)?.strip_prefix('.')?;
        let constraint = after_identifier(table)?.strip_prefix(" DROP CONSTRAINT IF EXISTS ")?;
        after_identifier(constraint)
    };
    parts() == Some(";")
}

/// Success, success with harmless errors, or the error that ends the restore.
fn judge(status: ExitStatus, said: &Said) -> Result<Vec<String>> {
    if status.success() {
        return Ok(Vec::new());
    }
    let told = Told::of(said.text());
    // Status 1 with «errors ignored on restore» means that it went on to the end; anything else, that it did not.
    let reached_the_end = status.code() == Some(1) && said.text().contains("errors ignored on restore: ");
    if told.serious.is_none() && !told.harmless.is_empty() && reached_the_end && said.is_whole() {
        return Ok(told.harmless.into_iter().map(str::to_owned).collect());
    }
    let line = told.serious.unwrap_or_else(|| said.main_line()).trim_start_matches("pg_restore: error: ");
    let code = match said.code() {
        Code::SourceConnectionLost | Code::SourceUnreachable => Code::TargetConnectionLost,
        _ => Code::RestoreFailed,
    };
    let message = format!("pg_restore failed with {} errors, {status}: {line}", told.errors);
    Err(Error::new(code, message).with_source(said.clone()))
}

/// What `pg_restore` told on standard error.
///
/// The server's answers may quote user data that looks like `pg_restore`'s own lines. Such lines add to what is told
/// and take nothing away: every error must be that of a statement, and every statement must be harmless.
#[derive(Debug, Default)]
struct Told<'a> {
    errors: usize,
    /// The first error that matters.
    serious: Option<&'a str>,
    /// Why the others do not, each reason once.
    harmless: Vec<&'static str>,
}

impl<'a> Told<'a> {
    fn of(text: &'a str) -> Self {
        let mut told = Told::default();
        let (mut latest, mut of_statements) = ("", 0);
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("Command was: ") {
                match HARMLESS.iter().find(|(knows, _)| knows(command)) {
                    Some((_, why)) if told.harmless.contains(why) => {}
                    Some((_, why)) => told.harmless.push(why),
                    None => drop(told.serious.get_or_insert(latest)),
                }
                continue;
            }
            let (errors, message) = without_prefixes(line);
            if errors > 0 {
                latest = line;
            }
            if message.starts_with("could not execute query: ") {
                of_statements += 1;
            } else if errors > 0 {
                told.serious.get_or_insert(line);
            }
            told.errors += errors;
        }
        if told.errors > of_statements {
            told.serious.get_or_insert(latest);
        }
        told
    }
}

/// A line without `pg_restore: error: `, and how often that stood there: programs that work side by side write the parts
/// of a line one by one, so that they may come mixed.
fn without_prefixes(line: &str) -> (usize, &str) {
    let (mut errors, mut rest) = (0, line);
    loop {
        if let Some(after) = rest.strip_prefix("pg_restore: ") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("error: ") {
            (errors, rest) = (errors + 1, after);
        } else {
            return (errors, rest);
        }
    }
}

#[cfg(test)]
mod tests;
