//! The assembler: entries and their data in, a compressed archive out.

mod compress;

#[cfg(feature = "threads")]
use std::num::NonZeroUsize;

pub(crate) use compress::Compressor;
use compress::{Part, Queue};

use crate::codec::{Encoding, Output};
use crate::{Contents, Error, Header, Kind, Measure, Toc, Writer};

/// Makes an archive of a table of contents and data from wherever, compressing and measuring the data as it passes.
///
/// Of a [`Writer`] it takes the work of compressing: data go in as `pg_dump` would have put them in uncompressed, a table's
/// rows with the end marker after them. On several threads blocks still come out in their order, but later than they
/// go in.
///
/// ```
/// use walwarden_archive::codec::Encoding;
/// use walwarden_archive::{Assembler, Compression, index, read_toc};
///
/// // Header and table of contents from an archive; the rows of its tables from elsewhere, here none.
/// let (header, toc) = read_toc(&include_bytes!("../tests/data/pipe-18.dump")[..])?;
/// # let kept = toc.entries().iter().filter(|entry| !entry.has_data || entry.has_copy_lines());
/// # let toc = walwarden_archive::Toc::new(kept.cloned().collect())?;
/// let mut archive = Vec::new();
/// let mut out = |bytes: &[u8]| Ok(archive.extend_from_slice(bytes));
/// let mut assembler = Assembler::new(header, &toc, Encoding::new(Compression::Lz4))?;
/// assembler.begin(&mut out)?;
/// for entry in toc.entries().iter().filter(|entry| entry.has_copy_lines()) {
///     assembler.start_block(entry.dump_id, &mut out)?;
///     assembler.data(b"\\.\n\n\n", &mut out)?;
///     assembler.end_block(&mut out)?;
/// }
/// let contents = assembler.finish(&mut out)?;
/// assert_eq!(index(&archive[..])?, contents);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Assembler {
    compressor: Compressor,
    queue: Queue,
    open: Option<Open>,
}

/// The block under way.
#[derive(Debug)]
struct Open {
    measure: Measure,
    holds_large_objects: bool,
}

impl Assembler {
    /// An assembler of an archive with this header, but for its codec, and this table of contents, but for its offsets.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a codec that this crate was built without, or that archives of
    /// this version cannot have.
    pub fn new(header: Header, toc: &Toc, encoding: Encoding) -> Result<Self, Error> {
        Assembler::with_compressor(header, toc, Compressor::here(encoding)?, encoding)
    }

    /// The same, compressing on so many threads.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`Io`](crate::ErrorKind::Io) if the threads cannot be started.
    #[cfg(feature = "threads")]
    pub fn on_threads(
        header: Header,
        toc: &Toc,
        encoding: Encoding,
        threads: NonZeroUsize,
    ) -> Result<Self, Error> {
        Assembler::with_compressor(header, toc, Compressor::on_threads(encoding, threads)?, encoding)
    }

    pub(crate) fn with_compressor(
        header: Header,
        toc: &Toc,
        compressor: Compressor,
        encoding: Encoding,
    ) -> Result<Self, Error> {
        let header = header.with_compression(encoding.compression())?;
        Ok(Assembler { compressor, queue: Queue::new(Writer::new(header, toc)), open: None })
    }

    /// Puts out header and table of contents. This comes first.
    ///
    /// # Errors
    ///
    /// Those of `output`, as for every function here, and of [`Writer`]'s function of the same name.
    pub fn begin(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        self.queue.writer.begin(output)
    }

    /// Begins the block of an entry.
    ///
    /// # Errors
    ///
    /// As [`Writer::start_block`], now or later.
    pub fn start_block(&mut self, dump_id: i32, output: &mut Output<'_>) -> Result<(), Error> {
        let entry = self.queue.writer.toc().entry(dump_id);
        let entry = entry.ok_or_else(|| Error::invalid(format!("there is no entry {dump_id}")))?;
        let holds_large_objects = entry.kind() == Kind::Blobs;
        if self.open.replace(Open { measure: Measure::of(entry), holds_large_objects }).is_some() {
            return Err(out_of_turn());
        }
        self.queue.push(Part::BlockStart(dump_id), output)?;
        if holds_large_objects { Ok(()) } else { self.queue.push(Part::Stream, output) }
    }

    /// Begins a large object of the block under way.
    ///
    /// # Errors
    ///
    /// As [`Writer::start_large_object`], now or later.
    pub fn start_large_object(&mut self, oid: u32, output: &mut Output<'_>) -> Result<(), Error> {
        self.queue.push(Part::LargeObjectStart(oid), output)?;
        self.queue.push(Part::Stream, output)
    }

    /// Takes the next bytes of the entry's data, or of the large object's.
    ///
    /// # Errors
    ///
    /// Those of the codec and of [`Measure::update`].
    pub fn data(&mut self, data: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        self.open.as_mut().ok_or_else(out_of_turn)?.measure.update(data)?;
        self.compressor.encode(data, &mut self.queue, output)
    }

    /// Ends the large object.
    ///
    /// # Errors
    ///
    /// Those of the codec.
    pub fn end_large_object(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        self.queue.push(Part::LargeObjectEnd, output)?;
        self.compressor.end(&mut self.queue, output)
    }

    /// Ends the block.
    ///
    /// # Errors
    ///
    /// Those of the codec and of [`Measure::finish`].
    pub fn end_block(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let Open { measure, holds_large_objects } = self.open.take().ok_or_else(out_of_turn)?;
        self.queue.push(Part::BlockEnd(measure.finish()?), output)?;
        if holds_large_objects { Ok(()) } else { self.compressor.end(&mut self.queue, output) }
    }

    /// Puts out the rest, after all blocks, and says what the archive holds.
    ///
    /// # Errors
    ///
    /// As [`Writer::finish`].
    pub fn finish(mut self, output: &mut Output<'_>) -> Result<Contents, Error> {
        self.compressor.flush(&mut self.queue, output)?;
        self.queue.writer.finish()
    }
}

fn out_of_turn() -> Error {
    Error::invalid("data outside of a block, or a block within another")
}
