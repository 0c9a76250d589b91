//! The table of contents of an archive.

mod entry;
mod kind;
mod read;

use std::collections::BTreeMap;

pub use entry::{DataPlace, Entry, Section};
pub use kind::Kind;
pub(crate) use read::TocReader;

use crate::wire::put_int;
use crate::{Error, Header, Selected, Selection};

/// The table of contents: what the archive holds, in the order in which `pg_restore` restores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    entries: Vec<Entry>,
    // dumpId → place in `entries`
    places: BTreeMap<i32, usize>,
}

/// What becomes of the entries with data when an archive is cut down to one without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataEntries {
    /// They stay, and say that they have no data. `pg_restore --section=pre-data` and `--section=post-data` see the
    /// same entries and dependencies as in the whole archive.
    Keep,
    /// They go. What is left for `--section=data` are sequence values, large objects' owners and statistics.
    Remove,
}

impl Toc {
    /// Makes one of entries in this order.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) when two have the same dumpId, or one has none.
    pub fn new(entries: Vec<Entry>) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        for (place, entry) in entries.iter().enumerate() {
            add(&mut places, entry.dump_id, place)?;
        }
        Ok(Toc { entries, places })
    }

    /// All entries, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this dumpId.
    pub fn entry(&self, dump_id: i32) -> Option<&Entry> {
        self.place(dump_id).map(|place| &self.entries[place])
    }

    pub(crate) fn place(&self, dump_id: i32) -> Option<usize> {
        self.places.get(&dump_id).copied()
    }

    /// The same table of contents without data, for restoring all that is not data from a small file.
    pub fn without_data(&self, entries: DataEntries) -> Toc {
        let kept = self.entries.iter().filter(|entry| entries == DataEntries::Keep || !entry.has_data);
        let without = kept.cloned().map(|mut entry| {
            entry.data_place = DataPlace::None;
            entry
        });
        Toc::new(without.collect()).expect("dumpIds of some entries differ as those of all do")
    }

    /// The same table of contents with the entries that this selection takes.
    pub fn select(&self, selection: &Selection) -> Toc {
        selection.take(self).toc
    }

    /// The same, and what the selection leaves out although it was meant.
    pub fn select_and_tell(&self, selection: &Selection) -> Selected {
        selection.take(self)
    }

    /// Whether the block of every entry with data can be sought.
    pub fn has_offsets(&self) -> bool {
        self.entries.iter().all(|entry| !entry.has_block() || matches!(entry.data_place, DataPlace::At(_)))
    }

    /// The same table of contents that names no offset, as `pg_dump` writes it into a pipe.
    pub fn without_offsets(&self) -> Toc {
        self.with_places(|entry| match entry.data_place {
            DataPlace::At(_) => DataPlace::Unknown,
            place => place,
        })
    }

    /// The same table of contents with the offsets of the blocks, so that `pg_restore` can seek. Its size is the same.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when an entry with data has no offset.
    pub fn with_offsets(&self, mut offset_of: impl FnMut(&Entry) -> Option<u64>) -> Result<Toc, Error> {
        let mut missing = None;
        let toc = self.with_places(|entry| match entry.data_place {
            DataPlace::None => DataPlace::None,
            place => match offset_of(entry) {
                Some(offset) => DataPlace::At(offset),
                None => {
                    missing.get_or_insert(entry.dump_id);
                    place
                }
            },
        });
        match missing {
            Some(dump_id) => Err(Error::invalid(format!("no offset is known for entry {dump_id}"))),
            None => Ok(toc),
        }
    }

    /// The bytes of an archive with this header up to its first block.
    pub fn to_bytes(&self, header: &Header) -> Vec<u8> {
        let mut out = header.to_bytes();
        put_int(&mut out, i32::try_from(self.entries.len()).expect("entries are fewer than 2^31"));
        for entry in &self.entries {
            entry.put(header, &mut out);
        }
        out
    }

    fn with_places(&self, mut place_of: impl FnMut(&Entry) -> DataPlace) -> Toc {
        let mut toc = self.clone();
        for entry in &mut toc.entries {
            entry.data_place = place_of(entry);
        }
        toc
    }
}

fn add(places: &mut BTreeMap<i32, usize>, dump_id: i32, place: usize) -> Result<(), Error> {
    if dump_id <= 0 {
        return Err(Error::malformed(format!("an entry has dumpId {dump_id}")));
    }
    match places.insert(dump_id, place) {
        None => Ok(()),
        Some(_) => Err(Error::malformed(format!("two entries have dumpId {dump_id}"))),
    }
}

#[cfg(test)]
mod tests;
