mod compress;

#[cfg(feature = "threads")]
use std::num::NonZeroUsize;

use compress::{Compressor, Part, Queue};

#[cfg(feature = "threads")]
use crate::codec::Encoders;
use crate::codec::{Encoder, Encoding, Output};
use crate::stream::StreamDecoder;
use crate::{BlockKind, Budget, Compression, Contents, Error, Event, Measure, Reader, Writer};

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
    codec: Compression,
    compressor: Compressor,
    copy: Option<Copy>,
}

/// What begins with the table of contents.
#[derive(Debug)]
struct Copy {
    decoder: StreamDecoder,
    measure: Option<Measure>,
    queue: Queue,
}

impl Transcoder {
    /// A transcoder to this encoding, on the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a codec this crate was built without.
    pub fn new(encoding: Encoding) -> Result<Self, Error> {
        let compressor = Compressor::Here(Box::new(Encoder::new(encoding)?));
        Ok(Transcoder { reader: Reader::new(), codec: encoding.compression(), compressor, copy: None })
    }

    /// A transcoder that compresses on so many threads. Blocks still come out in their order, but later than they go in.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`Io`](crate::ErrorKind::Io) if the threads cannot be started.
    #[cfg(feature = "threads")]
    pub fn on_threads(encoding: Encoding, threads: NonZeroUsize) -> Result<Self, Error> {
        let compressor = Compressor::OnThreads(Box::new(Encoders::new(encoding, threads)?));
        Ok(Transcoder { reader: Reader::new(), codec: encoding.compression(), compressor, copy: None })
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
            self.take(event, output).map_err(|error| error.at(self.reader.offset()))?;
        }
        Ok(())
    }

    /// Puts out the rest, after all bytes of the old archive, and says what the new one holds.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update) and [`Reader::finish`].
    pub fn finish(mut self, output: &mut Output<'_>) -> Result<Contents, Error> {
        self.reader.finish()?;
        let mut queue = self.copy.ok_or_else(out_of_turn)?.queue;
        self.compressor.flush(&mut queue, output)?;
        queue.writer.finish()
    }

    fn take(&mut self, event: Event<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        let Transcoder { reader, codec, compressor, copy } = self;
        if let Event::Header = event {
            return Ok(());
        }
        if let Event::Toc = event {
            return begin(reader, *codec).and_then(|begun| copy.insert(begun).queue.writer.begin(output));
        }
        let Copy { decoder, measure, queue } = copy.as_mut().ok_or_else(out_of_turn)?;
        match event {
            Event::Header | Event::Toc => Ok(()),
            Event::BlockStart(block) => {
                *measure = queue.writer.toc().entry(block.dump_id).map(Measure::of);
                queue.push(Part::BlockStart(block.dump_id), output)?;
                match block.kind {
                    BlockKind::Data => queue.push(Part::Stream, output),
                    BlockKind::LargeObjects => Ok(()),
                }
            }
            Event::LargeObjectStart { oid } => {
                queue.push(Part::LargeObjectStart(oid), output)?;
                queue.push(Part::Stream, output)
            }
            Event::Data(data) => {
                let measure = measure.as_mut().ok_or_else(out_of_turn)?;
                decoder.decode(data, &mut |data| {
                    measure.update(data)?;
                    compressor.encode(data, queue, output)
                })
            }
            Event::LargeObjectEnd => {
                decoder.finish()?;
                queue.push(Part::LargeObjectEnd, output)?;
                compressor.end(queue, output)
            }
            Event::BlockEnd { kind, .. } => {
                decoder.finish()?;
                let measured = measure.take().ok_or_else(out_of_turn)?.finish()?;
                queue.push(Part::BlockEnd(measured), output)?;
                match kind {
                    BlockKind::Data => compressor.end(queue, output),
                    BlockKind::LargeObjects => Ok(()),
                }
            }
        }
    }
}

fn begin(reader: &Reader, codec: Compression) -> Result<Copy, Error> {
    let (header, toc) = reader.header().zip(reader.toc()).ok_or_else(out_of_turn)?;
    let decoder = StreamDecoder::new(header.compression())?;
    let header = header.clone().with_compression(codec)?;
    Ok(Copy { decoder, measure: None, queue: Queue::new(Writer::new(header, toc)) })
}

fn out_of_turn() -> Error {
    Error::invalid("the archive was refused before")
}
