//! Brings a verified dump into the target.
//!
//! A new database is built under a name of its own and gets its real name when it is complete, so that a crash never
//! leaves something that looks like the database and is not.

use std::fmt::Write as _;
use std::path::PathBuf;

use tokio_postgres::Client;

use super::pg_restore::{Arguments, PgRestore};
use super::spool::VerifiedDump;
use super::target::{self, BUILDING_PREFIX};
use super::{Mode, RestorePlan};
use crate::error::{Code, Error, Result};
use crate::source;

/// One restore with everything it needs.
#[derive(Debug)]
pub(super) struct Application<'a> {
    pub(super) plan: &'a RestorePlan,
    pub(super) dump: &'a VerifiedDump,
    /// Makes the temporary name unique.
    pub(super) random: [u8; 10],
}

impl Application<'_> {
    /// Does it; returns what the operator should know.
    pub(super) async fn run(&self) -> Result<Vec<String>> {
        match self.plan.request.mode {
            Mode::InPlace => self.replace_contents().await,
            Mode::NewDatabase => self.build_database().await,
        }
    }

    async fn replace_contents(&self) -> Result<Vec<String>> {
        let mut arguments = self.arguments();
        arguments.push("--clean").push("--if-exists");
        let left = if self.plan.in_one_transaction {
            arguments.push("--single-transaction");
            "are unchanged"
        } else {
            "may be half replaced"
        };
        let outcome = self.pg_restore().run(arguments, &self.plan.database).await;
        outcome.map_err(|error| described(error, &format!("the contents of {:?} {left}", self.plan.database)))
    }

    async fn build_database(&self) -> Result<Vec<String>> {
        let maintenance = source::connect(&self.plan.request.target).await.map_err(target::as_target)?;
        let mut building = BUILDING_PREFIX.to_owned();
        for byte in &self.random[..6] {
            write!(building, "{byte:02x}").expect("writing to a String cannot fail");
        }
        let outcome = self.build(&maintenance, &building).await;
        let Err(error) = outcome else { return outcome };
        // A failed restore leaves nothing behind, if the target still lets us clean up.
        let cleaned = match source::connect(&self.plan.request.target).await {
            Ok(fresh) => target::drop(&fresh, &building).await,
            Err(gone) => Err(gone),
        };
        Err(match cleaned {
            Ok(()) => described(error, "nothing was left behind"),
            Err(_) => described(error, &format!("drop the unfinished database {building:?} by hand")),
        })
    }

    async fn build(&self, maintenance: &Client, building: &str) -> Result<Vec<String>> {
        match &self.plan.request.created_database {
            Some(_) => target::create(maintenance, building).await?,
            None => self.create_as_dumped(maintenance, building).await?,
        }
        let notices = self.fill(building).await?;
        target::rename(maintenance, building, &self.plan.database).await?;
        Ok(notices)
    }

    /// With several connections, section by section. Left to itself, a parallel `pg_restore` (seen: 15, 16, 17) may create a
    /// partitioned table's trigger while rows still go into its partitions: the trigger then fires and changes them.
    async fn fill(&self, building: &str) -> Result<Vec<String>> {
        let jobs = self.plan.request.jobs;
        if jobs == 1 {
            return self.pg_restore().run(self.arguments(), building).await;
        }
        let mut notices: Vec<String> = Vec::new();
        for section in ["pre-data", "data", "post-data"] {
            let mut arguments = self.arguments();
            arguments.push(&format!("--section={section}")).push(&format!("--jobs={jobs}"));
            for notice in self.pg_restore().run(arguments, building).await? {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        Ok(notices)
    }

    /// Lets `pg_restore --create` make the empty database with its encoding, locale, comment and settings, and moves
    /// it aside at once.
    async fn create_as_dumped(&self, maintenance: &Client, building: &str) -> Result<()> {
        let program = self.pg_restore();
        let database_only = self.database_entries(&program).await?;
        let mut arguments = self.arguments();
        arguments.push("--create").path("--use-list", &database_only);
        let created = program.run(arguments, self.plan.request.target.dbname()).await;
        // Only a name that was free before can be ours to move.
        if target::exists(maintenance, &self.plan.database).await? {
            target::rename(maintenance, &self.plan.database, building).await?;
        }
        created.map(drop)
    }

    /// A list file for `pg_restore -L` with the entries that make the database itself.
    async fn database_entries(&self, program: &PgRestore<'_>) -> Result<PathBuf> {
        let list = program.list(&["--create"]).await?;
        let entries: Vec<&str> = list.lines().filter(|line| makes_database(line)).collect();
        let path = self.dump.folder().join("database.list");
        tokio::fs::write(&path, entries.join("\n")).await.map_err(|error| {
            let message = format!("the spool folder cannot be written path={}", path.display());
            Error::new(Code::FileFailed, message).with_source(error)
        })?;
        Ok(path)
    }

    fn arguments(&self) -> Arguments {
        let request = &self.plan.request;
        let mut arguments = Arguments::default();
        if request.no_owner {
            arguments.push("--no-owner");
        }
        if request.no_privileges {
            arguments.push("--no-privileges");
        }
        arguments
    }

    fn pg_restore(&self) -> PgRestore<'_> {
        PgRestore {
            client: &self.plan.client,
            target: &self.plan.request.target,
            dump: self.dump,
            cancel: &self.plan.request.cancel,
        }
    }
}

/// Whether a line of `pg_restore -l` (`dumpId; tableoid oid DESC schema tag owner`) belongs to the database itself.
fn makes_database(line: &str) -> bool {
    let Some((id, rest)) = line.split_once("; ") else { return false };
    let mut words = rest.splitn(3, ' ');
    let (Some(_), Some(_), Some(entry)) = (words.next(), words.next(), words.next()) else { return false };
    let kinds = [
        "DATABASE - ",
        "DATABASE PROPERTIES - ",
        "ACL - DATABASE ",
        "COMMENT - DATABASE ",
        "SECURITY LABEL - DATABASE ",
    ];
    id.bytes().all(|byte| byte.is_ascii_digit()) && kinds.iter().any(|kind| entry.starts_with(kind))
}

/// The same error, its message followed by what the restore left behind.
fn described(error: Error, what_is_left: &str) -> Error {
    error.with_message(|message| format!("{message}; {what_is_left}"))
}
