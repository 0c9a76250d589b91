//! Writes frames piece by piece, with independent blocks and a checksum of the content.

use std::fmt;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::{MAGIC, STORED, descriptor_checksum};
use crate::Error;
use crate::codec::piece::Piece;

/// Version 1, independent blocks, a checksum of the content; no checksums of blocks, no size.
const FLAGS: u8 = 0b0110_0100;
/// Blocks of up to 1 MiB, which [`crate::codec::piece::LZ4_BYTES`] is.
const SIZES: u8 = 6 << 4;
const END_OF_BLOCKS: [u8; 4] = [0; 4];

/// Compresses pieces, each to one block.
pub(in crate::codec) struct BlockCompressor {
    table: CompressTable,
}

impl BlockCompressor {
    pub(in crate::codec) fn new() -> Self {
        BlockCompressor { table: CompressTable::large() }
    }

    pub(in crate::codec) fn compress(&mut self, piece: &Piece, stream: &mut Vec<u8>) -> Result<(), Error> {
        if piece.is_first {
            let descriptor = [FLAGS, SIZES];
            stream.extend_from_slice(&MAGIC);
            stream.extend_from_slice(&descriptor);
            stream.push(descriptor_checksum(&descriptor));
        }
        if !piece.content.is_empty() {
            self.block(&piece.content, stream)?;
        }
        if let Some(checksum) = piece.end {
            stream.extend_from_slice(&END_OF_BLOCKS);
            stream.extend_from_slice(&checksum.to_le_bytes());
        }
        Ok(())
    }

    fn block(&mut self, content: &[u8], stream: &mut Vec<u8>) -> Result<(), Error> {
        let start = stream.len();
        let data = start + 4;
        stream.resize(data + get_maximum_output_size(content.len()), 0);
        let length = compress_into_with_table(content, &mut stream[data..], &mut self.table)
            .map_err(|error| Error::invalid(format!("LZ4 cannot compress: {error}")))?;
        let length = if length < content.len() {
            stream.truncate(data + length);
            length as u32
        } else {
            stream.truncate(data);
            stream.extend_from_slice(content);
            content.len() as u32 | STORED
        };
        stream[start..data].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }
}

impl fmt::Debug for BlockCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCompressor").finish_non_exhaustive()
    }
}
