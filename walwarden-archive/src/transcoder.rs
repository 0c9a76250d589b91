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
/// let mut transcoder = Transcoder::new(Encoding::new(Compression::Lz4))?;
/// for piece in archive.chunks(4096) {
///     transcoder.update(piece, &mut |bytes| Ok(copy.extend_from_slice(bytes)))?;
/// }
/// let contents = transcoder.finish()?;
/// assert_eq!(contents.chunks.len(), 1);
/// assert!(copy.starts_with(b"PGDMP"));
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Transcoder {
    reader: Reader,
    codec: Compression,
    encoder: Encoder,
    copy: Option<Copy>,
}

/// What begins with the table of contents.
#[derive(Debug)]
struct Copy {
    decoder: StreamDecoder,
    writer: Writer,
    measure: Option<Measure>,
}

impl Transcoder {
    /// A transcoder to this encoding; with the default [`Budget`].
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a codec this crate was built without.
    pub fn new(encoding: Encoding) -> Result<Self, Error> {
        Transcoder::with_budget(encoding, Budget::default())
    }

    /// A transcoder with limits of one's own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_budget(encoding: Encoding, budget: Budget) -> Result<Self, Error> {
        let (reader, encoder) = (Reader::with_budget(budget), Encoder::new(encoding)?);
        Ok(Transcoder { reader, codec: encoding.compression(), encoder, copy: None })
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

    /// What the new archive holds, after all bytes of the old one. Everything was put out before.
    ///
    /// # Errors
    ///
    /// As [`Reader::finish`].
    pub fn finish(self) -> Result<Contents, Error> {
        self.reader.finish()?;
        self.copy.ok_or_else(out_of_turn)?.writer.finish()
    }

    fn take(&mut self, event: Event<'_>, output: &mut Output<'_>) -> Result<(), Error> {
        let Transcoder { reader, codec, encoder, copy } = self;
        if let Event::Header = event {
            return Ok(());
        }
        if let Event::Toc = event {
            return begin(reader, *codec).and_then(|begun| copy.insert(begun).writer.begin(output));
        }
        let Copy { decoder, writer, measure } = copy.as_mut().ok_or_else(out_of_turn)?;
        let mut end_stream = |writer: &mut Writer, output: &mut Output<'_>| {
            decoder.finish()?;
            encoder.finish(&mut |data| writer.data(data, output))
        };
        match event {
            Event::Header | Event::Toc => Ok(()),
            Event::BlockStart(block) => {
                *measure = writer.toc().entry(block.dump_id).map(Measure::of);
                writer.start_block(block.dump_id, output)
            }
            Event::LargeObjectStart { oid } => writer.start_large_object(oid, output),
            Event::Data(data) => {
                let measure = measure.as_mut().ok_or_else(out_of_turn)?;
                decoder.decode(data, &mut |data| {
                    measure.update(data)?;
                    encoder.encode(data, &mut |data| writer.data(data, output))
                })
            }
            Event::LargeObjectEnd => {
                end_stream(writer, output)?;
                writer.end_large_object(output)
            }
            Event::BlockEnd { kind, .. } => {
                if kind == BlockKind::Data {
                    end_stream(writer, output)?;
                }
                let measured = measure.take().ok_or_else(out_of_turn)?.finish()?;
                writer.end_block(measured, output)
            }
        }
    }
}

fn begin(reader: &Reader, codec: Compression) -> Result<Copy, Error> {
    let (header, toc) = reader.header().zip(reader.toc()).ok_or_else(out_of_turn)?;
    let decoder = StreamDecoder::new(header.compression())?;
    let header = header.clone().with_compression(codec)?;
    Ok(Copy { decoder, writer: Writer::new(header, toc), measure: None })
}

fn out_of_turn() -> Error {
    Error::invalid("the archive was refused before")
}
