//! How the data of an archive is compressed.

use std::fmt;
use std::str::FromStr;

/// How the data blocks of an archive are compressed. An archive has one codec for all of them.
///
/// ```
/// use walwarden_archive::Compression;
///
/// assert_eq!("zstd".parse(), Ok(Compression::Zstd));
/// assert_eq!(Compression::Gzip.to_string(), "gzip");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib streams. `pg_dump` calls them gzip.
    Gzip,
    /// LZ4 frames, since archive version 1.15 (PostgreSQL 16).
    Lz4,
    /// Zstandard frames, since archive version 1.15 (PostgreSQL 16).
    Zstd,
}

impl Compression {
    /// Every codec, in the order of its number in the format.
    pub const ALL: [Compression; 4] =
        [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd];

    /// The name that `pg_dump --compress` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// Its number in the header.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionNameError;

impl fmt::Display for CompressionNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("compression is none, gzip, lz4 or zstd")
    }
}

impl std::error::Error for CompressionNameError {}

impl FromStr for Compression {
    type Err = CompressionNameError;

    fn from_str(text: &str) -> Result<Self, CompressionNameError> {
        Compression::ALL.into_iter().find(|codec| codec.name() == text).ok_or(CompressionNameError)
    }
}
