//! Reads frames in pieces of any size.

use std::hash::Hasher as _;
use std::mem;

use lz4_flex::block;
use twox_hash::XxHash32;

use super::{MAGIC, STORED, WINDOW_BYTES, descriptor_checksum};
use crate::Error;
use crate::codec::Output;

/// Reads one frame after the other. Skippable and legacy frames are refused: `pg_dump` writes none.
#[derive(Debug)]
pub(in crate::codec) struct FrameDecoder {
    expects: Expected,
    gathered: Gathered,
    frame: Frame,
    /// What the blocks so far say, for the blocks that refer to it: at most the last [`WINDOW_BYTES`].
    window: Vec<u8>,
    block: Vec<u8>,
}

/// The next part of the frame.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Magic,
    Flags,
    /// The rest of the descriptor, of so many bytes.
    Descriptor(usize),
    BlockLength,
    Block {
        length: usize,
        is_stored: bool,
    },
    ContentChecksum,
    Nothing,
}

/// What the frame's descriptor says, and what is counted against it.
#[derive(Debug, Default)]
struct Frame {
    flags: [u8; 2],
    has_linked_blocks: bool,
    has_block_checksums: bool,
    has_content_checksum: bool,
    block_bytes_max: usize,
    content_bytes_left: Option<u64>,
    checksum: XxHash32,
}

impl FrameDecoder {
    pub(in crate::codec) fn new() -> Self {
        FrameDecoder {
            expects: Expected::Magic,
            gathered: Gathered::default(),
            frame: Frame::default(),
            window: Vec::new(),
            block: Vec::new(),
        }
    }

    pub(in crate::codec) fn decode(
        &mut self,
        mut input: &[u8],
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        while !input.is_empty() {
            let wanted = match self.expects {
                Expected::Magic | Expected::BlockLength | Expected::ContentChecksum => 4,
                Expected::Flags => 2,
                Expected::Descriptor(length) => length,
                Expected::Block { length, .. } => length + if self.frame.has_block_checksums { 4 } else { 0 },
                Expected::Nothing => return Err(Error::malformed("bytes after the end of the LZ4 frame")),
            };
            let Some(part) = self.gathered.take(&mut input, wanted) else { return Ok(()) };
            self.expects = match self.expects {
                Expected::Magic if part == MAGIC => Expected::Flags,
                Expected::Magic => return Err(Error::malformed("no LZ4 frame: it begins with other bytes")),
                Expected::Flags => Expected::Descriptor(self.frame.flags(part)?),
                Expected::Descriptor(_) => {
                    self.frame.descriptor(part)?;
                    Expected::BlockLength
                }
                Expected::BlockLength => self.frame.block_length(number(part))?,
                Expected::Block { length, is_stored } => {
                    let (data, checksum) = part.split_at(length);
                    if self.frame.has_block_checksums && XxHash32::oneshot(0, data) != number(checksum) {
                        return Err(Error::malformed("the checksum of an LZ4 block is wrong"));
                    }
                    let content = if is_stored {
                        data
                    } else {
                        if self.block.len() != self.frame.block_bytes_max {
                            self.block = vec![0; self.frame.block_bytes_max];
                        }
                        let length = block::decompress_into_with_dict(data, &mut self.block, &self.window)
                            .map_err(|error| Error::malformed(format!("an LZ4 block is damaged: {error}")))?;
                        &self.block[..length]
                    };
                    self.frame.count(content)?;
                    if self.frame.has_linked_blocks {
                        slide(&mut self.window, content);
                    }
                    if !content.is_empty() {
                        output(content)?;
                    }
                    Expected::BlockLength
                }
                Expected::ContentChecksum
                    if mem::take(&mut self.frame.checksum).finish_32() == number(part) =>
                {
                    Expected::Nothing
                }
                Expected::ContentChecksum => {
                    return Err(Error::malformed("the checksum of the LZ4 frame's content is wrong"));
                }
                Expected::Nothing => Expected::Nothing,
            };
        }
        Ok(())
    }

