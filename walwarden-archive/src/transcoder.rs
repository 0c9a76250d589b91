#[cfg(feature = "threads")]
use std::num::NonZeroUsize;

use crate::assembler::{Assembler, Compressor};
use crate::codec::{Encoding, Output};
use crate::stream::StreamDecoder;
use crate::{BlockKind, Budget, Contents, Error, Event, Reader};

/// Copies an archive as it passes, with its data compressed by another codec, and checks all of it on the way.
///
/// The table of contents stays as it is, but for offsets, which no longer hold: they are dropped, and
/// [`Toc::with_offsets`](crate::Toc::with_offsets) can put new ones in. `pg_restore` restores the same from both archives.
///
/// ```
/// use walwarden_archive::codec::Encoding;
/// use walwarden_archive::{Compression, Transcoder};
///
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let mut copy = Vec::new();
/// let mut out = |bytes: &[u8]| {
///     copy.extend_from_slice(bytes);
///     Ok(())
/// };
/// let mut transcoder = Transcoder::new(Encoding::new(Compression::Lz4))?;
/// for piece in archive.chunks(4096) {
///     transcoder.update(piece, &mut out)?;
/// }
/// let contents = transcoder.finish(&mut out)?;
/// assert_eq!(walwarden_archive::index(&copy[..])?, contents);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Transcoder {
    reader: Reader,
    encoding: Encoding,
    // Until the table of contents comes.
    compressor: Option<Compressor>,
    copy: Option<Copy>,
}

/// What begins with the table of contents.
#[derive(Debug)]
struct Copy {
    decoder: StreamDecoder,
    assembler: Assembler,
}

impl Transcoder {
    /// A transcoder to this encoding, on the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a codec this crate was built without.
    pub fn new(encoding: Encoding) -> Result<Self, Error> {
        Ok(Transcoder::with_compressor(Compressor::here(encoding)?, encoding))
    }

    /// A transcoder that compresses on so many threads. Blocks still come out in their order, but later than they go in.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`Io`](crate::ErrorKind::Io) if the threads cannot be started.
    #[cfg(feature = "threads")]
    pub fn on_threads(encoding: Encoding, threads: NonZeroUsize) -> Result<Self, Error> {
        Ok(Transcoder::with_compressor(Compressor::on_threads(encoding, threads)?, encoding))
    }

    fn with_compressor(compressor: Compressor, encoding: Encoding) -> Self {
        Transcoder { reader: Reader::new(), encoding, compressor: Some(compressor), copy: None }
    }

    /// The same transcoder with limits of one's own. This comes before any bytes.
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.reader = Reader::with_budget(budget);
        self
    }

    /// Takes the next bytes of the archive, and puts out what is ready of the other.
    ///
    /// # Errors
    ///
    /// Those of `output`, of [`Reader::read`] and of the codecs; [`Unsupported`](crate::ErrorKind::Unsupported) when archives
    /// of this version cannot have the new codec. The transcoder is of no use after that, and what it has put out
    /// is no archive.
    pub fn update(&mut self, mut input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        while let Some(event) = self.reader.read(&mut input)? {
            let taken = match event {
                Event::Header => Ok(()),
                Event::Toc => self.begin(output),
                event => self.copy.as_mut().ok_or_else(out_of_turn)?.take(event, output),
            };
            taken.map_err(|error| error.at(self.reader.offset()))?;
        }
        Ok(())
    }

    /// Puts out the rest, after all bytes of the old archive, and says what the new one holds.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update) and [`Reader::finish`].
    pub fn finish(self, output: &mut Output<'_>) -> Result<Contents, Error> {
        self.reader.finish()?;
        self.copy.ok_or_else(out_of_turn)?.assembler.finish(output)
    }

    fn begin(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let (header, toc) = self.reader.header().zip(self.reader.toc()).ok_or_else(out_of_turn)?;
        let compressor = self.compressor.take().ok_or_else(out_of_turn)?;
        let decoder = StreamDecoder::new(header.compression())?;
        let assembler = Assembler::with_compressor(header.clone(), toc, compressor, self.encoding)?;
        self.copy.insert(Copy { decoder, assembler }).assembler.begin(output)
    }
}

impl Copy {
    fn take(&mut self, event: Event<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        let Copy { decoder, assembler } = self;
        match event {
            Event::Header | Event::Toc => Ok(()),
            Event::BlockStart(block) => assembler.start_block(block.dump_id, output),
            Event::LargeObjectStart { oid } => assembler.start_large_object(oid, output),
            Event::Data(data) => decoder.decode(data, &mut |data| assembler.data(data, output)),
            Event::LargeObjectEnd => {
                decoder.finish()?;
                assembler.end_large_object(output)
            }
            Event::BlockEnd { kind, .. } => {
                if kind == BlockKind::Data {
                    decoder.finish()?;
                }
                assembler.end_block(output)
            }
        }
    }
}

fn out_of_turn() -> Error {
    Error::invalid("the archive was refused before")
}
