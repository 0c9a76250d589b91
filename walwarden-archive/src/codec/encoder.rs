//! One encoder for all codecs, on the caller's thread.

use std::mem;

use super::piece::{Cutter, PieceCompressor};
use super::{Encoding, Output};
use crate::{Compression, Error};

/// Compresses data blocks, one after the other, on the caller's thread.
///
/// Frames carry a checksum of their content, as zlib streams always do. What comes out depends on the encoding and the
/// content of the block, not on how the content is handed in.
#[derive(Debug)]
pub struct Encoder(Codec);

#[derive(Debug)]
enum Codec {
    None,
    Pieces(Box<Pieces>),
    #[cfg(feature = "zstd")]
    Zstd(super::zstd::FrameEncoder),
}

#[derive(Debug)]
struct Pieces {
    cutter: Cutter,
    compressor: PieceCompressor,
    stream: Vec<u8>,
}

impl Encoder {
    /// An encoder for the data blocks of an archive.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for zstd if this crate was built without it.
    pub fn new(encoding: Encoding) -> Result<Self, Error> {
        Ok(Encoder(match (encoding.compression(), Cutter::new(encoding.compression())) {
            (_, Some(cutter)) => {
                let compressor = PieceCompressor::new(encoding)?;
                Codec::Pieces(Box::new(Pieces { cutter, compressor, stream: Vec::new() }))
            }
            #[cfg(feature = "zstd")]
            (Compression::Zstd, _) => Codec::Zstd(super::zstd::FrameEncoder::new(encoding.level())?),
            #[cfg(not(feature = "zstd"))]
            (Compression::Zstd, _) => return Err(super::without_zstd()),
            _ => Codec::None,
        }))
    }

    /// Takes the next bytes of a data block and puts out what is ready of its compressed form.
    ///
    /// # Errors
    ///
    /// Those of `output`. After an error the encoder is good for nothing any more.
    pub fn encode(&mut self, mut input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None if input.is_empty() => Ok(()),
            Codec::None => output(input),
            Codec::Pieces(pieces) => {
                let Pieces { cutter, compressor, stream } = &mut **pieces;
                let mut content = Vec::new();
                while let Some(piece) = cutter.cut(&mut input, || mem::take(&mut content)) {
                    stream.clear();
                    compressor.compress(&piece, stream)?;
                    output(stream)?;
                    content = piece.content;
                    content.clear();
                }
                Ok(())
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd(frame) => frame.encode(input, output),
        }
    }

    /// Ends a data block and puts out the rest of it; the encoder is then ready for the next one. A block without
    /// content becomes a stream without content.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn finish(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        match &mut self.0 {
            Codec::None => Ok(()),
            Codec::Pieces(pieces) => {
                let Pieces { cutter, compressor, stream } = &mut **pieces;
                stream.clear();
                compressor.compress(&cutter.end(Vec::new), stream)?;
                output(stream)
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd(frame) => frame.finish(output),
        }
    }
}
