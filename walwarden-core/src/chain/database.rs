//! The SQLite file that chains and catalogue share: its connections, its schema, its faults.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};
use walwarden_verify::ChainId;

use super::Tip;
use crate::error::{Code, Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

// The application_id the first migration writes; 0 in a file that is still empty.
const APPLICATION_ID: i64 = 0x5757_4341;

/// The ends of chains, as last seen.
pub(super) type Tips = HashMap<ChainId, Tip>;

/// An open catalogue file.
#[derive(Debug, Clone)]
pub(crate) struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    pool: SqlitePool,
    // How far this process has read each chain. Only a hint: a writer first reads on to the end. Held by the one
    // writer of this process, so that others wait in line and not at SQLite's lock, which is polled.
    tips: Arc<Mutex<Tips>>,
}

impl Database {
    /// Opens the file, creating it (mode 0600) and bringing its schema up to date where needed.
    pub(crate) async fn open(path: &Path, busy_timeout: Duration) -> Result<Self> {
        create_if_missing(path)?;
        check_writable(path)?;
        let options =
            SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(busy_timeout);
        refuse_foreign(path, &options).await?;
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            // A disk that is full makes SQLite roll back by itself, and sqlx then counts a transaction that is none.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await
            .map_err(|error| fault(path, error))?;
        let database = Database(Arc::new(Inner { path: path.to_owned(), pool, tips: Arc::default() }));
        database.check_pages().await?;
        database.migrate().await?;
        Ok(database)
    }

    /// Connections for reading.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.0.pool
    }

    /// Begins a write; there is one at a time in all processes. Dropped without a commit it leaves nothing behind.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.0.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.fault(error))
    }

    /// Copies the write-ahead log into the file, as far as no reader is in the way. Whoever keeps the file alone then has
    /// all that was committed. SQLite itself does so only from 1,000 pages on, or when the last connection is closed,
    /// which a program that ends does not wait for.
    pub(crate) async fn fold_log(&self) {
        // Nothing is lost where it fails: the log stays, and is read with the file.
        let _ = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(self.pool()).await;
    }

    /// Waits until all connections are closed; the write-ahead log is folded into the file then.
    pub(crate) async fn close(&self) {
        self.0.pool.close().await;
    }

    /// What a fault of SQLite means to the caller.
    pub(crate) fn fault(&self, error: sqlx::Error) -> Error {
        fault(&self.0.path, error)
    }

    /// Stored text or numbers that no write of ours leaves behind.
    pub(crate) fn corrupt(&self, what: &str) -> Error {
        about(Code::CatalogCorrupt, &format!("catalogue holds {what}"), &self.0.path)
    }

    /// Waits in line with this process's writers.
    pub(super) async fn tips(&self) -> OwnedMutexGuard<Tips> {
        Arc::clone(&self.0.tips).lock_owned().await
    }

    // Reads every page once. Damage is told before anything is built on it, while the destination still has all.
    async fn check_pages(&self) -> Result<()> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(self.pool())
            .await
            .map_err(|error| self.fault(error))?;
        if found == "ok" { Ok(()) } else { Err(self.corrupt("damaged pages").with_source(found)) }
    }

    async fn migrate(&self) -> Result<()> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        let mut connection = self.pool().acquire().await.map_err(|error| self.fault(error))?;
        if self.version(&mut connection, known).await? == known {
            return Ok(());
        }
        drop(connection);
        // Under the write lock, so that of two processes the second finds the work done.
        let mut transaction = self.begin().await?;
        self.version(&mut transaction, known).await?;
        MIGRATIONS.run_direct(None, &mut *transaction, false).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => self.fault(error),
            other => self.corrupt("a schema no release has").with_source(other),
        })?;
        transaction.commit().await.map_err(|error| self.fault(error))
    }

    // The last migration applied, 0 in an empty file.
    async fn version(&self, connection: &mut SqliteConnection, known: i64) -> Result<i64> {
        let application: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| self.fault(error))?;
        if application == 0 {
            return Ok(0);
        }
        let version: i64 = sqlx::query_scalar("SELECT ifnull(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| self.fault(error))?;
        if version > known {
            return Err(Error::new(
                Code::CatalogNewer,
                format!(
                    "catalogue was written by a newer version path={} schema={version} known={known}",
                    self.0.path.display()
                ),
            ));
        }
        Ok(version)
    }
}

