//! One decoder for all codecs.

use super::{Output, lz4, zlib};
use crate::{Compression, Error};

/// What a compressed stream may ask for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// The largest window of a Zstandard frame, in bytes, rounded down to a power of two. The default of 128 MiB is
    /// libzstd's own and thereby `pg_restore`'s.
    pub window_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { window_bytes: 128 << 20 }
    }
}

impl Limits {
    /// The same limits with this largest window, in bytes.
    pub fn with_window_bytes(mut self, bytes: u64) -> Self {
        self.window_bytes = bytes;
        self
    }
}

/// Decompresses data blocks, one after the other.
///
/// It is stricter than `pg_restore`: a block is exactly one stream, with nothing missing and nothing after it.
/// (`pg_restore` takes a zstd or LZ4 stream that is cut for complete and ignores what follows a zstd frame.) Checksums
/// are checked where the stream has them: zlib streams always, frames by `pg_dump` never, ours always.
///
/// Memory is bounded by [`Limits`] and by 8 MiB for LZ4, whatever the input says.
#[derive(Debug)]
pub struct Decoder(Codec);

#[derive(Debug)]
enum Codec {
    None,
    Gzip(zlib::Inflate),
    Lz4(lz4::FrameDecoder),
    #[cfg(feature = "zstd")]
    Zstd(super::zstd::FrameDecoder),
}

impl Decoder {
    /// A decoder for the data blocks of an archive with this codec.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for zstd if this crate was built without it.
    pub fn new(compression: Compression, limits: Limits) -> Result<Self, Error> {
        Ok(Decoder(match compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip(zlib::Inflate::new()),
            Compression::Lz4 => Codec::Lz4(lz4::FrameDecoder::new()),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Codec::Zstd(super::zstd::FrameDecoder::new(limits.window_bytes)?),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => {
                let _ = limits;
                return Err(super::without_zstd());
            }
        }))
    }

    /// Takes the next bytes of a data block and puts out what they decompress to.
    ///
    /// # Errors
    ///
    /// Those of `output`; [`Malformed`](crate::ErrorKind::Malformed) if the bytes are no stream of the codec, a
    /// checksum is wrong or something follows the stream; [`OverLimit`](crate::ErrorKind::OverLimit) if a frame asks
    /// for too large a window; [`Unsupported`](crate::ErrorKind::Unsupported) for a stream with a preset dictionary.
    /// After an error the decoder is good for nothing any more.
    pub fn decode(&mut self, input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None if input.is_empty() => Ok(()),
            Codec::None => output(input),
            Codec::Gzip(stream) => stream.decode(input, output),
            Codec::Lz4(frame) => frame.decode(input, output),
            #[cfg(feature = "zstd")]
            Codec::Zstd(frame) => frame.decode(input, output),
        }
    }

    /// Ends a data block; the decoder is then ready for the next one. Nothing comes out any more: whoever saw no error
    /// has had all of the block.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) if the stream is not complete.
    pub fn finish(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None => Ok(()),
            Codec::Gzip(stream) => stream.finish(),
            Codec::Lz4(frame) => frame.finish(),
            #[cfg(feature = "zstd")]
            Codec::Zstd(frame) => frame.finish(),
        }
    }
}
