//! Names of organisations, databases, jobs and chains.

use std::fmt;
use std::str::FromStr;

use crate::hash::{HEX_VALUES, NO_DIGIT};

/// The text is not an id of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError(&'static str);

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for IdError {}

const LABEL_RULE: IdError =
    IdError("an id starts with a-z or 0-9 and goes on with at most 62 of a-z, 0-9 and hyphen");
const UUID_RULE: IdError = IdError("an id of this kind is a lower-case UUID of version 7 (RFC 9562)");

macro_rules! label {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Matches `[a-z0-9][a-z0-9-]{0,62}`.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid = (1..=63).contains(&text.len())
                    && !text.starts_with('-')
                    && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
                if valid { Ok($name(text.to_owned())) } else { Err(LABEL_RULE) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

label! {
    /// An organisation.
    OrgId;
    /// A database under backup.
    DatabaseId;
    /// A place backups go to.
    DestinationId;
}

macro_rules! uuid {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A UUIDv7 (RFC 9562 section 5.7), written in lower case with hyphens.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes an id from a time in Unix milliseconds and ten random bytes, six bits of which give way to
            /// version and variant.
            pub fn from_parts(unix_millis: i64, random: [u8; 10]) -> Self {
                $name(uuid_v7(unix_millis, random))
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read_uuid_v7(text).map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(&self.0, f)
            }
        }
    )*};
}

uuid! {
    /// One backup, restore or drill.
    JobId;
    /// One audit chain.
    ChainId;
    /// One restore token.
    TokenId;
}

fn uuid_v7(unix_millis: i64, random: [u8; 10]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&unix_millis.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = bytes[6] & 0x0f | 0x70;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// Where the two digits of each byte stand.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

fn read_uuid_v7(text: &str) -> Result<[u8; 16], IdError> {
    let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| UUID_RULE)?;
    let [_, _, _, _, _, _, _, _, b'-', _, _, _, _, b'-', _, _, _, _, b'-', _, _, _, _, b'-', ..] = text
    else {
        return Err(UUID_RULE);
    };
    let mut bytes = [0; 16];
    let mut wrong = 0;
    for (byte, at) in bytes.iter_mut().zip(UUID_DIGITS) {
        let (high, low) = (HEX_VALUES[usize::from(text[at])], HEX_VALUES[usize::from(text[at + 1])]);
        wrong |= high | low;
        *byte = high << 4 | low & 15;
    }
    if wrong & NO_DIGIT == 0 && bytes[6] >> 4 == 7 && bytes[8] >> 6 == 2 { Ok(bytes) } else { Err(UUID_RULE) }
}

fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}
