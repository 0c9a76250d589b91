//! The reader: bytes in, in whatever pieces; what they mean out.

use crate::header::{Format, HeaderReader};
use crate::toc::{DataPlace, Kind, TocReader};
use crate::wire::{Stop, Wire, put_int};
use crate::{Budget, Entry, Error, Header, Toc};

/// Reads an archive from bytes that come in pieces, as from a pipe. It does no input of its own, never seeks, and holds
/// no more than the table of contents and a few bytes.
///
/// Data is passed on as it is stored: still compressed, for a [`Decoder`](crate::codec::Decoder) to take. Nothing
/// is known to be whole before [`finish`](Self::finish) has said so.
///
/// ```
/// use walwarden_archive::{Event, Reader};
///
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let mut reader = Reader::new();
/// let mut tables = Vec::new();
/// for piece in archive.chunks(1000) {
///     let mut input = piece;
///     while let Some(event) = reader.read(&mut input)? {
///         match event {
///             Event::Toc => assert_eq!(reader.header().expect("comes first").version().to_string(), "1.16"),
///             Event::BlockStart(block) => {
///                 let entry = reader.toc().and_then(|toc| toc.entry(block.dump_id)).expect("checked");
///                 tables.push((block.offset, entry.tag.clone().unwrap_or_default().to_string()));
///             }
///             _ => {}
///         }
///     }
/// }
/// reader.finish()?;
/// assert_eq!(tables[0].1, "customers");
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    budget: Budget,
    wire: Wire,
    state: State,
    header: Option<Header>,
    toc: Option<Toc>,
    // Where the blocks lie that came so far, by place in the table of contents.
    found: Vec<Option<u64>>,
}

/// What the bytes mean, in the order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The header is complete: see [`Reader::header`].
    Header,
    /// The table of contents is complete: see [`Reader::toc`]. Blocks follow.
    Toc,
    /// The data of an entry begins.
    BlockStart(BlockStart),
    /// In a block of large objects: the data of one begins.
    LargeObjectStart {
        /// Its OID.
        oid: u32,
    },
    /// A piece of compressed data: of the entry, or of the large object. Where pieces end means nothing.
    Data(&'a [u8]),
    /// The data of a large object is complete.
    LargeObjectEnd,
    /// The data of an entry is complete.
    BlockEnd {
        /// What was in it.
        kind: BlockKind,
        /// The byte after its last one.
        end: u64,
    },
}

/// Beginning of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockStart {
    /// The entry it belongs to, which the table of contents has.
    pub dump_id: i32,
    /// Its first byte.
    pub offset: u64,
    /// What is in it.
    pub kind: BlockKind,
}

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// One compressed stream: rows of a table.
    Data,
    /// Large objects, a compressed stream each.
    LargeObjects,
}

#[derive(Debug)]
enum State {
    Header(HeaderReader),
    Toc(Box<TocReader>),
    BlockType,
    DumpId { start: u64, kind: BlockKind },
    Oid,
    ChunkLength(BlockKind),
    Chunk { kind: BlockKind, left: usize },
    TocAgain { expected: Vec<u8>, compared: usize },
    Failed,
}

impl Default for Reader {
    fn default() -> Self {
        Reader::new()
    }
}

impl Reader {
    /// A reader with the default [`Budget`].
    pub fn new() -> Self {
        Reader::with_budget(Budget::default())
    }

    /// A reader with limits of one's own.
    pub fn with_budget(budget: Budget) -> Self {
        Reader {
            budget,
            wire: Wire::default(),
            state: State::Header(HeaderReader::new()),
            header: None,
            toc: None,
            found: Vec::new(),
        }
    }

    /// A reader of the block of this entry alone, which begins at this byte.
    pub(crate) fn of_block(entry: Entry, offset: u64) -> Result<Self, Error> {
        let toc = Toc::new(vec![entry])?;
        let (wire, state, found) = (Wire::at(offset), State::BlockType, vec![None]);
        Ok(Reader { wire, state, found, toc: Some(toc), ..Reader::new() })
    }

