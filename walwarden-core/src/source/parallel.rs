//! A dump over several connections that see one snapshot.
//!
//! `pg_dump` supplies what only it can: the table of contents, and the locks that keep the tables as they are. It holds
//! them while it waits to write data that nobody reads; the rows come over connections of our own. Large objects come from a
//! second `pg_dump` of the same snapshot that dumps nothing else.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio_postgres::SimpleQueryMessage;
use walwarden_archive::{BlockKind, Entry, Event, Header, Kind, Reader, Toc};

use super::connect::explain;
use super::{Client, Copied, Copies, Dsn, Dump, DumpOptions, Dumped, Snapshot, TableName, TableSource};
use crate::error::{Code, Error, Result};

/// A part of a dump that comes as its pieces, in the order of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpPart {
    /// The block of this entry begins.
    BlockStart(i32),
    /// The large object with this OID begins.
    LargeObjectStart(u32),
    /// The next bytes of the entry or the large object, not compressed.
    Data(Bytes),
    /// The large object is complete.
    LargeObjectEnd,
    /// The block is complete.
    BlockEnd,
}

/// A running dump over several connections. Dropping the value ends it.
#[derive(Debug)]
pub struct ParallelDump {
    header: Header,
    toc: Toc,
    schema: Dump,
    large_objects: Option<LargeObjects>,
    copies: Copies,
    /// Entries whose blocks are still to come.
    blocks: VecDeque<Block>,
    ready: VecDeque<DumpPart>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    dump_id: i32,
    holds_large_objects: bool,
    begun: bool,
}

impl ParallelDump {
    /// Exports a snapshot, lets `pg_dump` lock and list what is to be dumped, and begins to read the tables over up to
    /// `jobs` connections; [`connections`](Self::connections) says how many the server had to give.
    ///
    /// # Errors
    /// As [`Snapshot::export`] when there is no snapshot to share, as [`Dump::finish`] when `pg_dump` fails, as
    /// [`Snapshot::copy`].
    pub async fn start(
        client: &Client,
        dsn: &Dsn,
        options: &DumpOptions,
        jobs: usize,
    ) -> Result<ParallelDump> {
        let snapshot = Snapshot::export(dsn).await?;
        let share = format!("--snapshot={}", snapshot.id());
        let schema = Dump::start_with(client, dsn, options, std::slice::from_ref(&share))?;
        let (header, toc, schema) = schema.head().await?;
        let blocks: VecDeque<Block> =
            toc.entries().iter().filter(|entry| entry.has_block()).map(Block::of).collect();
        let large_objects = match blocks.iter().filter(|block| block.holds_large_objects).count() {
            0 => None,
            count => {
                let alone = [share, "--section=data".to_owned(), "--exclude-table-data=*.*".to_owned()];
                Some(LargeObjects::start(Dump::start_with(client, dsn, options, &alone)?, count).await?)
            }
        };
        let tables = tables(&snapshot, dsn, &toc).await?;
        let copies = snapshot.copy(&tables, jobs).await?;
        let ready = VecDeque::new();
        Ok(ParallelDump { header, toc, schema, large_objects, copies, blocks, ready })
    }

    /// The archive's header, as `pg_dump` wrote it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The table of contents, likewise.
    pub fn toc(&self) -> &Toc {
        &self.toc
    }

    /// Over how many connections the tables are read.
    pub fn connections(&self) -> usize {
        self.copies.connections()
    }

    /// What comes next; none after the last block. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// As [`Copies::next`] and [`Dump::finish`].
    pub async fn next(&mut self) -> Result<Option<DumpPart>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                if part == DumpPart::BlockEnd {
                    self.blocks.pop_front();
                }
                return Ok(Some(part));
            }
            let Some(block) = self.blocks.front_mut() else { return Ok(None) };
            if !std::mem::replace(&mut block.begun, true) {
                return Ok(Some(DumpPart::BlockStart(block.dump_id)));
            }
            if block.holds_large_objects {
                let from = self.large_objects.as_mut().expect("there is a dump of them");
                self.ready.push_back(from.next().await?);
                continue;
            }
            match self.copies.next().await? {
                Some(Copied::Lines(_, lines)) => return Ok(Some(DumpPart::Data(lines))),
                Some(Copied::End(_)) => {
                    self.ready.push_back(DumpPart::Data(Bytes::from_static(END_OF_ROWS)));
                    self.ready.push_back(DumpPart::BlockEnd);
                }
                None => return Err(Error::new(Code::Internal, "fewer tables were read than listed")),
            }
        }
    }

    /// Lets the locks go, after [`next`](Self::next) has returned none.
    ///
    /// # Errors
    /// As [`Dump::finish`] when a `pg_dump` failed meanwhile.
    pub async fn finish(self) -> Result<Dumped> {
        if let Some(large_objects) = self.large_objects {
            large_objects.finish().await?;
        }
        self.schema.release().await
    }
}

