//! LZ4 frames. The blocks in them are compressed by `lz4_flex`; the frame around them is made and read here, so that
//! blocks can be compressed apart and frames read from a stream that comes in pieces.

mod decoder;
mod encoder;

pub(super) use decoder::FrameDecoder;
pub(super) use encoder::BlockCompressor;

/// How a frame begins, in stream order.
const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();

/// Set in a block's length if the block is stored as it is.
const STORED: u32 = 1 << 31;

/// The part of a content that later blocks may refer to.
const WINDOW_BYTES: usize = 64 * 1024;

/// The second byte of the xxHash-32 of a frame descriptor.
fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (twox_hash::XxHash32::oneshot(0, descriptor) >> 8) as u8
}