    /// The header, after [`Event::Header`].
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The table of contents, after [`Event::Toc`].
    pub fn toc(&self) -> Option<&Toc> {
        self.toc.as_ref()
    }

    /// Bytes taken so far.
    pub fn offset(&self) -> u64 {
        self.wire.offset()
    }

    /// Takes bytes off the front of `input` up to the next event, or all of them: then there is none yet.
    ///
    /// # Errors
    ///
    /// When the bytes are no archive, contradict themselves, or a limit is reached. The reader is of no use after that.
    pub fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Error> {
        match self.step(input) {
            Ok(event) => Ok(Some(event)),
            Err(Stop::More) => Ok(None),
            Err(Stop::Bad(error)) => {
                self.state = State::Failed;
                Err(error.at(self.wire.offset()))
            }
        }
    }

    /// Tells the reader that there are no more bytes.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) when the archive cannot end here, or entries with data had no block.
    pub fn finish(&self) -> Result<(), Error> {
        let end = self.wire.offset();
        Err(match &self.state {
            State::BlockType => match self.missing() {
                None => return Ok(()),
                Some(dump_id) => {
                    Error::truncated(format!("the archive ends before the data of entry {dump_id}")).at(end)
                }
            },
            State::TocAgain { expected, compared } if *compared == expected.len() => return Ok(()),
            State::Header(_) => Error::truncated("the archive ends within its header").at(end),
            State::Toc(_) => Error::truncated("the archive ends within its table of contents").at(end),
            State::TocAgain { .. } => {
                Error::truncated("the archive ends within the second copy of its table of contents").at(end)
            }
            State::Failed => Error::invalid("the archive was refused before"),
            _ => Error::truncated("the archive ends within a block of data").at(end),
        })
    }

    // The first entry whose block has not come.
    fn missing(&self) -> Option<i32> {
        let entries = self.toc.as_ref().map_or(&[][..], Toc::entries);
        let missing =
            entries.iter().zip(&self.found).find(|(entry, found)| entry.has_block() && found.is_none());
        missing.map(|(entry, _)| entry.dump_id)
    }