impl Block {
    fn of(entry: &Entry) -> Block {
        Block { dump_id: entry.dump_id, holds_large_objects: entry.kind() == Kind::Blobs, begun: false }
    }
}

/// The tables of the table of contents, in its order.
async fn tables(snapshot: &Snapshot, dsn: &Dsn, toc: &Toc) -> Result<Vec<TableSource>> {
    let conditions = conditions(snapshot, dsn).await?;
    let blocks = toc.entries().iter().filter(|entry| entry.has_block() && entry.kind() != Kind::Blobs);
    let source = |entry: &Entry| {
        let text = |text: &Option<walwarden_archive::Text>| Some(text.as_ref()?.as_str()?.to_owned());
        let table = TableName { schema: text(&entry.schema)?, name: text(&entry.tag)? };
        let columns = TableSource::columns_of(text(&entry.copy_statement)?.as_str())?;
        let condition = conditions.get(&table).cloned().unwrap_or_default();
        Some(TableSource { table, columns, condition })
    };
    blocks
        .map(|entry| {
            source(entry).ok_or_else(|| {
                let message = format!(
                    "pg_dump lists data that is no table's rows and no large object entry={}",
                    entry.dump_id
                );
                Error::new(Code::DumpFailed, message)
            })
        })
        .collect()
}

/// Which rows of an extension's table are the user's, where not all are.
async fn conditions(snapshot: &Snapshot, dsn: &Dsn) -> Result<HashMap<TableName, String>> {
    let messages = snapshot.holder().simple_query(CONDITIONS).await.map_err(|error| explain(dsn, &error))?;
    let found = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let text = |at| row.get(at).map(str::to_owned);
            Some((TableName { schema: text(0)?, name: text(1)? }, text(2)?))
        }
        _ => None,
    });
    Ok(found.collect())
}

/// Large objects as they come from a `pg_dump` that dumps nothing else.
#[derive(Debug)]
struct LargeObjects {
    dump: Dump,
    reader: Reader,
    ready: VecDeque<DumpPart>,
    blocks_left: usize,
}

impl LargeObjects {
    /// Waits for its table of contents: then it shares the snapshot, whoever else lets go of it.
    async fn start(dump: Dump, blocks: usize) -> Result<LargeObjects> {
        let mut this =
            LargeObjects { dump, reader: Reader::new(), ready: VecDeque::new(), blocks_left: blocks };
        while this.reader.toc().is_none() {
            this.read().await?;
        }
        Ok(this)
    }

    async fn next(&mut self) -> Result<DumpPart> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(part);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<()> {
        let Some(chunk) = self.dump.next().await? else {
            return Err(Error::new(Code::DumpFailed, "pg_dump wrote fewer large objects than it listed"));
        };
        let mut input = &chunk[..];
        while let Some(event) = self.reader.read(&mut input).map_err(unreadable)? {
            match event {
                Event::LargeObjectStart { oid } => self.ready.push_back(DumpPart::LargeObjectStart(oid)),
                Event::Data(data) => self.ready.push_back(DumpPart::Data(chunk.slice_ref(data))),
                Event::LargeObjectEnd => self.ready.push_back(DumpPart::LargeObjectEnd),
                Event::BlockEnd { .. } => {
                    self.blocks_left = self.blocks_left.checked_sub(1).ok_or_else(more_than_listed)?;
                    self.ready.push_back(DumpPart::BlockEnd);
                }
                Event::BlockStart(block) if block.kind == BlockKind::Data => return Err(more_than_listed()),
                _ => {}
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<()> {
        while let Some(chunk) = self.dump.next().await? {
            let mut input = &chunk[..];
            while self.reader.read(&mut input).map_err(unreadable)?.is_some() {}
        }
        self.dump.finish().await?;
        self.reader.finish().map_err(unreadable)?;
        if self.blocks_left > 0 || !self.ready.is_empty() {
            return Err(more_than_listed());
        }
        Ok(())
    }
}

fn more_than_listed() -> Error {
    Error::new(Code::DumpFailed, "pg_dump's large objects are not those that it listed")
}

fn unreadable(error: walwarden_archive::Error) -> Error {
    Error::new(Code::DumpFailed, "what pg_dump wrote is not an archive that can be read").with_source(error)
}

/// What `pg_dump` puts after the rows of a table.
const END_OF_ROWS: &[u8] = b"\\.\n\n\n";

const CONDITIONS: &str = "
    SELECT n.nspname, c.relname, e.extcondition[place]
      FROM pg_catalog.pg_extension AS e
           CROSS JOIN LATERAL pg_catalog.generate_subscripts(e.extconfig, 1) AS place
           JOIN pg_catalog.pg_class AS c ON c.oid = e.extconfig[place]
           JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE e.extcondition[place] <> ''";
