//! `pg_dump` custom-format archives as a stream.

pub mod codec;
mod compression;
mod error;

pub use compression::{Compression, CompressionNameError};
pub use error::{Error, ErrorKind};
