//! zlib streams and LZ4 frames in pieces that can be compressed apart from each other.

use std::hash::Hasher as _;
use std::mem;

use simd_adler32::Adler32;
use twox_hash::XxHash32;

use super::{Encoding, lz4, zlib};
use crate::{Compression, Error};

/// Content of one piece of a zlib stream.
const ZLIB_BYTES: usize = 256 * 1024;
/// Content of one piece of an LZ4 frame: one block.
pub(super) const LZ4_BYTES: usize = 1024 * 1024;
/// How far back deflate looks.
const ZLIB_WINDOW_BYTES: usize = 32 * 1024;
const ADLER_OF_NOTHING: u32 = 1;

/// A piece of a stream.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) content: Vec<u8>,
    /// What stands before the content, as far as the codec looks back.
    pub(super) before: Vec<u8>,
    pub(super) is_first: bool,
    /// Of the last piece, the checksum of the whole stream's content.
    pub(super) end: Option<u32>,
}

impl Piece {
    /// All of a stream whose codec adds the checksum by itself.
    #[cfg(all(feature = "threads", feature = "zstd"))]
    pub(super) fn whole(content: Vec<u8>) -> Self {
        Piece { content, before: Vec::new(), is_first: true, end: Some(0) }
    }
}

/// Cuts one stream after the other into pieces. Where it cuts depends on nothing but the content.
#[derive(Debug)]
pub(super) struct Cutter {
    checksum: Checksum,
    piece_bytes: usize,
    window_bytes: usize,
    next: Piece,
}

#[derive(Debug)]
enum Checksum {
    /// Of what was there so far.
    Adler(u32),
    XxHash(XxHash32),
}

impl Cutter {
    /// A cutter for this codec, if its streams are made of pieces.
    pub(super) fn new(compression: Compression) -> Option<Self> {
        let (checksum, piece_bytes, window_bytes) = match compression {
            Compression::Gzip => (Checksum::Adler(ADLER_OF_NOTHING), ZLIB_BYTES, ZLIB_WINDOW_BYTES),
            Compression::Lz4 => (Checksum::XxHash(XxHash32::default()), LZ4_BYTES, 0),
            Compression::None | Compression::Zstd => return None,
        };
        let next = Piece { content: Vec::new(), before: Vec::new(), is_first: true, end: None };
        Some(Cutter { checksum, piece_bytes, window_bytes, next })
    }

    /// Takes bytes off `input`; returns a piece as soon as there is a whole one. `spare` is an empty buffer for later.
    pub(super) fn cut(&mut self, input: &mut &[u8], spare: impl FnOnce() -> Vec<u8>) -> Option<Piece> {
        let (part, rest) = input.split_at(input.len().min(self.piece_bytes - self.next.content.len()));
        self.next.content.extend_from_slice(part);
        *input = rest;
        (self.next.content.len() == self.piece_bytes).then(|| {
            let content = &self.next.content;
            self.checksum.update(content);
            let before = content[content.len() - self.window_bytes..].to_vec();
            mem::replace(&mut self.next, Piece { content: spare(), before, is_first: false, end: None })
        })
    }

    /// The last piece of the stream; the next bytes begin another one.
    pub(super) fn end(&mut self, spare: impl FnOnce() -> Vec<u8>) -> Piece {
        self.checksum.update(&self.next.content);
        self.next.end = Some(self.checksum.take());
        mem::replace(
            &mut self.next,
            Piece { content: spare(), before: Vec::new(), is_first: true, end: None },
        )
    }
}

impl Checksum {
    fn update(&mut self, content: &[u8]) {
        match self {
            Checksum::Adler(checksum) => {
                let mut adler = Adler32::from_checksum(*checksum);
                adler.write(content);
                *checksum = adler.finish();
            }
            Checksum::XxHash(checksum) => checksum.write(content),
        }
    }

    fn take(&mut self) -> u32 {
        match self {
            Checksum::Adler(checksum) => mem::replace(checksum, ADLER_OF_NOTHING),
            Checksum::XxHash(checksum) => mem::take(checksum).finish_32(),
        }
    }
}

/// Compresses pieces; every thread has its own.
#[derive(Debug)]
pub(super) enum PieceCompressor {
    Zlib(zlib::Deflate),
    Lz4(Box<lz4::BlockCompressor>),
    /// Of zstd a piece is a whole frame.
    #[cfg(feature = "zstd")]
    Zstd(super::zstd::FrameEncoder),
}

impl PieceCompressor {
    pub(super) fn new(encoding: Encoding) -> Result<Self, Error> {
        match encoding.compression() {
            Compression::Gzip => Ok(PieceCompressor::Zlib(zlib::Deflate::new(encoding.level()))),
            Compression::Lz4 => Ok(PieceCompressor::Lz4(Box::new(lz4::BlockCompressor::new()))),
            #[cfg(feature = "zstd")]
            Compression::Zstd => super::zstd::FrameEncoder::new(encoding.level()).map(PieceCompressor::Zstd),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => Err(super::without_zstd()),
            Compression::None => Err(Error::invalid("there is nothing to compress with")),
        }
    }

    /// Appends the piece of the stream that belongs to this piece of its content.
    pub(super) fn compress(&mut self, piece: &Piece, stream: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            PieceCompressor::Zlib(compressor) => compressor.compress(piece, stream),
            PieceCompressor::Lz4(compressor) => compressor.compress(piece, stream),
            #[cfg(feature = "zstd")]
            PieceCompressor::Zstd(encoder) => encoder.compress(&piece.content, stream),
        }
    }
}
