//! How archives are compressed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use walwarden_archive::codec::Encoding;

use super::{Client, Codec};
use crate::error::{Code, Error, Result};

/// Codec and level of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// Its level: gzip 1–9, zstd 1–22; none is 6 for gzip and 1 for zstd. The others have no levels.
    #[serde(default)]
    pub level: Option<u8>,
}

impl Compression {
    /// The codec at its usual level.
    pub const fn new(codec: Codec) -> Self {
        Compression { codec, level: None }
    }

    /// What is used unless asked otherwise: zstd where `pg_restore` of this client's version and build can read it, and
    /// gzip, which every version reads, elsewhere.
    pub fn of_choice(client: &Client) -> Self {
        Compression::new(if client.supports(Codec::Zstd) { Codec::Zstd } else { Codec::Gzip })
    }

    /// What to compress with.
    ///
    /// # Errors
    /// `argument-invalid` when the codec has no such level.
    pub fn encoding(self) -> Result<Encoding> {
        let encoding = Encoding::new(self.codec.in_archives());
        let Some(level) = self.level else { return Ok(encoding) };
        let (codec, refused) = (self.codec, Code::ArgumentInvalid);
        match level {
            0 => Err(Error::new(refused, format!("a compression level is 1 or more codec={codec}"))),
            level => encoding.with_level(level.into()).map_err(|error| {
                Error::new(refused, format!("the codec has no such level codec={codec} level={level}"))
                    .with_source(error)
            }),
        }
    }
}

impl FromStr for Compression {
    type Err = Error;

    /// `METHOD` or `METHOD:LEVEL`, as `pg_dump --compress` takes it.
    fn from_str(text: &str) -> Result<Self> {
        let (method, level) = match text.split_once(':') {
            Some((method, level)) => (method, Some(level)),
            None => (text, None),
        };
        let codec = [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd]
            .into_iter()
            .find(|codec| codec.text() == method);
        let level = level.map(str::parse).transpose().ok();
        match (codec, level) {
            (Some(codec), Some(level)) => {
                let compression = Compression { codec, level };
                compression.encoding().map(|_| compression)
            }
            _ => Err(Error::new(
                Code::ArgumentInvalid,
                format!(
                    "compression is gzip, zstd, lz4 or none, gzip and zstd with a level as in zstd:9 compression={text:?}"
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_a_method_and_perhaps_a_level() {
        let read = |text: &str| text.parse().map(|found: Compression| (found.codec, found.level));
        assert_eq!(read("zstd").unwrap(), (Codec::Zstd, None));
        assert_eq!(read("gzip:9").unwrap(), (Codec::Gzip, Some(9)));
        assert_eq!(read("none").unwrap(), (Codec::None, None));
        for wrong in [
            "", "brotli", "zstd:", "zstd:x", "zstd:-1", "none:1", "zstd:3:4", "ZSTD", "gzip:0", "zstd:23",
            "lz4:1",
        ] {
            assert_eq!(read(wrong).unwrap_err().code(), Code::ArgumentInvalid, "{wrong}");
        }
    }
}
