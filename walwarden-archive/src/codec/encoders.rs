//! One encoder for all codecs, on several threads.

use std::num::NonZeroUsize;

use super::Encoding;
use super::piece::Cutter;
use super::pool::Pool;
use crate::{Compression, Error};

/// What [`Encoders`] put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded<'a> {
    /// The next bytes of the oldest block that was not ended yet.
    Bytes(&'a [u8]),
    /// The end of that block.
    End,
}

/// Compresses data blocks on several threads.
///
/// Blocks go in one after the other and come out in the same order, but later: while the last bytes of a block are
/// being compressed, the next blocks already go in. What comes out is therefore marked with the [end](Encoded::End) of
/// each block, and the caller keeps a queue of what it wants to write in front of them. Small blocks, of which an
/// archive may have thousands, keep all threads busy as large ones do.
///
/// The streams depend on the encoding and the content of the block alone, neither on the number of threads nor on how
/// the content is handed in. With gzip and LZ4 they are those of [`Encoder`](super::Encoder).
///
/// Memory is bounded: for each thread about 2 MiB with gzip, 8 MiB with LZ4, and 30 MiB with zstd at its lower levels.
///
/// ```
/// use std::num::NonZeroUsize;
/// use walwarden_archive::Compression;
/// use walwarden_archive::codec::{Encoded, Encoders, Encoding};
///
/// let two = NonZeroUsize::new(2).expect("not zero");
/// let mut encoders = Encoders::new(Encoding::new(Compression::Gzip), two)?;
/// let (mut blocks, mut block) = (Vec::new(), Vec::new());
/// let mut output = |encoded: Encoded<'_>| {
///     match encoded {
///         Encoded::Bytes(bytes) => block.extend_from_slice(bytes),
///         Encoded::End => blocks.push(std::mem::take(&mut block)),
///     }
///     Ok(())
/// };
/// for table in [b"1\tone\n", b"2\ttwo\n"] {
///     encoders.encode(table, &mut output)?;
///     encoders.end_block(&mut output)?;
/// }
/// encoders.flush(&mut output)?;
/// assert_eq!(blocks.len(), 2);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoders(Codec);

#[derive(Debug)]
enum Codec {
    None,
    Pieces(Box<(Cutter, Pool)>),
    #[cfg(feature = "zstd")]
    Zstd(Box<Frames>),
}

type Output<'a> = dyn FnMut(Encoded<'_>) -> Result<(), Error> + 'a;

impl Encoders {
    /// Encoders for the data blocks of an archive, on so many threads besides the caller's.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for zstd if this crate was built without it;
    /// [`Io`](crate::ErrorKind::Io) if the threads cannot be started.
    pub fn new(encoding: Encoding, threads: NonZeroUsize) -> Result<Self, Error> {
        if encoding.compression() == Compression::None {
            return Ok(Encoders(Codec::None));
        }
        let pool = Pool::new(encoding, threads)?;
        match Cutter::new(encoding.compression()) {
            Some(cutter) => Ok(Encoders(Codec::Pieces(Box::new((cutter, pool))))),
            #[cfg(feature = "zstd")]
            None => Ok(Encoders(Codec::Zstd(Box::new(Frames::new(encoding, threads, pool)?)))),
            #[cfg(not(feature = "zstd"))]
            None => Err(super::without_zstd()),
        }
    }

    /// Takes the next bytes of the current block and puts out what is ready, of this block or those before.
    ///
    /// # Errors
    ///
    /// Those of `output`. After an error the encoders are good for nothing any more.
    pub fn encode(&mut self, mut input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None if input.is_empty() => Ok(()),
            Codec::None => output(Encoded::Bytes(input)),
            Codec::Pieces(pieces) => {
                let (cutter, pool) = &mut **pieces;
                while let Some(piece) = cutter.cut(&mut input, || pool.spare()) {
                    pool.submit(piece, output)?;
                }
                Ok(())
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd(frames) => frames.encode(input, output),
        }
    }

    /// Ends the current block; the next bytes begin another one. The end comes out now or in a later call.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn end_block(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None => output(Encoded::End),
            Codec::Pieces(pieces) => {
                let (cutter, pool) = &mut **pieces;
                let piece = cutter.end(|| pool.spare());
                pool.submit(piece, output)
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd(frames) => frames.end_block(output),
        }
    }

    /// Waits for all blocks that were ended and puts them out.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn flush(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None => Ok(()),
            Codec::Pieces(pieces) => pieces.1.drain(output),
            #[cfg(feature = "zstd")]
            Codec::Zstd(frames) => frames.pool.drain(output),
        }
    }
}

/// Zstandard frames. What follows in a frame depends on what stands before, so that our threads get whole frames; the
/// large ones are left to libzstd, which can compress parts of a frame apart, with threads of its own.
#[cfg(feature = "zstd")]
#[derive(Debug)]
struct Frames {
    pool: Pool,
    content: Vec<u8>,
    large: super::zstd::FrameEncoder,
    is_large: bool,
}

/// Frames with more content are large.
#[cfg(feature = "zstd")]
const LARGE_BYTES: usize = 2 << 20;

#[cfg(feature = "zstd")]
impl Frames {
    fn new(encoding: Encoding, threads: NonZeroUsize, pool: Pool) -> Result<Self, Error> {
        let threads = u32::try_from(threads.get()).unwrap_or(u32::MAX);
        let large = super::zstd::FrameEncoder::with_threads(encoding.level(), threads)?;
        Ok(Frames { pool, content: Vec::new(), large, is_large: false })
    }

    fn encode(&mut self, input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        if !self.is_large && self.content.len() + input.len() > LARGE_BYTES {
            self.pool.drain(output)?;
            self.large.encode(&self.content, &mut |bytes| output(Encoded::Bytes(bytes)))?;
            self.content.clear();
            self.is_large = true;
        }
        if self.is_large {
            return self.large.encode(input, &mut |bytes| output(Encoded::Bytes(bytes)));
        }
        self.content.extend_from_slice(input);
        Ok(())
    }

    fn end_block(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        if std::mem::take(&mut self.is_large) {
            self.large.finish(&mut |bytes| output(Encoded::Bytes(bytes)))?;
            return output(Encoded::End);
        }
        let spare = self.pool.spare();
        self.pool.submit(super::piece::Piece::whole(std::mem::replace(&mut self.content, spare)), output)
    }
}
