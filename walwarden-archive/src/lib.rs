//! `pg_dump` custom-format archives as a stream.

mod budget;
pub mod codec;
mod compression;
pub mod digest;
mod error;
mod header;
mod reader;
mod text;
mod toc;
mod wire;

pub use budget::Budget;
pub use compression::{Compression, CompressionNameError};
pub use error::{Error, ErrorKind};
pub use header::{Format, Header, LocalTime, Version};
pub use reader::{BlockKind, BlockStart, Event, Reader};
pub use text::Text;
pub use toc::{DataEntries, DataPlace, Entry, Kind, Section, Toc};
