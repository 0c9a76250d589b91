//! Brings a verified dump into the target.
//!
//! A new database is built under a name of its own and gets its real name when it is complete, so that a crash never
//! leaves something that looks like the database and is not.

use std::fmt::Write as _;

use super::check::CheckedTable;
use super::load::{Filled, Load};
use super::pg_restore::{Arguments, Failure, PgRestore};
use super::prepare::{Prepared, StoredRows};
use super::spool::VerifiedPath;
use super::target::{self, BUILDING_PREFIX};
use super::unfinished::Unfinished;
use super::{Mode, RestorePlan, Scope, properties};
use crate::error::{Error, Result};
use crate::watch::Watch;

/// What the operator should know, and what was compared with the index.
pub(super) type Outcome = (Vec<String>, Option<Vec<CheckedTable>>);

/// One restore with everything it needs.
#[derive(Debug)]
pub(super) struct Application<'a> {
    pub(super) plan: &'a RestorePlan,
    pub(super) prepared: &'a Prepared,
    pub(super) watch: &'a dyn Watch,
    /// Makes the temporary name unique.
    pub(super) random: [u8; 10],
}

impl Application<'_> {
    /// Does it; returns what the operator should know, and what was compared.
    pub(super) async fn run(&self) -> Result<Outcome> {
        match self.plan.request.mode {
            Mode::InPlace => {
                let mut notices = self.replace_contents().await?;
                let checked = self.check(&self.plan.database, &mut notices).await.map_err(|error| {
                    let done = match self.plan.request.scope {
                        Scope::DataOnly => "data was added to",
                        _ => "the contents were replaced of",
                    };
                    described(error, &format!("{done} {:?}", self.plan.database))
                })?;
                Ok((notices, checked))
            }
            Mode::NewDatabase => self.build_database().await,
        }
    }

    async fn replace_contents(&self) -> Result<Vec<String>> {
        let mut arguments = self.arguments();
        if self.plan.request.scope != Scope::DataOnly {
            arguments.push("--clean").push("--if-exists");
        }
        if self.plan.in_one_transaction {
            arguments.push("--single-transaction");
        }
        self.pg_restore().run(arguments, &self.plan.database).await.map_err(|failure| {
            let left = match failure {
                Failure::Refused(_) if self.plan.in_one_transaction => {
                    format!("the contents of {:?} are unchanged", self.plan.database)
                }
                _ => self.plan.left_when_cut_off(),
            };
            described(failure.into(), &left)
        })
    }

    /// Compares the tables of a database, if the role may read them: a restore is no worse for not being looked at.
    async fn check(&self, database: &str, notices: &mut Vec<String>) -> Result<Option<Vec<CheckedTable>>> {
        let Some(expectation) = &self.prepared.expectation else { return Ok(None) };
        let request = &self.plan.request;
        let database = request.target.with_database(database);
        let found = expectation.check(&database, request.check, request.jobs as usize).await?;
        notices.extend(found.notices);
        Ok(Some(found.checked))
    }

    async fn build_database(&self) -> Result<Outcome> {
        let target = &self.plan.request.target;
        let mut building = BUILDING_PREFIX.to_owned();
        for byte in &self.random[..6] {
            write!(building, "{byte:02x}").expect("writing to a String cannot fail");
        }
        let mut unfinished = Unfinished::new(target, building);
        let error = match self.build(&mut unfinished).await {
            Ok(outcome) => {
                unfinished.keep();
                return Ok(outcome);
            }
            Err(error) => error,
        };
        // A failed restore leaves nothing behind, if the target still lets us clean up.
        let name = unfinished.name().to_owned();
        Err(match unfinished.remove().await {
            Ok(()) => described(error, "nothing was left behind"),
            Err(_) => described(error, &format!("drop the unfinished database {name:?} by hand")),
        })
    }

    async fn build(&self, unfinished: &mut Unfinished) -> Result<Outcome> {
        let building = unfinished.name().to_owned();
        let statements = properties::read(self, &building).await?;
        {
            let maintenance = target::session(&self.plan.request.target).await?;
            target::run(&maintenance, &self.understood(statements.creation), &building).await?;
            unfinished.created(&maintenance).await?;
        }
        let mut notices = self.fill(&building).await?;
        let checked = self.check(&building, &mut notices).await?;
        // A connection that had been idle for all that time might have been closed by whatever stands between.
        let maintenance = target::session(&self.plan.request.target).await?;
        // After the data, which a setting such as default_transaction_read_only would keep out.
        notices.extend(properties::set(&maintenance, &statements.properties, &building).await?);
        target::rename(&maintenance, &building, &self.plan.database).await?;
        let shown = target::quoted(&self.plan.database);
        let notices =
            notices.into_iter().map(|notice| notice.replace(&target::quoted(&building), &shown)).collect();
        Ok((notices, checked))
    }

    /// Servers before 15 know no locale provider but this one, and not the word for it.
    fn understood(&self, creation: String) -> String {
        let major = self.plan.target_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        match major {
            Some(..15) => creation.replace(" LOCALE_PROVIDER = libc", ""),
            _ => creation,
        }
    }

    async fn fill(&self, building: &str) -> Result<Vec<String>> {
        let mut notices = Vec::new();
        let jobs = self.plan.request.jobs;
        match (&self.prepared.rows, jobs) {
            (Some(rows), _) => {
                self.section("pre-data", 1, building, &mut notices).await?;
                let jobs = self.load(rows, building, &mut notices).await?;
                self.section("post-data", jobs, building, &mut notices).await?;
            }
            (None, 1) => notices = self.pg_restore().run(self.arguments(), building).await?,
            (None, _) => {
                self.section("pre-data", 1, building, &mut notices).await?;
                self.data_of_archive(building, &mut notices).await?;
                self.section("post-data", jobs, building, &mut notices).await?;
            }
        }
        Ok(notices)
    }

    /// With several connections, section by section. Left to itself, a parallel `pg_restore` (seen: 15, 16, 17) may create a
    /// partitioned table's trigger while rows still go into its partitions: the trigger then fires and changes them.
    async fn section(
        &self,
        section: &str,
        jobs: u32,
        building: &str,
        notices: &mut Vec<String>,
    ) -> Result<()> {
        let mut arguments = self.arguments();
        arguments.push(&format!("--section={section}")).push(&format!("--jobs={jobs}"));
        let definitions = self.pg_restore_of(self.prepared.archive.definitions());
        add(notices, definitions.run(arguments, building).await?);
        Ok(())
    }

    /// The data section of a dump that was copied.
    async fn data_of_archive(&self, building: &str, notices: &mut Vec<String>) -> Result<()> {
        if self.plan.request.scope == Scope::SchemaOnly {
            return Ok(());
        }
        let mut arguments = self.arguments();
        // Privileges come last, with the definitions.
        arguments.push("--section=data").push("--no-privileges");
        arguments.push(&format!("--jobs={}", self.plan.request.jobs));
        add(notices, self.pg_restore().run(arguments, building).await?);
        Ok(())
    }

    /// The data section: what is no rows, by `pg_restore` and first, for it makes large objects; then rows and contents. Says
    /// how many connections the server has for what comes next.
    async fn load(&self, rows: &StoredRows, building: &str, notices: &mut Vec<String>) -> Result<u32> {
        let request = &self.plan.request;
        let mut arguments = self.arguments();
        arguments.push("--section=data");
        let StoredRows { dump, toc, rest } = rows;
        add(notices, self.pg_restore_of(rest.clone()).run(arguments, building).await?);
        let jobs = request.jobs as usize;
        let load = Load { dump, toc, jobs, cancel: &request.cancel, watch: self.watch };
        let Filled { connections, wanted } = load.fill(&request.target.with_database(building)).await?;
        if connections == wanted {
            return Ok(request.jobs);
        }
        notices.push(format!("the target had {connections} connections instead of {wanted} to give"));
        target::until_left(&request.target, building).await;
        Ok(u32::try_from(connections).unwrap_or(request.jobs))
    }

    pub(super) fn arguments(&self) -> Arguments {
        let request = &self.plan.request;
        let mut arguments = Arguments::default();
        match request.scope {
            Scope::All => {}
            Scope::SchemaOnly => drop(arguments.push("--schema-only")),
            Scope::DataOnly => drop(arguments.push("--data-only")),
        }
        if request.no_owner {
            arguments.push("--no-owner");
        }
        if request.no_privileges {
            arguments.push("--no-privileges");
        }
        arguments
    }

    pub(super) fn pg_restore(&self) -> PgRestore<'_> {
        self.pg_restore_of(self.prepared.archive.path())
    }

    fn pg_restore_of(&self, archive: VerifiedPath) -> PgRestore<'_> {
        PgRestore {
            client: &self.plan.client,
            target: &self.plan.request.target,
            archive,
            cancel: &self.plan.request.cancel,
        }
    }
}

/// Each notice once.
fn add(notices: &mut Vec<String>, further: Vec<String>) {
    for notice in further {
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }
}

/// The same error, its message followed by what the restore left behind.
fn described(error: Error, what_is_left: &str) -> Error {
    error.with_message(|message| format!("{message}; {what_is_left}"))
}
