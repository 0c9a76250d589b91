//! The embedded catalogue: one SQLite file, shared by as many processes as like.

mod adoption;
mod queries;
mod records;
mod writes;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Catalog, ChainRecord, Genesis, Job, JobQuery, Write, Written};
use crate::chain::database::Database;
use crate::chain::{AuditChain, Row, SqliteChain, Subject, Writer};
use crate::error::Result;

/// A catalogue in one SQLite file, durable at every return (`synchronous=FULL`), safe to share between processes of
/// one machine. While jobs run its newest rows lie in the write-ahead log beside it (`-wal`); once one ended they are in
/// the file, unless another process reads it just then. Not for network file systems, whose locks SQLite cannot trust.
///
/// ```
/// use walwarden_core::catalog::{Catalog, JobQuery, SqliteCatalog};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let catalog = SqliteCatalog::open(&folder.path().join("catalogue.sqlite")).await?;
/// assert!(catalog.jobs(JobQuery::default()).await?.is_empty());
/// # Ok::<(), walwarden_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct SqliteCatalog {
    database: Database,
}

/// How long a write waits for another process's write to end before it fails with `catalog-locked`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl SqliteCatalog {
    /// Opens the catalogue, creating it (mode 0600) where there is none and bringing an older one up to date. Reads
    /// every page once to find damage before anything is built on it.
    ///
    /// # Errors
    ///
    /// `catalog-newer`, `catalog-read-only`, `catalog-corrupt` and `catalog-locked` as their names say;
    /// `argument-invalid` when the file is another program's database; `file-failed` when it cannot be reached.
    pub async fn open(path: &Path) -> Result<Self> {
        SqliteCatalog::open_waiting(path, BUSY_TIMEOUT).await
    }

    /// The same, with another limit on how long a write waits for another process's write (5 s otherwise).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_waiting(path: &Path, busy_timeout: Duration) -> Result<Self> {
        Ok(SqliteCatalog { database: Database::open(path, busy_timeout).await? })
    }

    /// Closes the file and removes the write-ahead log beside it. Without, the next process to open it does so.
    pub async fn close(self) {
        self.database.close().await;
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn write(&self, write: Write) -> Result<Written> {
        match write {
            Write::Mirrored { subject, through_seq } => {
                writes::mirrored(&self.database, &subject, through_seq).await
            }
            Write::Checkpoint { subject, size, note } => {
                writes::checkpoint(&self.database, &subject, size, note).await
            }
            of_a_job => writes::carry_out(&self.database, of_a_job).await,
        }
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<Job>> {
        queries::jobs(&self.database, &query).await
    }

    async fn chain(&self, subject: &Subject) -> Result<Option<ChainRecord>> {
        queries::chain(&self.database, subject).await
    }

    async fn subjects(&self) -> Result<Vec<Subject>> {
        queries::subjects(&self.database).await
    }

    async fn start_chain(&self, genesis: Genesis) -> Result<Arc<dyn AuditChain>> {
        let chain_id = match queries::chain_id(&self.database, &genesis.subject).await? {
            Some(existing) => existing,
            None => writes::start_chain(&self.database, genesis).await?,
        };
        Ok(Arc::new(SqliteChain::new(self.database.clone(), chain_id)))
    }

    async fn adopt(&self, subject: &Subject, rows: Vec<Row>, jobs: Vec<Job>) -> Result<()> {
        adoption::adopt(&self.database, subject, &rows, &jobs).await
    }

    async fn settle(&self) {
        self.database.fold_log().await;
    }
}
