//! One view of the source that several connections share.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::Dsn;
use super::connect::{connect, explain};
use crate::error::{Code, Error, Result};

/// A snapshot of the source, held open by a transaction of its own.
///
/// Whoever joins it, `pg_dump --snapshot` included, sees the same rows however long the reading takes. It ends when the
/// value is dropped.
#[derive(Debug)]
pub struct Snapshot {
    holder: Client,
    id: String,
    dsn: Dsn,
}

impl Snapshot {
    /// Begins a read-only transaction and exports its snapshot.
    ///
    /// # Errors
    /// As [`connect`]; `dump-failed` when the server exports none, as behind some poolers.
    pub async fn export(dsn: &Dsn) -> Result<Snapshot> {
        let holder = connect(dsn).await?;
        let told = holder.simple_query(&format!("{BEGIN}; {SESSION}; {EXPORT}")).await;
        let id = told.map_err(|error| explain(dsn, &error))?.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        let id = id.ok_or_else(|| Error::new(Code::DumpFailed, "the server exported no snapshot"))?;
        Ok(Snapshot { holder, id, dsn: dsn.clone() })
    }

    /// Its name for `SET TRANSACTION SNAPSHOT` and `pg_dump --snapshot`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Another connection that sees the same rows.
    ///
    /// # Errors
    /// As [`connect`]; `dump-failed` when the snapshot is gone.
    pub(super) async fn join(&self) -> Result<Client> {
        let client = connect(&self.dsn).await?;
        // The name came from the server: hexadecimal digits and dashes.
        let sql = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{}'; {SESSION}", self.id.replace('\'', "''"));
        client.batch_execute(&sql).await.map_err(|error| explain(&self.dsn, &error))?;
        Ok(client)
    }

    /// The connection that holds the snapshot; it may read, too.
    pub(super) fn holder(&self) -> &Client {
        &self.holder
    }

    /// As what the source was connected to.
    pub(super) fn dsn(&self) -> &Dsn {
        &self.dsn
    }

    /// Takes the holder as the first of the connections that read.
    pub(super) fn into_holder(self) -> Client {
        self.holder
    }
}

/// What `pg_dump` begins with, too.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const EXPORT: &str = "SELECT pg_catalog.pg_export_snapshot()";

/// COPY text depends on these. `row_security = off` turns hidden rows into an error, and rows come in the order of the
/// heap. No timeout of the role or the database may end a long reading.
pub(super) const SESSION: &str = "
    SET LOCAL search_path = '';
    SET LOCAL TimeZone = 'UTC';
    SET LOCAL DateStyle = 'ISO';
    SET LOCAL IntervalStyle = 'postgres';
    SET LOCAL extra_float_digits = 3;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL client_encoding = 'UTF8';
    SET LOCAL row_security = off;
    SET LOCAL synchronize_seqscans = off;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0";