    fn step<'a>(&mut self, input: &mut &'a [u8]) -> Result<Event<'a>, Stop> {
        loop {
            match &mut self.state {
                State::Header(header) => {
                    let header = header.read(&mut self.wire, &self.budget, input)?;
                    if header.format != Format::Custom {
                        let detail = "this is the toc.dat of a dump in directory format, not an archive";
                        return Err(Error::unsupported(detail).at(10).into());
                    }
                    self.header = Some(header);
                    self.state = State::Toc(Box::new(TocReader::new()));
                    return Ok(Event::Header);
                }
                State::Toc(toc) => {
                    let header = self.header.as_ref().expect("the header comes first");
                    let toc = toc.read(&mut self.wire, header, &self.budget, input)?;
                    self.found = vec![None; toc.entries().len()];
                    self.toc = Some(toc);
                    self.state = State::BlockType;
                    return Ok(Event::Toc);
                }
                State::BlockType => {
                    let start = self.wire.offset();
                    let kind = match self.wire.byte(input)? {
                        1 => BlockKind::Data,
                        3 => BlockKind::LargeObjects,
                        0 if self.missing().is_none() => {
                            self.state = State::TocAgain { expected: self.toc_again(), compared: 1 };
                            continue;
                        }
                        other => {
                            let detail = format!("a block of type {other}; 1 and 3 are known");
                            return Err(Error::malformed(detail).at(start).into());
                        }
                    };
                    self.state = State::DumpId { start, kind };
                }
                State::DumpId { start, kind } => {
                    let (start, kind) = (*start, *kind);
                    let dump_id = self.wire.int(input)?;
                    let block = BlockStart { dump_id, offset: start, kind };
                    self.begin(&block).map_err(|error| error.at(start))?;
                    self.state = match kind {
                        BlockKind::Data => State::ChunkLength(kind),
                        BlockKind::LargeObjects => State::Oid,
                    };
                    return Ok(Event::BlockStart(block));
                }
                State::Oid => match self.wire.int(input)?.cast_unsigned() {
                    0 => {
                        self.state = State::BlockType;
                        let kind = BlockKind::LargeObjects;
                        return Ok(Event::BlockEnd { kind, end: self.wire.offset() });
                    }
                    oid => {
                        self.state = State::ChunkLength(BlockKind::LargeObjects);
                        return Ok(Event::LargeObjectStart { oid });
                    }
                },
                State::ChunkLength(kind) => {
                    let kind = *kind;
                    let length = self.wire.int(input)?;
                    let left = usize::try_from(length)
                        .map_err(|_| Error::malformed("a chunk of data has a negative length"))?;
                    if left > 0 {
                        self.state = State::Chunk { kind, left };
                        continue;
                    }
                    match kind {
                        BlockKind::Data => {
                            self.state = State::BlockType;
                            return Ok(Event::BlockEnd { kind, end: self.wire.offset() });
                        }
                        BlockKind::LargeObjects => {
                            self.state = State::Oid;
                            return Ok(Event::LargeObjectEnd);
                        }
                    }
                }
                State::Chunk { kind, left } => {
                    if input.is_empty() {
                        return Err(Stop::More);
                    }
                    let data = self.wire.pass(*left, input);
                    *left -= data.len();
                    if *left == 0 {
                        self.state = State::ChunkLength(*kind);
                    }
                    return Ok(Event::Data(data));
                }
                State::TocAgain { expected, compared } => {
                    let at = self.wire.offset();
                    let copy = self.wire.pass(usize::MAX, input);
                    if !expected[*compared..].starts_with(copy) {
                        let detail =
                            "what follows the last block is not a second copy of the table of contents";
                        return Err(Error::malformed(detail).at(at).into());
                    }
                    *compared += copy.len();
                    return Err(Stop::More);
                }
                State::Failed => return Err(Error::invalid("the archive was refused before").into()),
            }
        }
    }

    // A block must be one that the table of contents has promised.
    fn begin(&mut self, block: &BlockStart) -> Result<(), Error> {
        let dump_id = block.dump_id;
        let toc = self.toc.as_ref().expect("the table of contents comes before blocks");
        let Some(place) = toc.place(dump_id) else {
            return Err(Error::malformed(format!("a block of entry {dump_id}, which does not exist")));
        };
        let entry = &toc.entries()[place];
        let kind = match entry.kind() {
            Kind::Blobs => BlockKind::LargeObjects,
            _ => BlockKind::Data,
        };
        if !entry.has_block() {
            return Err(Error::malformed(format!("a block of entry {dump_id}, which has no data")));
        }
        if kind != block.kind {
            return Err(Error::malformed(format!("the block of entry {dump_id} is of the wrong type")));
        }
        if let DataPlace::At(offset) = entry.data_place
            && offset != block.offset
        {
            let detail = format!("the table of contents has the block of entry {dump_id} at {offset}");
            return Err(Error::malformed(detail));
        }
        match self.found[place].replace(block.offset) {
            None => Ok(()),
            Some(_) => Err(Error::malformed(format!("a second block of entry {dump_id}"))),
        }
    }

    // When its output is a file the shell has opened, `pg_dump` 16 and later opens it for appending: its attempt to fill the
    // offsets into the table of contents leaves a second copy at the end. Readers ignore it; nothing else may hide there.
    fn toc_again(&self) -> Vec<u8> {
        let (Some(header), Some(toc)) = (&self.header, &self.toc) else { return Vec::new() };
        let toc = toc
            .with_offsets(|entry| toc.place(entry.dump_id).and_then(|place| self.found[place]))
            .expect("every block has come");
        toc.to_bytes(header).split_off(header.to_bytes().len())
    }
}

/// The bytes a block begins with.
pub(crate) fn block_prefix(kind: BlockKind, dump_id: i32) -> Vec<u8> {
    let mut bytes = vec![match kind {
        BlockKind::Data => 1,
        BlockKind::LargeObjects => 3,
    }];
    put_int(&mut bytes, dump_id);
    bytes
}

#[cfg(test)]
mod tests;
