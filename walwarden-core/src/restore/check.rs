//! Compares what was restored with what the backup's index says.

use tokio_postgres::SimpleQueryMessage;
use walwarden_archive::Toc;
use walwarden_verify::Sha256;
use walwarden_verify::index::{Index, Rows};

use super::target;
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
}

impl Expectation {
    /// From the index and the archive's own table of contents, which has the columns in their order, for those tables that are
    /// restored.
    ///
    /// # Errors
    /// `artifact-mismatch` when the two do not speak of the same tables.
    pub(super) fn new(index: &Index, toc: &Toc, restored: &Toc) -> Result<Expectation> {
        let mut tables = Vec::new();
        for entry in index.entries.iter().filter(|entry| entry.is_table_data()) {
            let Some(rows) = entry.data.as_ref().and_then(|data| data.rows) else { continue };
            let schema = entry.schema.clone().unwrap_or_default();
            let table = TableName { schema, name: entry.name.clone() };
            let stated = i32::try_from(entry.dump_id).ok().and_then(|dump_id| toc.entry(dump_id));
            let columns =
                stated.and_then(|entry| TableSource::columns_of(entry.copy_statement.as_ref()?.as_str()?));
            let columns = columns.ok_or_else(|| {
                let message =
                    format!("the dump's table of contents has no rows of a table in its index table={table}");
                Error::new(Code::ArtifactMismatch, message)
            })?;
            if stated.is_some_and(|entry| restored.entry(entry.dump_id).is_some()) {
                tables.push((TableSource { table, columns, condition: String::new() }, rows));
            }
        }
        Ok(Expectation { tables })
    }

    /// Looks at every table in one snapshot, over up to `jobs` connections.
    ///
    /// # Errors
    /// `content-mismatch` naming the tables that differ; the target's own errors.
    pub(super) async fn check(&self, database: &Dsn, check: Check, jobs: usize) -> Result<Vec<CheckedTable>> {
        let checked = match check {
            Check::None => return Ok(Vec::new()),
            Check::Counts => self.counts(database).await,
            Check::Digests => self.digests(database, jobs).await,
        };
        // Whatever else keeps a table from being read: it is not there, or other than it was.
        let checked = checked.map_err(|error| match error.code() {
            Code::DumpFailed => error.with_code(Code::ContentMismatch),
            _ => target::as_target(error),
        })?;
        let differing: Vec<String> =
            checked.iter().filter(|table| !table.agrees()).map(CheckedTable::told).collect();
        if differing.is_empty() {
            return Ok(checked);
        }
        let (shown, all) = (differing.len().min(TOLD), differing.len());
        let message =
            format!("restored tables differ from the backup tables={all}: {}", differing[..shown].join("; "));
        Err(Error::new(Code::ContentMismatch, message))
    }

    async fn counts(&self, database: &Dsn) -> Result<Vec<CheckedTable>> {
        let client = source::connect(database).await?;
        let explain = |error: &_| source::explain(database, error);
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL row_security = off";
        client.batch_execute(begin).await.map_err(|error| explain(&error))?;
        let mut checked = Vec::with_capacity(self.tables.len());
        for (source, expected) in &self.tables {
            let sql = format!("SELECT count(*) FROM ONLY {}", source.table);
            let messages = client.simple_query(&sql).await.map_err(|error| explain(&error))?;
            let count = messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            });
            let actual_rows =
                count.ok_or_else(|| Error::new(Code::Internal, "a count without a number came back"))?;
            checked.push(CheckedTable {
                table: source.table.clone(),
                expected_rows: expected.count,
                actual_rows,
                expected_digest: None,
                actual_digest: None,
            });
        }
        Ok(checked)
    }

    async fn digests(&self, database: &Dsn, jobs: usize) -> Result<Vec<CheckedTable>> {
        let sources: Vec<TableSource> = self.tables.iter().map(|(source, _)| source.clone()).collect();
        let mut copies = Snapshot::export(database).await?.copy(&sources, jobs).await?;
        let mut checked = Vec::with_capacity(self.tables.len());
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
            let (source, expected) = &self.tables[place];
            checked.push(CheckedTable {
                table: source.table.clone(),
                expected_rows: expected.count,
                actual_rows: found.rows,
                expected_digest: Some(expected.digest),
                actual_digest: Some(found.digest),
            });
        }
        Ok(checked)
    }
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

/// So many differing tables are named in the error.
const TOLD: usize = 20;
