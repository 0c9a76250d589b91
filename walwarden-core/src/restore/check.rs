//! Compares what was restored with what the backup's index says.

use std::sync::{Mutex, PoisonError};

use futures::future::try_join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};
use walwarden_archive::Toc;
use walwarden_verify::Sha256;
use walwarden_verify::index::{Index, Rows};

use super::{load, target};
use crate::error::{Code, Error, Result};
use crate::source::{self, Copied, CopyCounter, Dsn, Snapshot, TableName, TableSource};

/// How closely the restored tables are compared with the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// Not at all.
    None,
    /// The number of rows of each table.
    #[default]
    Counts,
    /// The digest of all rows of each table, too.
    Digests,
}

/// One table of the index, and what was found in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedTable {
    /// The table.
    pub table: TableName,
    /// Rows in the dump.
    pub expected_rows: u64,
    /// Rows in the restored table.
    pub actual_rows: u64,
    /// Digest of the rows in the dump, if digests were compared.
    pub expected_digest: Option<Sha256>,
    /// Digest of the restored rows, if digests were compared.
    pub actual_digest: Option<Sha256>,
}

impl CheckedTable {
    /// Whether the table holds what was backed up, as far as was looked.
    pub fn agrees(&self) -> bool {
        self.expected_rows == self.actual_rows && self.expected_digest == self.actual_digest
    }
}

/// The tables of a dump whose rows were restored, and what its index says of each.
#[derive(Debug)]
pub(super) struct Expectation {
    tables: Vec<(TableSource, Rows)>,
    /// Tables that hold other rows, too, or the same ones elsewhere.
    not_comparable: Vec<TableName>,
}

/// What a comparison found, none of it a difference.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) checked: Vec<CheckedTable>,
    /// Tables that were not compared, and why.
    pub(super) notices: Vec<String>,
}

impl Expectation {
    /// From the index and the archive's own table of contents, which has the columns in their order, for those tables that are
    /// restored.
    ///
    /// # Errors
    /// `artifact-mismatch` when the two do not speak of the same tables.
    pub(super) fn new(index: &Index, toc: &Toc, restored: &Toc) -> Result<Expectation> {
        let (mut tables, mut not_comparable) = (Vec::new(), Vec::new());
        for entry in index.entries.iter().filter(|entry| entry.is_table_data()) {
            let Some(rows) = entry.data.as_ref().and_then(|data| data.rows) else { continue };
            let schema = entry.schema.clone().unwrap_or_default();
            let table = TableName { schema, name: entry.name.clone() };
            let stated = i32::try_from(entry.dump_id).ok().and_then(|dump_id| toc.entry(dump_id));
            let columns =
                stated.and_then(|entry| TableSource::columns_of(entry.copy_statement.as_ref()?.as_str()?));
            let (Some(stated), Some(columns)) = (stated, columns) else {
                let message =
                    format!("the dump's table of contents has no rows of a table in its index table={table}");
                return Err(Error::new(Code::ArtifactMismatch, message));
            };
            if restored.entry(stated.dump_id).is_none() {
                continue;
            }
            if load::is_made_by(toc, stated) && !load::is_loaded_via_root(stated) {
                tables.push((TableSource { table, columns, condition: String::new() }, rows));
            } else {
                not_comparable.push(table);
            }
        }
        Ok(Expectation { tables, not_comparable })
    }

    /// Looks at every table, over up to `jobs` connections.
    ///
    /// # Errors
    /// `content-mismatch` naming the tables that differ; the target's own errors.
    pub(super) async fn check(&self, database: &Dsn, check: Check, jobs: usize) -> Result<Found> {
        let mut found = match check {
            Check::None => return Ok(Found::default()),
            Check::Counts => self.counts(database, jobs).await,
            Check::Digests => self.digests(database, jobs).await,
        }
        // Whatever else keeps a table from being read: it is not there, or other than it was.
        .map_err(|error| match error.code() {
            Code::DumpFailed => error.with_code(Code::ContentMismatch),
            _ => target::as_target(error),
        })?;
        let differing: Vec<String> =
            found.checked.iter().filter(|table| !table.agrees()).map(CheckedTable::told).collect();
        if !differing.is_empty() {
            let (shown, all) = (differing.len().min(TOLD), differing.len());
            let message = format!(
                "restored tables differ from the backup tables={all}: {}",
                differing[..shown].join("; ")
            );
            return Err(Error::new(Code::ContentMismatch, message));
        }
        let why = "their extension or partitioned table decides which rows they hold besides";
        found.notices.extend(not_compared(&self.not_comparable, why));
        Ok(found)
    }

