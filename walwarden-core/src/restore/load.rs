//! Rows and large objects go from the store into a new database over several connections.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::SinkExt;
use futures::future::try_join_all;
use tokio_postgres::{Client, CopyInSink};
use walwarden_archive::{Entry, Kind, Text, Toc};
use walwarden_verify::index::{Block, CHUNK_SIZE_BYTES};

use super::decoding::{Decoding, Piece};
use super::progress::Progress;
use super::stored::StoredDump;
use super::{large_objects, target};
use crate::error::{Code, Error, Result};
use crate::source::{self, Dsn, TableName};
use crate::watch::{Cancel, Watch};

/// The data of a dump's entries, to be brought into the tables that its definitions have made.
///
/// Memory: each connection has two chunks of the dump, one being decoded and one being fetched, and 2 MiB of rows.
#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) dump: &'a StoredDump,
    /// What is to be restored of it.
    pub(super) toc: &'a Toc,
    pub(super) jobs: usize,
    pub(super) cancel: &'a Cancel,
    pub(super) watch: &'a dyn Watch,
}

/// Over how many connections data were loaded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) connections: usize,
    /// As many as would have been of use.
    pub(super) wanted: usize,
}

impl Load<'_> {
    /// Loads all into this database, largest first, and says over how many connections: no more than there are blocks, and
    /// than the server has to give.
    ///
    /// # Errors
    /// `artifact-mismatch`, `archive-invalid`, `content-mismatch`, `restore-failed`, `cancelled`; those of the store and of
    /// connecting. Some tables may have their rows by then.
    pub(super) async fn fill(&self, database: &Dsn) -> Result<Filled> {
        let blocks = self.in_order()?;
        if blocks.is_empty() {
            return Ok(Filled { connections: 0, wanted: 0 });
        }
        let progress = Progress::new(blocks.iter().map(|(_, block)| block.length).sum(), self.watch);
        let wanted = self.jobs.min(blocks.len());
        let sessions = self.sessions(database, wanted).await?;
        let filled = Filled { connections: sessions.len(), wanted };
        let queue = Mutex::new(blocks);
        let work = try_join_all(sessions.into_iter().map(|client| async {
            let client = client;
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((entry, block)) = next else { return Ok(()) };
                self.block(&client, database, entry, block, &progress).await?;
            }
        }));
        tokio::select! {
            done = work => done.map(|_| filled),
            () = self.cancel.cancelled() => Err(Error::new(Code::Cancelled, "the restore was cancelled")),
        }
    }

    /// Those with the most data first, so that no connection is left with one when the others are done; then the small ones as
    /// they lie, for those share chunks.
    fn in_order(&self) -> Result<VecDeque<(&Entry, &Block)>> {
        let mut blocks = self.dump.blocks(self.toc)?;
        let size = |block: &Block| if block.raw_bytes > CHUNK_SIZE_BYTES { block.raw_bytes } else { 0 };
        blocks.sort_by_key(|(_, block)| std::cmp::Reverse(size(block)));
        Ok(blocks.into())
    }

    async fn sessions(&self, database: &Dsn, wanted: usize) -> Result<Vec<Client>> {
        let mut sessions = Vec::with_capacity(wanted);
        while sessions.len() < wanted {
            match session(database).await {
                Ok(client) => sessions.push(client),
                Err(error) if !sessions.is_empty() && error.code() == Code::TargetUnreachable => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sessions)
    }

    async fn block(
        &self,
        client: &Client,
        database: &Dsn,
        entry: &Entry,
        block: &Block,
        progress: &Progress<'_>,
    ) -> Result<()> {
        let is_all = self.toc.entries().len() == self.dump.head.toc.entries().len();
        let reading = if is_all { self.dump.read_chunks(block) } else { self.dump.read_block(block) };
        let decoding = Decoding::begin(self.dump, entry, block, reading, progress)?;
        match entry.kind() {
            Kind::Blobs => large_objects::write(client, database, decoding).await,
            _ => self.rows(client, database, entry, block, decoding).await,
        }
    }

    async fn rows(
        &self,
        client: &Client,
        database: &Dsn,
        entry: &Entry,
        block: &Block,
        mut decoding: Decoding<'_>,
    ) -> Result<()> {
        let table = name(entry);
        let explain = |error: &tokio_postgres::Error| refused(database, &table, error);
        let statement = entry.copy_statement.as_ref().and_then(Text::as_str);
        let Some(statement) = statement.and_then(|text| text.trim_end().strip_suffix(';')) else {
            let message =
                format!("the dump has rows that are no COPY lines: restore with --spool table={table}");
            return Err(Error::new(Code::ArchiveInvalid, message));
        };
        // A table that nobody has seen yet gets its rows frozen: no later vacuum has to write them once more, and servers with
        // wal_level minimal need no WAL for them.
        let statement = if self.is_made_here(entry) {
            let truncate = format!("BEGIN; TRUNCATE TABLE ONLY {table}");
            client.batch_execute(&truncate).await.map_err(|error| explain(&error))?;
            format!("{statement} WITH (FREEZE)")
        } else {
            client.batch_execute("BEGIN").await.map_err(|error| explain(&error))?;
            statement.to_owned()
        };
        let sink: CopyInSink<Bytes> = client.copy_in(&statement).await.map_err(|error| explain(&error))?;
        futures::pin_mut!(sink);
        // Left early, the sink tells the server that the rows are not whole.
        while let Some(piece) = decoding.next().await? {
            if let Piece::Data(rows) = piece {
                sink.feed(rows).await.map_err(|error| explain(&error))?;
            }
        }
        let rows = sink.as_mut().finish().await.map_err(|error| explain(&error))?;
        if block.rows.is_some_and(|expected| expected.count != rows) {
            let expected = block.rows.map_or(0, |rows| rows.count);
            let message = format!("the target took {rows} rows instead of {expected} table={table}");
            return Err(Error::new(Code::ContentMismatch, message));
        }
        client.batch_execute("COMMIT").await.map_err(|error| explain(&error))
    }

    /// Whether the dump itself made the table. Those of extensions may hold rows already that are not the dump's.
    fn is_made_here(&self, data: &Entry) -> bool {
        let mut objects = data.dependencies.iter().filter_map(|dump_id| self.toc.entry(*dump_id));
        objects.any(|object| object.kind() == Kind::Table)
    }
}

