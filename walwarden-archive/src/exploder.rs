//! An archive taken apart into the files of a dump in directory format.

use std::io::{self, Write};

use crate::gzip::GzipFrame;
use crate::stream::StreamDecoder;
use crate::{BlockKind, BlockStart, Budget, Compression, Error, Event, Format, Reader};

/// Where the files of a dump in directory format go. Every closure from a name to a file is one.
pub trait Folder {
    /// A file under way. It is flushed, then dropped.
    type File: Write;

    /// Creates a file. Names are of ASCII letters, digits, dots and underscores. None comes twice but of an archive that
    /// has a large object twice: refuse it then, as [`File::create_new`](std::fs::File::create_new) does.
    ///
    /// # Errors
    ///
    /// When that fails.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;
}

impl<F: FnMut(&str) -> io::Result<W>, W: Write> Folder for F {
    type File = W;

    fn create(&mut self, name: &str) -> io::Result<W> {
        self(name)
    }
}

/// Takes an archive apart into a dump in directory format, as it passes and without compressing anything again.
///
/// `pg_restore --jobs` restores such a dump in parallel, also where the archive came through a pipe. Every stream is
/// decompressed on the way, to check it; gzip needs that anyway, because the streams of an archive and the files of
/// a folder have different checksums.
///
/// ```
/// use walwarden_archive::Exploder;
///
/// let archive = include_bytes!("../tests/data/pipe-18.dump");
/// let folder = tempfile::tempdir()?;
/// let mut exploder = Exploder::new(|name: &str| std::fs::File::create_new(folder.path().join(name)));
/// for piece in archive.chunks(4096) {
///     exploder.update(piece)?;
/// }
/// exploder.finish()?;
/// assert!(folder.path().join("toc.dat").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Exploder<F: Folder> {
    reader: Reader,
    folder: F,
    decoder: Option<StreamDecoder>,
    // Of a block of large objects: which file holds which.
    list: Option<F::File>,
    stream: Option<Stream<F::File>>,
}

/// The file of one stream.
#[derive(Debug)]
struct Stream<W> {
    file: W,
    frame: Option<GzipFrame>,
}

impl<F: Folder> Exploder<F> {
    /// An exploder into this folder; with the default [`Budget`].
    pub fn new(folder: F) -> Self {
        Exploder::with_budget(folder, Budget::default())
    }

    /// An exploder with limits of one's own.
    pub fn with_budget(folder: F, budget: Budget) -> Self {
        Exploder { reader: Reader::with_budget(budget), folder, decoder: None, list: None, stream: None }
    }

    /// Takes the next bytes of the archive.
    ///
    /// # Errors
    ///
    /// Those of the folder, of [`Reader::read`] and of [`Decoder::decode`](crate::codec::Decoder::decode). The exploder is
    /// of no use after that, nor are the files.
    pub fn update(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(event) = self.reader.read(&mut input)? {
            self.take(event).map_err(|error| error.at(self.reader.offset()))?;
        }
        Ok(())
    }

    /// Ends after all bytes of the archive, and gives back the folder.
    ///
    /// # Errors
    ///
    /// As [`Reader::finish`]. The files are of no use then.
    pub fn finish(self) -> Result<F, Error> {
        self.reader.finish()?;
        Ok(self.folder)
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Error> {
        match event {
            Event::Header => {
                let codec = self.codec()?;
                self.decoder = Some(StreamDecoder::new(codec)?);
            }
            Event::Toc => self.put_toc()?,
            Event::BlockStart(BlockStart { dump_id, kind, .. }) => {
                let name = self.block_name(dump_id)?;
                match kind {
                    BlockKind::Data => self.begin_stream(&name)?,
                    BlockKind::LargeObjects => self.list = Some(self.folder.create(&name)?),
                }
            }
            Event::LargeObjectStart { oid } => {
                let name = format!("blob_{oid}.dat");
                writeln!(self.list.as_mut().ok_or_else(out_of_turn)?, "{oid} {name}")?;
                self.begin_stream(&name)?;
            }
            Event::Data(data) => {
                let (Some(decoder), Some(stream)) = (&mut self.decoder, &mut self.stream) else {
                    return Err(out_of_turn());
                };
                stream.put(data, decoder)?;
            }
            Event::LargeObjectEnd => self.end_stream()?,
            Event::BlockEnd { .. } => match self.list.take() {
                Some(mut list) => list.flush()?,
                None => self.end_stream()?,
            },
        }
        Ok(())
    }

    fn put_toc(&mut self) -> Result<(), Error> {
        let (header, toc) = self.reader.header().zip(self.reader.toc()).ok_or_else(out_of_turn)?;
        let header = header.clone().with_format(Format::Directory);
        let mut file = self.folder.create("toc.dat")?;
        file.write_all(&toc.to_bytes(&header))?;
        Ok(file.flush()?)
    }

    fn block_name(&self, dump_id: i32) -> Result<String, Error> {
        let (header, toc) = self.reader.header().zip(self.reader.toc()).ok_or_else(out_of_turn)?;
        toc.entry(dump_id).and_then(|entry| entry.file_name(header)).ok_or_else(out_of_turn)
    }

    fn begin_stream(&mut self, name: &str) -> Result<(), Error> {
        let codec = self.codec()?;
        let mut file = self.folder.create(&format!("{name}{}", suffix(codec)))?;
        let frame = (codec == Compression::Gzip).then(GzipFrame::new);
        if let Some(frame) = &frame {
            file.write_all(frame.head())?;
        }
        self.stream = Some(Stream { file, frame });
        Ok(())
    }

    fn end_stream(&mut self) -> Result<(), Error> {
        self.decoder.as_mut().ok_or_else(out_of_turn)?.finish()?;
        let Stream { mut file, frame } = self.stream.take().ok_or_else(out_of_turn)?;
        if let Some(frame) = frame {
            file.write_all(&frame.end())?;
        }
        Ok(file.flush()?)
    }

    fn codec(&self) -> Result<Compression, Error> {
        self.reader.header().map(|header| header.compression()).ok_or_else(out_of_turn)
    }
}

impl<W: Write> Stream<W> {
    fn put(&mut self, data: &[u8], decoder: &mut StreamDecoder) -> Result<(), Error> {
        let Stream { file, frame } = self;
        match frame {
            None => {
                decoder.decode(data, &mut |_| Ok(()))?;
                Ok(file.write_all(data)?)
            }
            Some(frame) => {
                decoder.decode(data, &mut |raw| {
                    frame.raw(raw);
                    Ok(())
                })?;
                frame.stored(data, |deflate| Ok(file.write_all(deflate)?))
            }
        }
    }
}

fn suffix(codec: Compression) -> &'static str {
    match codec {
        Compression::None => "",
        Compression::Gzip => ".gz",
        Compression::Lz4 => ".lz4",
        Compression::Zstd => ".zst",
    }
}

fn out_of_turn() -> Error {
    Error::invalid("the archive was refused before")
}
