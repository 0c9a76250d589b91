//! Data blocks in and out of their codec, push-style: bytes go in as they come, bytes come out through a closure.
//!
//! A data block of an archive (and every large object in one) is one complete stream of the archive's codec: a zlib
//! stream, an LZ4 frame or a Zstandard frame. [`Decoder`] reads such streams, [`Encoder`] writes them, and
//! [`Encoders`] writes them on several threads. All three are made once and used for block after block.
//!
//! ```
//! use walwarden_archive::Compression;
//! use walwarden_archive::codec::{Decoder, Encoder, Encoding, Limits};
//!
//! let rows = b"1\tone\n2\ttwo\n";
//! let mut stored: Vec<u8> = Vec::new();
//! let mut encoder = Encoder::new(Encoding::new(Compression::Gzip))?;
//! encoder.encode(rows, &mut |bytes| Ok(stored.extend(bytes)))?;
//! encoder.finish(&mut |bytes| Ok(stored.extend(bytes)))?;
//!
//! let mut read: Vec<u8> = Vec::new();
//! let mut decoder = Decoder::new(Compression::Gzip, Limits::default())?;
//! decoder.decode(&stored, &mut |bytes| Ok(read.extend(bytes)))?;
//! decoder.finish()?;
//! assert_eq!(read, rows);
//! # Ok::<(), walwarden_archive::Error>(())
//! ```

mod decoder;
mod encoder;
#[cfg(feature = "threads")]
mod encoders;
mod encoding;
mod lz4;
mod piece;
#[cfg(feature = "threads")]
mod pool;
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

pub use decoder::{Decoder, Limits};
pub use encoder::Encoder;
#[cfg(feature = "threads")]
pub use encoders::{Encoded, Encoders};
pub use encoding::Encoding;

use crate::Error;

/// Takes what a codec puts out, in order. Its error ends the call that was under way and is returned by it.
pub type Output<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

/// What streams give out at once, at most; LZ4 blocks may be larger.
const OUTPUT_BYTES: usize = 64 * 1024;

#[cfg(not(feature = "zstd"))]
fn without_zstd() -> Error {
    Error::unsupported("zstd data, this program is built without zstd")
}

#[cfg(test)]
mod tests;
