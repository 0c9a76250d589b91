//! One entry's data, read without the rest of the archive.

mod lines;
#[cfg(test)]
mod tests;

use lines::RowLines;
use walwarden_verify::Hasher;
use walwarden_verify::index::{Block, Rows};

use crate::stream::StreamDecoder;
use crate::{Entry, Error, Event, Header, Measure, Reader};

/// Reads the data of one entry from nothing but the bytes of its block, where the index says it lies: a table is restored
/// by reading little more than that table.
///
/// The bytes may come from a ranged read of an object store, in pieces of any size. What they hold is handed on while they
/// pass, and is known to be what was backed up only after [`finish`](Self::finish): whoever writes it somewhere either
/// compares the chunks of the [index](walwarden_verify::index::Index) before, or commits after.
///
/// ```
/// use walwarden_archive::{BlockReader, Content, index, read_toc};
///
/// let archive = &include_bytes!("../tests/data/pipe-18.dump")[..];
/// let (header, toc) = read_toc(archive)?;
/// let contents = index(archive)?;
///
/// let entry = toc.entries().iter().find(|entry| entry.has_copy_lines()).expect("there is a table");
/// let block = contents.block(entry.dump_id).expect("with data");
/// let stored = &archive[block.offset as usize..][..block.length as usize];
///
/// // As COPY … FROM STDIN takes them.
/// let mut rows = Vec::new();
/// let mut reader = BlockReader::new(&header, entry, block)?;
/// for piece in stored.chunks(100) {
///     reader.update(piece, &mut |content| {
///         if let Content::Data(data) = content {
///             rows.extend_from_slice(data);
///         }
///         Ok(())
///     })?;
/// }
/// reader.finish()?;
/// assert_eq!(rows, b"1\tAda\t\\N\n2\tGr\\\\ace\\t\t1\n3\t\t1\n");
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct BlockReader {
    reader: Reader,
    decoder: StreamDecoder,
    // Absent where the data are no rows.
    lines: Option<RowLines>,
    raw_bytes: u64,
    has_ended: bool,
    // Absent where the bytes were compared before.
    comparison: Option<Comparison>,
    expected: Block,
}

/// What is made of the bytes to compare them with the index.
#[derive(Debug)]
struct Comparison {
    hasher: Hasher,
    measure: Option<Measure>,
    rows: Option<Rows>,
}

/// What comes out of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content<'a> {
    /// A piece of a table's rows as COPY text, each with its newline and without the end marker; or of SQL statements, in dumps
    /// made with `--inserts`; or of the large object that has begun. Where pieces end means nothing.
    Data(&'a [u8]),
    /// The data of a large object begins.
    LargeObjectStart {
        /// Its OID.
        oid: u32,
    },
    /// The data of the large object is complete.
    LargeObjectEnd,
}

/// Takes what comes out of a block, in order. Its error ends the call that was under way and is returned by it.
pub type ContentOutput<'a> = dyn FnMut(Content<'_>) -> Result<(), Error> + 'a;

impl BlockReader {
    /// A reader of this entry's block, of an archive with this header.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when the entry has no block;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a codec this crate was built without.
    pub fn new(header: &Header, entry: &Entry, block: &Block) -> Result<Self, Error> {
        let comparison = Comparison { hasher: Hasher::new(), measure: Some(Measure::of(entry)), rows: None };
        Ok(BlockReader {
            comparison: Some(comparison),
            ..BlockReader::of_verified_bytes(header, entry, block)?
        })
    }

    /// The same for bytes that were compared before they come here, by the digests of the chunks that they lie in or by
    /// that of the block: neither they nor the rows in them are hashed again, which takes most of the time otherwise.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_verified_bytes(header: &Header, entry: &Entry, block: &Block) -> Result<Self, Error> {
        if !entry.has_block() {
            return Err(Error::invalid(format!("entry {} has no data", entry.dump_id)));
        }
        Ok(BlockReader {
            reader: Reader::of_block(entry.clone(), block.offset)?,
            decoder: StreamDecoder::new(header.compression())?,
            lines: entry.has_copy_lines().then(RowLines::default),
            raw_bytes: 0,
            has_ended: false,
            comparison: None,
            expected: block.clone(),
        })
    }

    /// Takes the next bytes of the block.
    ///
    /// # Errors
    ///
    /// Those of `output`, of [`Reader::read`] and of the codec; [`Malformed`](crate::ErrorKind::Malformed) for bytes after
    /// the block. The reader is of no use after that.
    pub fn update(&mut self, mut stored: &[u8], output: &mut ContentOutput<'_>) -> Result<(), Error> {
        if let Some(comparison) = &mut self.comparison {
            comparison.hasher.update(stored);
        }
        while !stored.is_empty() {
            if self.has_ended {
                let detail = "the block ends before the range that the index has for it";
                return Err(Error::malformed(detail).at(self.reader.offset()));
            }
            let Some(event) = self.reader.read(&mut stored)? else { continue };
            let taken = match event {
                Event::Data(data) => self.data(data, output),
                Event::LargeObjectStart { oid } => output(Content::LargeObjectStart { oid }),
                Event::LargeObjectEnd => self.decoder.finish().and_then(|()| output(Content::LargeObjectEnd)),
                Event::BlockEnd { .. } => self.end(),
                Event::Header | Event::Toc | Event::BlockStart(_) => Ok(()),
            };
            taken.map_err(|error| error.at(self.reader.offset()))?;
        }
        Ok(())
    }

    /// Says, after all bytes, that they are those of the index; of a reader of [compared](Self::of_verified_bytes) bytes, that
    /// block and data have the sizes that the index has for them.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) when the block is not complete; [`Malformed`](crate::ErrorKind::Malformed)
    /// when bytes, size or rows are others than in the index.
    pub fn finish(self) -> Result<(), Error> {
        self.reader.finish()?;
        if !self.has_ended {
            return Err(Error::truncated("the block is not complete").at(self.reader.offset()));
        }
        let (sha256, rows) = match self.comparison {
            Some(comparison) => (comparison.hasher.finish(), comparison.rows),
            None => (self.expected.sha256, self.expected.rows),
        };
        let length = self.reader.offset() - self.expected.offset;
        let found = Block { offset: self.expected.offset, length, sha256, raw_bytes: self.raw_bytes, rows };
        if found == self.expected {
            Ok(())
        } else {
            Err(Error::malformed("the block is not the one in the index").at(self.expected.offset))
        }
    }

    fn data(&mut self, stored: &[u8], output: &mut ContentOutput<'_>) -> Result<(), Error> {
        let BlockReader { decoder, comparison, lines, raw_bytes, .. } = self;
        let mut measure = comparison.as_mut().and_then(|comparison| comparison.measure.as_mut());
        decoder.decode(stored, &mut |data| {
            *raw_bytes += data.len() as u64;
            if let Some(measure) = &mut measure {
                measure.update(data)?;
            }
            match lines {
                Some(lines) => lines.update(data, &mut |rows| output(Content::Data(rows))),
                None => output(Content::Data(data)),
            }
        })
    }

    fn end(&mut self) -> Result<(), Error> {
        self.decoder.finish()?;
        self.has_ended = true;
        if let Some(comparison) = &mut self.comparison
            && let Some(measure) = comparison.measure.take()
        {
            comparison.rows = measure.finish()?.rows;
        }
        Ok(())
    }
}
