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
    stream: Compress,
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
        Deflate { stream: Compress::new(level, false), header }
    }

    pub(super) fn compress(&mut self, piece: &Piece, stream: &mut Vec<u8>) -> Result<(), Error> {
        if piece.is_first {
            stream.extend_from_slice(&self.header);
        }
        self.stream.reset();
        if !piece.before.is_empty() {
            self.stream.set_dictionary(&piece.before).map_err(failure)?;
        }
        let flush = if piece.end.is_some() { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            // Deflate has nothing left to say once it leaves room.
            stream.reserve(piece.content.len() / 2 + 1024);
            let consumed = self.stream.total_in() as usize;
            let status =
                self.stream.compress_vec(&piece.content[consumed..], stream, flush).map_err(failure)?;
            if status == Status::StreamEnd || stream.len() < stream.capacity() {
                break;
            }
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