    pub(in crate::codec) fn finish(&mut self) -> Result<(), Error> {
        if !matches!(self.expects, Expected::Nothing) {
            return Err(Error::truncated("the LZ4 frame ends before it is complete"));
        }
        self.expects = Expected::Magic;
        self.window.clear();
        Ok(())
    }
}

impl Frame {
    /// The first two bytes of the descriptor; returns how many follow, the checksum included.
    fn flags(&mut self, part: &[u8]) -> Result<usize, Error> {
        let (flags, sizes) = (part[0], part[1]);
        if flags >> 6 != 0b01 {
            return Err(Error::unsupported(format!("an LZ4 frame of version {}", flags >> 6)));
        }
        if flags & 0b0000_0010 != 0 || sizes & 0b1000_1111 != 0 || sizes >> 4 < 4 {
            return Err(Error::malformed("the flags of the LZ4 frame have no meaning"));
        }
        if flags & 0b0000_0001 != 0 {
            return Err(Error::unsupported("an LZ4 frame with a dictionary"));
        }
        let has_content_size = flags & 0b0000_1000 != 0;
        *self = Frame {
            flags: [flags, sizes],
            has_linked_blocks: flags & 0b0010_0000 == 0,
            has_block_checksums: flags & 0b0001_0000 != 0,
            has_content_checksum: flags & 0b0000_0100 != 0,
            block_bytes_max: 1 << (8 + 2 * (sizes >> 4)),
            content_bytes_left: has_content_size.then_some(0),
            checksum: XxHash32::default(),
        };
        Ok(if has_content_size { 9 } else { 1 })
    }

    fn descriptor(&mut self, part: &[u8]) -> Result<(), Error> {
        let (size, checksum) = part.split_at(part.len() - 1);
        if descriptor_checksum(&[&self.flags, size].concat()) != checksum[0] {
            return Err(Error::malformed("the checksum of the LZ4 frame's descriptor is wrong"));
        }
        if let Ok(size) = size.try_into() {
            self.content_bytes_left = Some(u64::from_le_bytes(size));
        }
        Ok(())
    }

    fn block_length(&self, length: u32) -> Result<Expected, Error> {
        if length == 0 {
            if self.content_bytes_left.is_some_and(|left| left > 0) {
                return Err(Error::malformed("the LZ4 frame is shorter than it says"));
            }
            return Ok(if self.has_content_checksum { Expected::ContentChecksum } else { Expected::Nothing });
        }
        let is_stored = length & STORED != 0;
        let length = (length & !STORED) as usize;
        if length == 0 || length > self.block_bytes_max {
            return Err(Error::malformed(
                "a block of the LZ4 frame is longer than the frame allows, or empty",
            ));
        }
        Ok(Expected::Block { length, is_stored })
    }

    fn count(&mut self, content: &[u8]) -> Result<(), Error> {
        if let Some(left) = &mut self.content_bytes_left {
            *left = left
                .checked_sub(content.len() as u64)
                .ok_or_else(|| Error::malformed("the LZ4 frame is longer than it says"))?;
        }
        if self.has_content_checksum {
            self.checksum.write(content);
        }
        Ok(())
    }
}

/// Parts of a frame, whole, from pieces of it.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Gathered {
    /// The next `wanted` bytes, taken off `input`; if it has fewer, they are kept until the next call.
    fn take<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], wanted: usize) -> Option<&'a [u8]> {
        if mem::take(&mut self.is_whole) {
            self.bytes.clear();
        }
        if self.bytes.is_empty()
            && let Some((part, rest)) = input.split_at_checked(wanted)
        {
            *input = rest;
            return Some(part);
        }
        let (piece, rest) = input.split_at(input.len().min(wanted - self.bytes.len()));
        self.bytes.extend_from_slice(piece);
        *input = rest;
        self.is_whole = self.bytes.len() == wanted;
        self.is_whole.then_some(&self.bytes)
    }
}

/// Keeps the last [`WINDOW_BYTES`] of what was there and what is added.
fn slide(window: &mut Vec<u8>, added: &[u8]) {
    let added = &added[added.len().saturating_sub(WINDOW_BYTES)..];
    let surplus = (window.len() + added.len()).saturating_sub(WINDOW_BYTES);
    window.drain(..surplus);
    window.extend_from_slice(added);
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}
