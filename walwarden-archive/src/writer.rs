//! The writer: entries and their compressed data in, an archive out.

use crate::codec::Output;
use crate::contents::Survey;
use crate::measure::counts_rows;
use crate::reader::block_prefix;
use crate::wire::{put_int, put_oid};
use crate::{BlockKind, BlockStart, Contents, Error, Header, Kind, Measured, Toc};

/// Bytes that are gathered into one chunk.
const CHUNK_BYTES: usize = 64 << 10;

/// Writes an archive as a stream, and says in the end what it holds and where.
///
/// It takes data that is compressed already, by an [`Encoder`](crate::codec::Encoder) of the header's codec, so that
/// compressing and measuring can go on elsewhere. Blocks come in any order; that of the table of contents is the one in
/// which `pg_restore` reads fastest.
///
/// ```
/// use walwarden_archive::{Compression, Event, Indexer, Measure, Reader, Writer};
///
/// // Header and table of contents from an archive; the data of one table from elsewhere.
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let (mut reader, mut input) = (Reader::new(), &archive[..]);
/// while reader.read(&mut input)? != Some(Event::Toc) {}
/// let header = reader.header().expect("passed").clone().with_compression(Compression::None)?;
/// let mut toc = reader.toc().expect("passed").clone();
/// # let kept = toc.entries().iter().filter(|entry| !entry.has_data || entry.tag.as_ref().is_some_and(|tag| *tag == "customers"));
/// # toc = walwarden_archive::Toc::new(kept.cloned().collect())?;
/// let entry = toc.entries().iter().find(|entry| entry.has_copy_lines()).expect("customers").clone();
///
/// let mut written = Vec::new();
/// let mut out = |bytes: &[u8]| Ok(written.extend_from_slice(bytes));
/// let mut writer = Writer::new(header, &toc);
/// writer.begin(&mut out)?;
/// writer.start_block(entry.dump_id, &mut out)?;
/// let mut measure = Measure::of(&entry);
/// for data in [&b"4\tHedy\t1\n"[..], b"\\.\n\n\n"] {
///     measure.update(data)?;
///     writer.data(data, &mut out)?;
/// }
/// writer.end_block(measure.finish()?, &mut out)?;
/// let contents = writer.finish()?;
///
/// let mut indexer = Indexer::new();
/// indexer.update(&written)?;
/// assert_eq!(indexer.finish()?, contents);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer {
    header: Header,
    toc: Toc,
    survey: Survey,
    state: State,
    position: u64,
    toc_size_bytes: u64,
    // Compressed data that is not yet a chunk.
    gathered: Vec<u8>,
    // By place in the table of contents.
    written: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    BetweenBlocks,
    Data(i32),
    BetweenLargeObjects(i32),
    LargeObject(i32),
}

impl Writer {
    /// A writer of an archive with this header and table of contents. Offsets in the latter are dropped: they are not
    /// known before all is written. [`Toc::with_offsets`] puts them in later, without changing its size.
    pub fn new(header: Header, toc: &Toc) -> Self {
        Writer {
            header,
            toc: toc.without_offsets(),
            survey: Survey::new(),
            state: State::New,
            position: 0,
            toc_size_bytes: 0,
            gathered: Vec::new(),
            written: vec![false; toc.entries().len()],
        }
    }

    /// Header of the archive.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Table of contents of the archive.
    pub fn toc(&self) -> &Toc {
        &self.toc
    }

    /// Writes header and table of contents. This comes first.
    ///
    /// # Errors
    ///
    /// Those of `output`, as for every function here; [`Invalid`](crate::ErrorKind::Invalid) when it is not the turn of
    /// this call.
    pub fn begin(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        self.expect(|state| state == State::New)?;
        self.put(&self.toc.to_bytes(&self.header), output)?;
        self.toc_size_bytes = self.position;
        self.state = State::BetweenBlocks;
        Ok(())
    }