    /// Each table in a transaction of its own: locks on thousands of them at once are more than a server has room for.
    async fn counts(&self, database: &Dsn, jobs: usize) -> Result<Found> {
        let wanted = jobs.min(self.tables.len());
        let sessions = target::sessions_with(database, ALL_OR_NOTHING, wanted).await?;
        let queue = Mutex::new(self.tables.iter());
        let results = try_join_all(sessions.iter().map(|client| async {
            let mut counted = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((source, expected)) = next else { return Ok::<_, Error>(counted) };
                counted.push((source, expected, count(client, database, source).await?));
            }
        }));
        let (mut checked, mut unreadable) = (Vec::with_capacity(self.tables.len()), Vec::new());
        for (source, expected, actual) in results.await?.into_iter().flatten() {
            let Some(actual_rows) = actual else {
                unreadable.push(source.table.clone());
                continue;
            };
            checked.push(CheckedTable {
                table: source.table.clone(),
                expected_rows: expected.count,
                actual_rows,
                expected_digest: None,
                actual_digest: None,
            });
        }
        checked.sort_by(|one, other| one.table.cmp(&other.table));
        Ok(Found { checked, notices: not_compared(&unreadable, UNREADABLE) })
    }

    async fn digests(&self, database: &Dsn, jobs: usize) -> Result<Found> {
        let client = target::session_with(database, ALL_OR_NOTHING).await?;
        let (mut tables, mut unreadable) = (Vec::new(), Vec::new());
        for (source, expected) in &self.tables {
            match is_readable(&client, database, source).await? {
                true => tables.push((source.clone(), expected)),
                false => unreadable.push(source.table.clone()),
            }
        }
        drop(client);
        let mut checked = Vec::with_capacity(tables.len());
        for group in tables.chunks(TABLES_IN_SNAPSHOT) {
            let sources: Vec<TableSource> = group.iter().map(|(source, _)| source.clone()).collect();
            let mut copies = Snapshot::export(database).await?.copy(&sources, jobs).await?;
            let mut counter = CopyCounter::default();
            while let Some(copied) = copies.next().await? {
                let place = match copied {
                    Copied::Lines(_, lines) => {
                        counter.take(&lines);
                        continue;
                    }
                    Copied::End(place) => place,
                };
                let found = std::mem::take(&mut counter).finish();
                let (source, expected) = &group[place];
                checked.push(CheckedTable {
                    table: source.table.clone(),
                    expected_rows: expected.count,
                    actual_rows: found.rows,
                    expected_digest: Some(expected.digest),
                    actual_digest: Some(found.digest),
                });
            }
        }
        Ok(Found { checked, notices: not_compared(&unreadable, UNREADABLE) })
    }
}

/// How many rows the table has; none if the role may not read it.
async fn count(client: &Client, database: &Dsn, source: &TableSource) -> Result<Option<u64>> {
    let answer = client.simple_query(&format!("SELECT count(*) FROM ONLY {}", source.table)).await;
    let messages = match answer {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
        answer => answer.map_err(|error| source::explain(database, &error))?,
    };
    let count = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    count.map(Some).ok_or_else(|| Error::new(Code::Internal, "a count without a number came back"))
}

async fn is_readable(client: &Client, database: &Dsn, source: &TableSource) -> Result<bool> {
    let columns = &source.columns;
    match client.simple_query(&format!("SELECT {columns} FROM ONLY {} LIMIT 0", source.table)).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(false),
        Err(error) => Err(source::explain(database, &error)),
    }
}

fn not_compared(tables: &[TableName], why: &str) -> Vec<String> {
    if tables.is_empty() {
        return Vec::new();
    }
    let named: Vec<String> = tables.iter().take(TOLD).map(ToString::to_string).collect();
    let further = if tables.len() > TOLD { ", …" } else { "" };
    vec![format!("{} tables were not compared, {why}: {}{further}", tables.len(), named.join(", "))]
}

impl CheckedTable {
    fn told(&self) -> String {
        match self.expected_rows == self.actual_rows {
            true => format!("{} has other values in its {} rows", self.table, self.actual_rows),
            false => {
                format!("{} has {} rows instead of {}", self.table, self.actual_rows, self.expected_rows)
            }
        }
    }
}

/// So many tables are named.
const TOLD: usize = 20;
/// Row security never shows a part for the whole.
const ALL_OR_NOTHING: &str = "SET row_security = off";
/// Each is locked until all of them have been read.
const TABLES_IN_SNAPSHOT: usize = 200;
const UNREADABLE: &str = "for the role may not read all of their rows";
