//! What an archive holds and where: the archive index but for the backup's name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use walwarden_verify::index::{self, Index};
use walwarden_verify::{Hasher, JobId, Sha256};

use crate::reader::block_prefix;
use crate::{BlockStart, ChunkDigests, Entry, Header, Measured, Text, Toc};

/// What an archive holds and where it lies, measured while its bytes passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// Version of the format.
    pub archive_version: String,
    /// Bytes of header and table of contents.
    pub toc_size_bytes: u64,
    /// SHA-256 of each 8 MiB of the archive. Replace them with those of the artifact if it is stored encrypted.
    pub chunks: Vec<Sha256>,
    /// All entries of the table of contents, in its order.
    pub entries: Vec<index::Entry>,
}

impl Contents {
    /// The archive index of the backup with this id.
    pub fn into_index(self, job_id: JobId) -> Index {
        Index {
            job_id,
            archive_version: self.archive_version,
            toc_size_bytes: self.toc_size_bytes,
            chunks: self.chunks,
            entries: self.entries,
        }
    }

    /// Where the data of this entry lies and what it holds, if it has any.
    pub fn block(&self, dump_id: i32) -> Option<&index::Block> {
        let dump_id = u64::try_from(dump_id).ok()?;
        self.entries.iter().find(|entry| entry.dump_id == dump_id)?.data.as_ref()
    }

    /// Where the blocks begin, by dumpId.
    pub fn offsets(&self) -> BTreeMap<i32, u64> {
        let offset = |entry: &index::Entry| {
            let dump_id = i32::try_from(entry.dump_id).ok()?;
            entry.data.as_ref().map(|block| (dump_id, block.offset))
        };
        self.entries.iter().filter_map(offset).collect()
    }
}

/// Collects [`Contents`] from the bytes of an archive as they pass.
#[derive(Debug)]
pub(crate) struct Survey {
    chunks: ChunkDigests,
    blocks: BTreeMap<i32, index::Block>,
    open: Option<(BlockStart, Hasher)>,
}

impl Survey {
    pub(crate) fn new() -> Self {
        Survey { chunks: ChunkDigests::new(), blocks: BTreeMap::new(), open: None }
    }

    /// The next bytes of the archive. Those a block begins with come before [`start`](Self::start), all others of it
    /// before [`end`](Self::end).
    pub(crate) fn stored(&mut self, bytes: &[u8]) {
        self.chunks.update(bytes);
        if let Some((_, hasher)) = &mut self.open {
            hasher.update(bytes);
        }
    }

    pub(crate) fn start(&mut self, block: BlockStart) {
        let mut hasher = Hasher::new();
        hasher.update(&block_prefix(block.kind, block.dump_id));
        self.open = Some((block, hasher));
    }

    pub(crate) fn end(&mut self, end: u64, measured: Measured) {
        let Some((block, hasher)) = self.open.take() else { return };
        let Measured { raw_bytes, rows } = measured;
        let (offset, length) = (block.offset, end - block.offset);
        let measured = index::Block { offset, length, sha256: hasher.finish(), raw_bytes, rows };
        self.blocks.insert(block.dump_id, measured);
    }

    pub(crate) fn into_chunks(self) -> Vec<Sha256> {
        self.chunks.finish()
    }

    pub(crate) fn finish(mut self, header: &Header, toc: &Toc, toc_size_bytes: u64) -> Contents {
        let entries = toc.entries().iter().map(|entry| described(entry, self.blocks.remove(&entry.dump_id)));
        Contents {
            archive_version: header.version().to_string(),
            toc_size_bytes,
            entries: entries.collect(),
            chunks: self.chunks.finish(),
        }
    }
}

fn described(entry: &Entry, data: Option<index::Block>) -> index::Entry {
    let text = |text: &Option<Text>| text.as_ref().map(|text| written(text).into_owned());
    index::Entry {
        dump_id: u64::from(entry.dump_id.unsigned_abs()),
        section: entry.section.name().to_owned(),
        desc: text(&entry.desc).unwrap_or_default(),
        schema: text(&entry.schema),
        name: text(&entry.tag).unwrap_or_default(),
        owner: text(&entry.owner),
        data,
    }
}

// The index is UTF-8 without U+007F. Names that are not are rare, and for people only: entries are known by dumpId.
fn written(text: &Text) -> Cow<'_, str> {
    match text.to_string_lossy() {
        text if text.contains('\u{7f}') => Cow::Owned(text.replace('\u{7f}', "\u{fffd}")),
        text => text,
    }
}
