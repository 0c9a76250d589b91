//! `pg_dump` custom-format archives as a stream.

mod budget;
mod chunks;
pub mod codec;
mod compression;
mod contents;
mod error;
mod exploder;
mod file;
mod gzip;
mod header;
mod indexer;
mod measure;
mod reader;
mod rows;
mod stream;
mod text;
mod toc;
mod transcoder;
mod wire;
mod writer;

pub use budget::Budget;
pub use chunks::ChunkDigests;
pub use compression::{Compression, CompressionNameError};
pub use contents::Contents;
pub use error::{Error, ErrorKind};
pub use exploder::{Exploder, Folder};
pub use file::{index, patch_offsets, read_toc};
pub use header::{Format, Header, LocalTime, Version};
pub use indexer::Indexer;
pub use measure::{Measure, Measured};
pub use reader::{BlockKind, BlockStart, Event, Reader};
pub use rows::{RowCounter, RowsDigest};
pub use text::Text;
pub use toc::{DataEntries, DataPlace, Entry, Kind, Section, Toc};
pub use transcoder::Transcoder;
pub use writer::Writer;