    /// Begins the block of an entry.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when the entry does not exist, has no data or has its block already.
    pub fn start_block(&mut self, dump_id: i32, output: &mut Output<'_>) -> Result<(), Error> {
        self.expect(|state| state == State::BetweenBlocks)?;
        let entry = self.toc.place(dump_id).map(|place| (place, &self.toc.entries()[place]));
        let Some((place, entry)) = entry.filter(|(place, entry)| entry.has_block() && !self.written[*place])
        else {
            let detail = format!("entry {dump_id} does not exist, has no data or has its block already");
            return Err(Error::invalid(detail));
        };
        let kind = match entry.kind() {
            Kind::Blobs => BlockKind::LargeObjects,
            _ => BlockKind::Data,
        };
        self.written[place] = true;
        let offset = self.position;
        self.put(&block_prefix(kind, dump_id), output)?;
        self.survey.start(BlockStart { dump_id, offset, kind });
        self.state = match kind {
            BlockKind::Data => State::Data(dump_id),
            BlockKind::LargeObjects => State::BetweenLargeObjects(dump_id),
        };
        Ok(())
    }

    /// Begins a large object within a block of them.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when the block is of another kind, or `oid` is 0.
    pub fn start_large_object(&mut self, oid: u32, output: &mut Output<'_>) -> Result<(), Error> {
        let State::BetweenLargeObjects(dump_id) = self.state else { return Err(out_of_turn()) };
        if oid == 0 {
            return Err(Error::invalid("no large object has OID 0"));
        }
        let mut bytes = Vec::new();
        put_oid(&mut bytes, oid);
        self.put(&bytes, output)?;
        self.state = State::LargeObject(dump_id);
        Ok(())
    }

    /// Takes the next piece of the compressed stream of the entry, or of the large object.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when neither has begun.
    pub fn data(&mut self, mut compressed: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        self.expect(|state| matches!(state, State::Data(_) | State::LargeObject(_)))?;
        while !compressed.is_empty() {
            let (taken, rest) = compressed.split_at(compressed.len().min(CHUNK_BYTES - self.gathered.len()));
            self.gathered.extend_from_slice(taken);
            compressed = rest;
            if self.gathered.len() == CHUNK_BYTES {
                self.put_chunk(output)?;
            }
        }
        Ok(())
    }

    /// Ends a large object.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when none has begun.
    pub fn end_large_object(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let State::LargeObject(dump_id) = self.state else { return Err(out_of_turn()) };
        self.put_end(output)?;
        self.state = State::BetweenLargeObjects(dump_id);
        Ok(())
    }

    /// Ends the block of an entry, whose uncompressed data came to this.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when none has begun, or rows were counted of what has none, or not counted
    /// of what has some.
    pub fn end_block(&mut self, measured: Measured, output: &mut Output<'_>) -> Result<(), Error> {
        let (State::Data(dump_id) | State::BetweenLargeObjects(dump_id)) = self.state else {
            return Err(out_of_turn());
        };
        if self.toc.entry(dump_id).is_some_and(counts_rows) != measured.rows.is_some() {
            return Err(Error::invalid(format!("entry {dump_id} must have its rows counted if it has any")));
        }
        self.put_end(output)?;
        self.survey.end(self.position, measured);
        self.state = State::BetweenBlocks;
        Ok(())
    }

    /// What was written, and where it lies.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when an entry with data has no block.
    pub fn finish(self) -> Result<Contents, Error> {
        self.expect(|state| state == State::BetweenBlocks)?;
        let mut entries = self.toc.entries().iter().zip(&self.written);
        if let Some((entry, _)) = entries.find(|(entry, written)| entry.has_block() && !**written) {
            return Err(Error::invalid(format!("the data of entry {} was not written", entry.dump_id)));
        }
        Ok(self.survey.finish(&self.header, &self.toc, self.toc_size_bytes))
    }

    fn expect(&self, turn: impl Fn(State) -> bool) -> Result<(), Error> {
        if turn(self.state) { Ok(()) } else { Err(out_of_turn()) }
    }

    fn put_chunk(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let mut length = Vec::new();
        put_int(&mut length, i32::try_from(self.gathered.len()).expect("a chunk is small"));
        self.put(&length, output)?;
        let mut chunk = std::mem::take(&mut self.gathered);
        self.put(&chunk, output)?;
        chunk.clear();
        self.gathered = chunk;
        Ok(())
    }

    // Of a stream, or of a block of large objects.
    fn put_end(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        if !self.gathered.is_empty() {
            self.put_chunk(output)?;
        }
        let mut zero = Vec::new();
        put_int(&mut zero, 0);
        self.put(&zero, output)
    }

    fn put(&mut self, bytes: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        output(bytes)?;
        self.survey.stored(bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }
}

fn out_of_turn() -> Error {
    Error::invalid("a call to the archive writer came out of turn")
}

#[cfg(test)]
mod tests;
