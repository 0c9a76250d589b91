//! Rows and large objects go from the store into a new database over several connections.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::SinkExt;
use futures::future::try_join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, CopyInSink};
use walwarden_archive::{Entry, Kind, Text, Toc};
use walwarden_verify::index::{Block, CHUNK_SIZE_BYTES};

use super::decoding::{Decoding, Piece};
use super::progress::Progress;
use super::stored::{Reading, StoredDump};
use super::{large_objects, target};
use crate::error::{Code, Error, Result};
use crate::source::{self, Dsn, TableName};
use crate::watch::{Cancel, Watch};

/// The data of a dump's entries, to be brought into the tables that its definitions have made.
///
/// Memory: each connection has up to three chunks of the dump and 2 MiB of rows; up to 16 further chunks are kept for whoever wants
/// them next.
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
    /// Loads all into this database, and says over how many connections: no more than there are blocks, and
    /// than the server has to give.
    ///
    /// # Errors
    /// `artifact-mismatch`, `archive-invalid`, `content-mismatch`, `restore-failed`, `cancelled`; those of the store and of
    /// connecting. Some tables may have their rows by then.
    pub(super) async fn fill(&self, database: &Dsn) -> Result<Filled> {
        let Work { first, blocks } = self.work()?;
        if first.is_empty() && blocks.is_empty() {
            return Ok(Filled { connections: 0, wanted: 0 });
        }
        let bytes = first.iter().chain(&blocks).map(|task| task.block.length).sum();
        let progress = Progress::new(bytes, self.watch);
        let wanted = self.jobs.min(blocks.len().max(1));
        let sessions = target::sessions_with(database, SESSION, wanted).await?;
        let filled = Filled { connections: sessions.len(), wanted };
        let work = async {
            for task in first {
                self.block(&sessions[0], database, task, &progress).await?;
            }
            let queue = Mutex::new(VecDeque::from(blocks));
            try_join_all(sessions.iter().map(|client| async {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(task) = next else { return Ok(()) };
                    self.block(client, database, task, &progress).await?;
                }
            }))
            .await
        };
        tokio::select! {
            done = work => done.map(|_: Vec<()>| filled),
            () = self.cancel.cancelled() => Err(Error::new(Code::Cancelled, "the restore was cancelled")),
        }
    }

    /// Over one connection everything comes in the order of the dump, as from `pg_restore`. Over several, what holds the most
    /// data comes first, so that no connection is left with it when the others are done; then the small blocks as they
    /// lie, for those share chunks. Tables of extensions come before all others and one by one: unlike those that the dump has
    /// made they have their foreign keys already.
    fn work(&self) -> Result<Work<'_>> {
        let blocks = self.dump.blocks(self.toc)?;
        let readings = self.dump.readings(&blocks);
        let tasks = blocks.into_iter().zip(readings);
        let tasks = tasks.map(|((entry, block), reading)| Task { entry, block, reading });
        let is_ready =
            |task: &Task<'_>| task.entry.kind() == Kind::TableData && !is_made_by(self.toc, task.entry);
        let (first, mut blocks): (Vec<_>, Vec<_>) = tasks.partition(is_ready);
        if self.jobs > 1 {
            let size = |block: &Block| if block.raw_bytes > CHUNK_SIZE_BYTES { block.raw_bytes } else { 0 };
            blocks.sort_by_key(|task| std::cmp::Reverse(size(task.block)));
        }
        Ok(Work { first, blocks })
    }

    async fn block(
        &self,
        client: &Client,
        database: &Dsn,
        task: Task<'_>,
        progress: &Progress<'_>,
    ) -> Result<()> {
        let Task { entry, block, reading } = task;
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
        // wal_level minimal need no WAL for them. Not one whose rows find their partition themselves: TRUNCATE would take
        // what came that way before.
        let has_rows = block.rows.is_none_or(|rows| rows.count > 0);
        let is_new = is_made_by(self.toc, entry) && !is_loaded_via_root(entry);
        let statement = if is_new && has_rows {
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
}

/// What is to be loaded.
struct Work<'a> {
    /// One after the other, before all else.
    first: Vec<Task<'a>>,
    blocks: Vec<Task<'a>>,
}

struct Task<'a> {
    entry: &'a Entry,
    block: &'a Block,
    reading: Reading,
}

/// Whether the dump itself makes the table of these rows. Those of extensions are there with the extension, and may hold rows
/// already that are not the dump's.
pub(super) fn is_made_by(toc: &Toc, data: &Entry) -> bool {
    let mut objects = data.dependencies.iter().filter_map(|dump_id| toc.entry(*dump_id));
    objects.any(|object| object.kind() == Kind::Table)
}

/// Whether the rows go into the root of a partitioned table, and from there to where they belong in the target: those of hash
/// partitions by an enum may belong elsewhere than they came from (`pg_dump` of PostgreSQL 16 and later).
pub(super) fn is_loaded_via_root(data: &Entry) -> bool {
    let definition = data.definition.as_ref().and_then(Text::as_str);
    definition.is_some_and(|text| text.trim_start().starts_with("-- load via partition root "))
}

pub(super) fn name(entry: &Entry) -> TableName {
    let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    TableName { schema: text(&entry.schema), name: text(&entry.tag) }
}

/// What the server said against rows of a table. Its words may quote them, as those of `pg_restore` do.
pub(super) fn refused(database: &Dsn, what: &impl std::fmt::Display, error: &tokio_postgres::Error) -> Error {
    const ENDED: [SqlState; 3] =
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    let code = match error.code() {
        None => Code::TargetConnectionLost,
        Some(state) if ENDED.contains(state) => Code::TargetConnectionLost,
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => Code::TargetPermission,
        Some(_) => Code::RestoreFailed,
    };
    let told = source::explain(database, error).with_code(code);
    told.with_message(|message| format!("{message} table={what}"))
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
    SELECT pg_catalog.set_config('search_path', '', false)";
