//! zlib streams (RFC 1950), which `pg_dump` calls gzip.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::piece::Piece;
use super::{OUTPUT_BYTES, Output};
use crate::Error;

/// Reads one zlib stream after the other.
#[derive(Debug)]
pub(super) struct Inflate {
    stream: Decompress,
    buffer: Box<[u8]>,
    ended: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Inflate {
            stream: Decompress::new(true),
            buffer: vec![0; OUTPUT_BYTES].into_boxed_slice(),
            ended: false,
        }
    }

    pub(super) fn decode(&mut self, mut input: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        while !self.ended {
            let (consumed, produced) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress(input, &mut self.buffer, FlushDecompress::None)
                .map_err(|error| refusal(&error))?;
            let consumed = (self.stream.total_in() - consumed) as usize;
            let produced = (self.stream.total_out() - produced) as usize;
            input = &input[consumed..];
            if produced > 0 {
                output(&self.buffer[..produced])?;
            }
            self.ended = status == Status::StreamEnd;
            if !self.ended && produced < self.buffer.len() {
                if input.is_empty() {
                    return Ok(());
                }
                if consumed == 0 && produced == 0 {
                    return Err(Error::malformed("the zlib stream stands still"));
                }
            }
        }
        if input.is_empty() {
            Ok(())
        } else {
            Err(Error::malformed("bytes after the end of the zlib stream"))
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if !self.ended {
            return Err(Error::truncated("the zlib stream ends before it is complete"));
        }
        self.stream.reset(true);
        self.ended = false;
        Ok(())
    }
}

fn refusal(error: &flate2::DecompressError) -> Error {
    if error.needs_dictionary().is_some() {
        return Error::unsupported("a zlib stream with a preset dictionary");
    }
    match error.message() {
        Some(reason) => Error::malformed(format!("the zlib stream is damaged: {reason}")),
        None => Error::malformed("the zlib stream is damaged"),
    }
}

/// Writes zlib streams piece by piece: each but the last ends at a byte's end with an empty block (`Z_SYNC_FLUSH`).
#[derive(Debug)]
pub(super) struct Deflate {
    level: flate2::Compression,
    header: [u8; 2],
}

impl Deflate {
    pub(super) fn new(level: i32) -> Self {
        // The second byte tells the level, roughly, and makes the two a multiple of 31.
        let header = match level {
            ..=1 => [0x78, 0x01],
            2..=5 => [0x78, 0x5e],
            6 => [0x78, 0x9c],
            7.. => [0x78, 0xda],
        };
        let level = flate2::Compression::new(level.clamp(1, 9).unsigned_abs());
        Deflate { level, header }
    }

    pub(super) fn compress(&self, piece: &Piece, stream: &mut Vec<u8>) -> Result<(), Error> {
        if piece.is_first {
            stream.extend_from_slice(&self.header);
        }
        // A stream that was reset may find other matches than a new one, so the bytes would depend on the thread.
        let mut deflate = Compress::new(self.level, false);
        if !piece.before.is_empty() {
            deflate.set_dictionary(&piece.before).map_err(failure)?;
        }
        let flush = if piece.end.is_some() { FlushCompress::Finish } else { FlushCompress::Sync };
        // Literals of 9 bits are the worst there is. With less room deflate would stop in the middle, and go on with other
        // matches than it would have taken.
        stream.reserve(piece.content.len() / 8 * 9 + 1024);
        let status = deflate.compress_vec(&piece.content, stream, flush).map_err(failure)?;
        if deflate.total_in() != piece.content.len() as u64
            || (status != Status::StreamEnd && piece.end.is_some())
        {
            return Err(Error::invalid("zlib compresses less than it was given"));
        }
        if let Some(checksum) = piece.end {
            stream.extend_from_slice(&checksum.to_be_bytes());
        }
        Ok(())
    }
}

fn failure(error: flate2::CompressError) -> Error {
    Error::invalid(format!("zlib cannot compress: {error}"))
}
