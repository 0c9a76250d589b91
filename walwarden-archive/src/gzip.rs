//! A zlib stream put into the frame of a gzip file, without compressing anything again.

use flate2::Crc;

use crate::Error;

/// Deflate, no name, no time, no flags; system unknown.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const ZLIB_HEAD_BYTES: usize = 2;
const ZLIB_TAIL_BYTES: usize = 4;
/// An empty deflate stream.
const EMPTY: [u8; 2] = [3, 0];

/// Passes on the deflate stream that is in a zlib stream. Someone else has to check that it is one.
#[derive(Debug, Default)]
pub(crate) struct GzipFrame {
    crc: Crc,
    head: usize,
    // The last bytes so far: they may be the checksum that ends a zlib stream.
    tail: Vec<u8>,
}

impl GzipFrame {
    pub(crate) fn new() -> Self {
        GzipFrame::default()
    }

    /// What a gzip file begins with.
    pub(crate) fn head(&self) -> &'static [u8] {
        &HEAD
    }

    /// Takes bytes of the zlib stream.
    pub(crate) fn stored(
        &mut self,
        zlib: &[u8],
        mut output: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let skipped = zlib.len().min(ZLIB_HEAD_BYTES - self.head);
        self.head += skipped;
        let zlib = &zlib[skipped..];
        // Together these are passed on but for the last four bytes.
        let passed = (self.tail.len() + zlib.len()).saturating_sub(ZLIB_TAIL_BYTES);
        let old = passed.min(self.tail.len());
        output(&self.tail[..old])?;
        self.tail.drain(..old);
        let (new, kept) = zlib.split_at(passed - old);
        output(new)?;
        self.tail.extend_from_slice(kept);
        Ok(())
    }

    /// Takes what the stream decompresses to.
    pub(crate) fn raw(&mut self, data: &[u8]) {
        self.crc.update(data);
    }

    /// What the gzip file ends with.
    pub(crate) fn end(self) -> Vec<u8> {
        let mut end = if self.head == 0 { EMPTY.to_vec() } else { Vec::new() };
        end.extend_from_slice(&self.crc.sum().to_le_bytes());
        end.extend_from_slice(&self.crc.amount().to_le_bytes());
        end
    }
}
