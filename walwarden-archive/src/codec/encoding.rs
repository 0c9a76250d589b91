//! What to compress with.

use std::ops::RangeInclusive;

use crate::{Compression, Error};

/// A codec and how hard it tries.
///
/// ```
/// use walwarden_archive::Compression;
/// use walwarden_archive::codec::Encoding;
///
/// assert_eq!(Encoding::new(Compression::Zstd).with_level(3)?.level(), 3);
/// assert!(Encoding::new(Compression::Gzip).with_level(10).is_err());
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    compression: Compression,
    level: i32,
}

impl Encoding {
    /// The codec at its default level: 6 for gzip, 1 for zstd, 0 for the others, which have one level only.
    pub const fn new(compression: Compression) -> Self {
        let level = match compression {
            Compression::None | Compression::Lz4 => 0,
            Compression::Gzip => 6,
            Compression::Zstd => 1,
        };
        Encoding { compression, level }
    }

    /// The same codec at this level: 1 to 9 for gzip, -7 to 22 for zstd, 0 for the others.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if the codec has no such level.
    pub fn with_level(self, level: i32) -> Result<Self, Error> {
        let levels: RangeInclusive<i32> = match self.compression {
            Compression::None | Compression::Lz4 => 0..=0,
            Compression::Gzip => 1..=9,
            Compression::Zstd => -7..=22,
        };
        if !levels.contains(&level) {
            let (name, first, last) = (self.compression, levels.start(), levels.end());
            return Err(Error::invalid(format!("{name} has levels {first} to {last}, level={level}")));
        }
        Ok(Encoding { level, ..self })
    }

    /// The codec.
    pub const fn compression(self) -> Compression {
        self.compression
    }

    /// How hard it tries; what the number means is up to the codec.
    pub const fn level(self) -> i32 {
        self.level
    }
}
