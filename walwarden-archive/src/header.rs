//! The header of an archive.

mod read;

use std::fmt;

pub(crate) use read::HeaderReader;

use crate::wire::{put_int, put_text};
use crate::{Compression, Error, Text};

const MAGIC: &[u8; 5] = b"PGDMP";
const INT_SIZE: u8 = 4;
const OFFSET_SIZE: u8 = 8;

/// What an archive says of itself before its table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub(crate) version: Version,
    pub(crate) format: Format,
    pub(crate) compression: Compression,
    // Archives before 1.15 have a level in place of a codec: -1 default, 0 none.
    pub(crate) level: i32,
    pub(crate) created: LocalTime,
    pub(crate) database: Option<Text>,
    pub(crate) server_version: Option<Text>,
    pub(crate) dump_version: Option<Text>,
}

/// Version of the archive format. It is not the server's, nor that of `pg_dump`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Always 1.
    pub major: u8,
    /// 12 to 16.
    pub minor: u8,
    /// 0 in every archive known.
    pub revision: u8,
}

/// Which of the layouts that share header and table of contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One file, `pg_dump --format=custom`.
    Custom,
    /// The `toc.dat` of a folder, `pg_dump --format=directory`.
    Directory,
}

/// When the dump began, by the clock on the wall: archives do not say in which time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalTime {
    /// 0 to 60.
    pub second: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 23.
    pub hour: i32,
    /// 1 to 31.
    pub day: i32,
    /// 0 to 11.
    pub months_since_january: i32,
    /// Less 1900.
    pub years_since_1900: i32,
    /// Positive with daylight saving time, 0 without, negative where unknown.
    pub daylight_saving: i32,
}

impl Version {
    /// Oldest version that is read: PostgreSQL 9.0.
    pub const OLDEST: Version = Version { major: 1, minor: 12, revision: 0 };
    /// Newest version that is read: PostgreSQL 17 and 18.
    pub const NEWEST: Version = Version { major: 1, minor: 16, revision: 0 };

    pub(crate) fn has_table_access_methods(self) -> bool {
        self.minor >= 14
    }

    pub(crate) fn names_codec(self) -> bool {
        self.minor >= 15
    }

    pub(crate) fn has_relation_kinds(self) -> bool {
        self.minor >= 16
    }

    /// Whether archives of this version can have this codec.
    pub fn supports(self, codec: Compression) -> bool {
        self.names_codec() || matches!(codec, Compression::None | Compression::Gzip)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.revision == 0 { Ok(()) } else { write!(f, ".{}", self.revision) }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) =
            (i64::from(self.years_since_1900) + 1900, i64::from(self.months_since_january) + 1);
        write!(
            f,
            "{year:04}-{month:02}-{:02} {:02}:{:02}:{:02}",
            self.day, self.hour, self.minute, self.second
        )
    }
}

impl Header {
    /// Version of the archive format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// One file or a folder's `toc.dat`.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Codec of all data.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// When the dump began.
    pub fn created(&self) -> LocalTime {
        self.created
    }

    /// Name of the database.
    pub fn database(&self) -> Option<&Text> {
        self.database.as_ref()
    }

    /// The server's version, as it prints it.
    pub fn server_version(&self) -> Option<&Text> {
        self.server_version.as_ref()
    }

    /// Version of `pg_dump`, as it prints it.
    pub fn dump_version(&self) -> Option<&Text> {
        self.dump_version.as_ref()
    }

    /// The same header for data of another codec.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when archives of this version cannot have it.
    pub fn with_compression(mut self, codec: Compression) -> Result<Self, Error> {
        if !self.version.supports(codec) {
            let detail = format!("archives of version {} cannot be compressed with {codec}", self.version);
            return Err(Error::unsupported(detail));
        }
        self.level = match codec {
            Compression::None => 0,
            _ => -1,
        };
        self.compression = codec;
        Ok(self)
    }

    pub(crate) fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[self.version.major, self.version.minor, self.version.revision]);
        out.extend_from_slice(&[INT_SIZE, OFFSET_SIZE, self.format.code()]);
        if self.version.names_codec() {
            out.push(self.compression.code());
        } else {
            put_int(out, self.level);
        }
        for part in self.created.parts() {
            put_int(out, part);
        }
        for text in [&self.database, &self.server_version, &self.dump_version] {
            put_text(out, text.as_ref().map(Text::as_bytes));
        }
    }
}

impl Format {
    const fn code(self) -> u8 {
        match self {
            Format::Custom => 1,
            Format::Directory => 3,
        }
    }
}

impl LocalTime {
    fn parts(self) -> [i32; 7] {
        let LocalTime { second, minute, hour, day, months_since_january, years_since_1900, daylight_saving } =
            self;
        [second, minute, hour, day, months_since_january, years_since_1900, daylight_saving]
    }

    fn from_parts(parts: [i32; 7]) -> Self {
        let [second, minute, hour, day, months_since_january, years_since_1900, daylight_saving] = parts;
        LocalTime { second, minute, hour, day, months_since_january, years_since_1900, daylight_saving }
    }
}
