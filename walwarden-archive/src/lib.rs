//! `pg_dump` custom-format archives as a stream: read, check, index, compress differently, take apart.
//!
//! The archives of `pg_dump --format=custom` are read by `pg_restore`, which wants to seek in them and believes what it
//! reads. This crate reads them from a pipe, in pieces of any size and in bounded memory, and checks what can be
//! checked. What it writes stays a stock archive.
//!
//! ```
//! // From `pg_dump --format=custom … | program`, or any archive from elsewhere.
//! let archive = &include_bytes!("../tests/data/pipe-18.dump")[..];
//!
//! let contents = walwarden_archive::index(archive)?;
//! for entry in &contents.entries {
//!     if let Some(rows) = entry.data.as_ref().and_then(|block| block.rows) {
//!         println!("{} has {} rows, digest {}", entry.name, rows.count, rows.digest);
//!     }
//! }
//! assert!(contents.entries.iter().any(|entry| entry.name == "customers"));
//! # Ok::<(), walwarden_archive::Error>(())
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | see header and table of contents | [`read_toc`] |
//! | check an archive, learn what it holds and where, count and digest the rows of its tables | [`index`], [`Indexer`] |
//! | check that it is the one an index was made of | [`verify`], [`Verification`] |
//! | compress its data differently | [`transcode`], [`Transcoder`] |
//! | make `pg_restore --jobs` and `--table` seek in an archive that went through a pipe | [`patch_offsets`], [`Toc::with_offsets`] |
//! | make a dump in directory format of it, for `pg_restore --jobs` | [`explode`], [`Exploder`] |
//! | restore all but the data from a small file | [`Toc::without_data`] |
//! | restore some tables or schemas only | [`Selection`], [`Toc::select`] |
//! | read one table's rows from the bytes of its block alone | [`BlockReader`] |
//! | handle data as it passes | [`Reader`] with a [`codec::Decoder`] |
//! | write an archive of data from elsewhere | [`Assembler`]; [`Writer`], for data that is compressed already |
//!
//! # What is read
//!
//! Archive versions 1.12 to 1.16, which is what `pg_dump` of PostgreSQL 9.0 to 18 writes; large objects in both layouts; data
//! that is not compressed, zlib, LZ4 or Zstandard. Rows are counted where data are COPY lines, not in dumps made with
//! `--inserts`.
//!
//! # What is trusted
//!
//! Nothing. Lengths are checked against a [`Budget`] before memory is taken, values have one spelling only, blocks must
//! be those that the table of contents promises, streams must end where they say. Errors name the byte. But
//! archives have few checksums of their own: `pg_dump` writes none but those of zlib. Whoever needs to know that an
//! archive is still the one that was written keeps its [index](Contents::into_index) elsewhere and compares.
//!
//! # No world of its own
//!
//! The core takes bytes and gives bytes. It reads no files, starts no processes, knows no clock and no environment, and
//! builds for `wasm32-unknown-unknown` without default features, then without Zstandard.

mod assembler;
mod block;
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
mod selection;
mod stream;
mod text;
mod toc;
mod transcoder;
mod verification;
mod wire;
mod writer;

pub use assembler::Assembler;
pub use block::{BlockReader, Content, ContentOutput};
pub use budget::Budget;
pub use chunks::ChunkDigests;
pub use compression::{Compression, CompressionNameError};
pub use contents::Contents;
pub use error::{Error, ErrorKind};
pub use exploder::{Exploder, Folder};
pub use file::{explode, index, patch_offsets, read_toc, transcode, verify};
pub use header::{Format, Header, LocalTime, Version};
pub use indexer::Indexer;
pub use measure::{Measure, Measured};
pub use reader::{BlockKind, BlockStart, Event, Reader};
pub use rows::{RowCounter, RowsDigest};
pub use selection::{Selected, Selection};
pub use text::Text;
pub use toc::{DataEntries, DataPlace, Entry, Kind, Section, Toc};
pub use transcoder::Transcoder;
pub use verification::{Difference, EntryProblem, Verification};
pub use writer::Writer;