// SQLite would create the file with the process's usual mode. A draft linked into place is never readable by others,
// and its descriptor is closed before anyone can open the file: closing one later would drop SQLite's own locks.
fn create_if_missing(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| {
        about(Code::FileFailed, "catalogue cannot be created", path).with_source(error)
    };
    if path.try_exists().map_err(failed)? {
        return Ok(());
    }
    let folder = folder_of(path);
    let draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?.into_temp_path();
    match draft.persist_noclobber(path) {
        Ok(()) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(refused) => Err(failed(refused.error)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

// What the owner marked read-only stays unwritten, also where the process could write all the same.
fn check_writable(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path)
        .map_err(|error| about(Code::FileFailed, "catalogue cannot be opened", path).with_source(error))?;
    if metadata.is_dir() {
        return Err(about(Code::FileFailed, "catalogue is a folder", path));
    }
    if metadata.permissions().readonly() {
        return Err(about(Code::CatalogReadOnly, "catalogue is read-only", path));
    }
    // The write-ahead log and its index are made beside the file, also by those who only read.
    tempfile::tempfile_in(folder_of(path)).map(drop).map_err(|error| match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            about(Code::CatalogReadOnly, "catalogue's folder is read-only", path).with_source(error)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            about(Code::CatalogFull, "catalogue has no room left", path).with_source(error)
        }
        _ => about(Code::FileFailed, "catalogue's folder cannot be written", path).with_source(error),
    })
}

// Before anything is written, the journal mode included.
async fn refuse_foreign(path: &Path, options: &SqliteConnectOptions) -> Result<()> {
    let look = async {
        let mut connection = SqliteConnection::connect_with(options).await?;
        // In one transaction: another process may be making our tables and our mark just now.
        let mut moment = connection.begin().await?;
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *moment).await?;
        let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *moment).await?;
        moment.rollback().await?;
        connection.close().await?;
        Ok(tables == 0 || application == APPLICATION_ID)
    };
    match look.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(about(Code::ArgumentInvalid, "file is a database of another program", path)),
        Err(error) => Err(fault(path, error)),
    }
}

fn fault(path: &Path, error: sqlx::Error) -> Error {
    let (code, what) = match &error {
        sqlx::Error::Database(error) => explain(error.code().and_then(|code| code.parse().ok()).unwrap_or(0)),
        sqlx::Error::PoolTimedOut => (Code::CatalogLocked, "catalogue has no connection free"),
        sqlx::Error::Io(_) => (Code::FileFailed, "catalogue cannot be read or written"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Code::CatalogCorrupt, "catalogue holds a value of another type")
        }
        _ => (Code::Internal, "catalogue gave an unexpected answer"),
    };
    about(code, what, path).with_source(error)
}

/// `SQLITE_IOERR_SHMSIZE`: the index of the write-ahead log cannot grow.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);

// Primary result codes of SQLite (the low byte of the extended ones).
fn explain(result: i32) -> (Code, &'static str) {
    match result & 0xff {
        5 | 6 => (Code::CatalogLocked, "catalogue is held by another process"),
        8 => (Code::CatalogReadOnly, "catalogue is read-only"),
        _ if result == IOERR_SHMSIZE => (Code::CatalogFull, "catalogue has no room left"),
        13 => (Code::CatalogFull, "catalogue has no room left"),
        10 | 14 => (Code::FileFailed, "catalogue cannot be read or written"),
        11 | 26 => (Code::CatalogCorrupt, "catalogue is damaged"),
        _ => (Code::Internal, "catalogue refused a statement"),
    }
}

fn about(code: Code, what: &str, path: &Path) -> Error {
    Error::new(code, format!("{what} path={}", path.display()))
}
