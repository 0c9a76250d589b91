//! An archive against its index.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use walwarden_verify::index::{Block, CHUNK_SIZE_BYTES, Entry, Index};

use crate::{Contents, Error, Indexer};

/// Reads an archive as it passes and tells in what it differs from its index.
///
/// Damage is not an error here but what is looked for: all differences are found, those after the first, too.
///
/// ```
/// use walwarden_archive::{Verification, index};
///
/// let mut archive = include_bytes!("../tests/data/pipe-18.dump").to_vec();
/// let job = "0198c5a0-0000-7000-8000-000000000001".parse().expect("a job's id");
/// let index = index(&archive[..])?.into_index(job);
///
/// let mut verification = Verification::new(&index);
/// verification.update(&archive);
/// assert!(verification.finish().is_empty());
///
/// archive[2000] ^= 1;
/// let mut verification = Verification::new(&index);
/// verification.update(&archive);
/// assert_eq!(verification.finish()[0].to_string(), "chunk 0 (from byte 0) has other bytes");
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Verification<'a> {
    index: &'a Index,
    indexer: Indexer,
    refused: Option<Error>,
    compares_chunks: bool,
}

/// In what an archive differs from its index.
#[derive(Debug)]
#[non_exhaustive]
pub enum Difference {
    /// The bytes of a chunk are others, or there are none.
    Chunk {
        /// Which chunk of the index, from 0.
        number: usize,
    },
    /// The archive goes on after the last chunk of the index.
    Longer,
    /// It cannot be read to its end: why, and at which byte.
    Unreadable(Error),
    /// It is of another version, or its table of contents is longer or shorter.
    Head,
    /// An entry of the table of contents.
    Entry {
        /// Its number in archive and index.
        dump_id: u64,
        /// Its name, as the index has it or else the archive.
        name: String,
        /// What is wrong with it.
        problem: EntryProblem,
    },
    /// The entries are the same, in another order.
    Order,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryProblem {
    /// The index has it, the archive does not.
    Missing,
    /// The archive has it, the index does not.
    Added,
    /// It is another section, kind, name, schema or owner.
    Renamed,
    /// Its data have other rows, or more or fewer bytes.
    OtherData,
    /// Its data are the same, but stored elsewhere or in other bytes.
    OtherBytes,
}

impl<'a> Verification<'a> {
    /// Compares with this index, the digests of its chunks included.
    pub fn new(index: &'a Index) -> Self {
        Verification { index, indexer: Indexer::new(), refused: None, compares_chunks: true }
    }

    /// The archive is the plaintext of what is stored encrypted: the chunks of the index are of other bytes.
    pub fn of_plaintext(mut self) -> Self {
        self.compares_chunks = false;
        self
    }

    /// Takes the next bytes of the archive.
    pub fn update(&mut self, bytes: &[u8]) {
        if self.refused.is_some() {
            self.indexer.stored_only(bytes);
        } else {
            self.refused = self.indexer.update(bytes).err();
        }
    }

    /// All differences, after all bytes. None means that the archive is the one that was indexed.
    pub fn finish(self) -> Vec<Difference> {
        let Verification { index, indexer, refused, compares_chunks } = self;
        let found = match refused {
            Some(refused) => Err((refused, indexer.into_chunks())),
            None => indexer.finish_or_chunks(),
        };
        let mut differences = Vec::new();
        let chunks = match &found {
            Ok(contents) => &contents.chunks,
            Err((_, chunks)) => chunks,
        };
        if compares_chunks {
            let differs = |number: &usize| chunks.get(*number) != index.chunks.get(*number);
            let numbers = (0..index.chunks.len()).filter(differs);
            differences.extend(numbers.map(|number| Difference::Chunk { number }));
            differences.extend((chunks.len() > index.chunks.len()).then_some(Difference::Longer));
        }
        match found {
            Ok(contents) => compare(index, &contents, &mut differences),
            Err((error, _)) => differences.push(Difference::Unreadable(error)),
        }
        differences
    }
}

fn compare(index: &Index, found: &Contents, differences: &mut Vec<Difference>) {
    let head = (&index.archive_version, index.toc_size_bytes);
    if head != (&found.archive_version, found.toc_size_bytes) {
        differences.push(Difference::Head);
    }
    let mut of_archive: BTreeMap<u64, &Entry> =
        found.entries.iter().map(|entry| (entry.dump_id, entry)).collect();
    let mut same = true;
    let mut differ = |entry: &Entry, problem| {
        same = false;
        let (dump_id, name) = (entry.dump_id, entry.name.clone());
        differences.push(Difference::Entry { dump_id, name, problem });
    };
    for expected in &index.entries {
        match of_archive.remove(&expected.dump_id) {
            None => differ(expected, EntryProblem::Missing),
            Some(found) => problems(expected, found).for_each(|problem| differ(expected, problem)),
        }
    }
    of_archive.values().for_each(|added| differ(added, EntryProblem::Added));
    if same && index.entries != found.entries {
        differences.push(Difference::Order);
    }
}

fn problems(expected: &Entry, found: &Entry) -> impl Iterator<Item = EntryProblem> {
    let name = |entry: &Entry| Entry { data: None, ..entry.clone() };
    let content = |data: &Block| (data.raw_bytes, data.rows);
    let renamed = (name(expected) != name(found)).then_some(EntryProblem::Renamed);
    let data = match (&expected.data, &found.data) {
        (None, None) => None,
        (Some(expected), Some(found)) if expected == found => None,
        (Some(expected), Some(found)) if content(expected) == content(found) => {
            Some(EntryProblem::OtherBytes)
        }
        _ => Some(EntryProblem::OtherData),
    };
    renamed.into_iter().chain(data)
}

/// One line, for people.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Chunk { number } => {
                let first = *number as u64 * CHUNK_SIZE_BYTES;
                write!(f, "chunk {number} (from byte {first}) has other bytes")
            }
            Difference::Longer => f.write_str("the archive goes on after its last chunk"),
            Difference::Unreadable(error) => write!(f, "the archive cannot be read: {error}"),
            Difference::Head => f.write_str("the version or the size of the table of contents differs"),
            Difference::Entry { dump_id, name, problem } => {
                write!(f, "entry {dump_id} ({name:?}) {problem}")
            }
            Difference::Order => f.write_str("the entries come in another order"),
        }
    }
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntryProblem::Missing => "is missing",
            EntryProblem::Added => "is not in the index",
            EntryProblem::Renamed => "is described differently",
            EntryProblem::OtherData => "has other rows or another size",
            EntryProblem::OtherBytes => "has the same content in other bytes",
        })
    }
}