async fn session(database: &Dsn) -> Result<Client> {
    let client = source::connect(database).await.map_err(target::as_target)?;
    client
        .batch_execute(SESSION)
        .await
        .map_err(|error| target::as_target(source::explain(database, &error)))?;
    Ok(client)
}

fn name(entry: &Entry) -> TableName {
    let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    TableName { schema: text(&entry.schema), name: text(&entry.tag) }
}

/// What the server said against rows of a table. Its words may quote them, as those of `pg_restore` do.
pub(super) fn refused(database: &Dsn, what: &impl std::fmt::Display, error: &tokio_postgres::Error) -> Error {
    let error = target::as_target(source::explain(database, error));
    let error = match error.code() {
        Code::DumpFailed | Code::SourceLocked => error.with_code(Code::RestoreFailed),
        Code::TargetUnreachable => error.with_code(Code::TargetConnectionLost),
        _ => error,
    };
    error.with_message(|message| format!("{message} table={what}"))
}

/// As `pg_restore` has its sessions, but for the commit: the database gets its name in a later transaction, whose commit
/// waits for the WAL of all before it.
const SESSION: &str = "
    SET client_encoding = 'UTF8';
    SET standard_conforming_strings = on;
    SET check_function_bodies = false;
    SET xmloption = content;
    SET client_min_messages = warning;
    SET row_security = off;
    SET synchronous_commit = off;
    SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN
        ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');
    SELECT pg_catalog.set_config('search_path', '', false)";
