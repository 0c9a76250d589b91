//! What takes another reading of the bundle: documents that were too many to be held, the chunks of dumps, hashes of rows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};

use super::{FileFacts, Survey, check_size, read_file, read_whole};
use crate::budget::Budget;
use crate::bundle::{BundlePath, BundleReader, Fault, HashedRow, RowStream};
use crate::index::CHUNK_SIZE_BYTES;
use crate::{Hasher, JobId, Sha256};

impl Survey {
    /// Hands over every manifest, index and receipt: manifests first, indexes last.
    pub(in crate::verifier) fn visit_documents<R: Read + Seek>(
        &self,
        input: &mut R,
        input_bytes: u64,
        budget: &Budget,
        mut visit: impl FnMut(BundlePath, &[u8]),
    ) -> Result<(), Fault> {
        if let Some(documents) = &self.documents {
            let of = |indexes: bool| {
                documents.iter().filter(move |(path, _)| matches!(path, BundlePath::Index(_)) == indexes)
            };
            of(false).chain(of(true)).for_each(|(path, bytes)| visit(*path, bytes));
            return Ok(());
        }
        for indexes in [false, true] {
            let wanted = |path| match path {
                BundlePath::Manifest(_) | BundlePath::Receipt(_) => !indexes,
                BundlePath::Index(_) => indexes,
                _ => false,
            };
            self.read_again(input, input_bytes, budget, wanted, read_whole, |path, bytes| {
                visit(path, &bytes);
            })?;
        }
        Ok(())
    }

    /// Reads the bundle again and hands over the digests of the chunks of these jobs' artifacts.
    pub(in crate::verifier) fn visit_chunks<R: Read + Seek>(
        &self,
        input: &mut R,
        input_bytes: u64,
        budget: &Budget,
        wanted: impl Fn(JobId) -> bool,
        mut visit: impl FnMut(JobId, &[Sha256]),
    ) -> Result<(), Fault> {
        let of_artifact = |path| matches!(path, BundlePath::Artifact(job_id) if wanted(job_id));
        let read = |bundle: &mut BundleReader<&mut R>, _size| read_chunks(bundle);
        self.read_again(input, input_bytes, budget, of_artifact, read, |path, chunks| {
            if let BundlePath::Artifact(job_id) = path {
                visit(job_id, &chunks);
            }
        })
    }

    /// Reads the chain again for the hashes of these rows, by their places.
    pub(in crate::verifier) fn row_hashes<R: Read + Seek>(
        &self,
        input: &mut R,
        input_bytes: u64,
        budget: &Budget,
        wanted: &BTreeSet<u64>,
    ) -> Result<BTreeMap<u64, Sha256>, Fault> {
        let mut found = BTreeMap::new();
        let chain = |path| path == BundlePath::AuditEvents;
        let read = |bundle: &mut BundleReader<&mut R>, _size| {
            let mut hashes = BTreeMap::new();
            let mut seq = 0;
            let mut take = |rows: &[HashedRow<'_>]| {
                for row in rows {
                    seq += 1;
                    if wanted.contains(&seq) {
                        hashes.insert(seq, row.row.hash);
                    }
                }
            };
            // What breaks the form was told at the first reading.
            let mut rows = RowStream::new(usize::try_from(budget.document_bytes).unwrap_or(usize::MAX));
            let mut broken = false;
            let facts = read_file(bundle, |piece| broken = broken || rows.feed(piece, &mut take).is_err())?;
            if !broken {
                let _ = rows.finish(&mut take);
            }
            Ok((facts, hashes))
        };
        self.read_again(input, input_bytes, budget, chain, read, |_, hashes| found = hashes)?;
        Ok(found)
    }

    /// Reads these files once more. Whatever is there is compared with the first reading, so that a bundle that changes
    /// in between cannot show one content to one check and another to the next.
    fn read_again<'a, R: Read + Seek, T>(
        &self,
        input: &'a mut R,
        input_bytes: u64,
        budget: &Budget,
        wanted: impl Fn(BundlePath) -> bool,
        read: impl Fn(&mut BundleReader<&'a mut R>, u64) -> Result<(FileFacts, T), Fault>,
        mut visit: impl FnMut(BundlePath, T),
    ) -> Result<(), Fault> {
        let mut left: BTreeSet<BundlePath> =
            self.files.keys().copied().filter(|path| wanted(*path)).collect();
        input.seek(SeekFrom::Start(0)).map_err(Fault::Io)?;
        let mut bundle = BundleReader::new(input, input_bytes, budget)?;
        while let Some(entry) = bundle.next_entry()? {
            // A second file of one name was told of and is passed over, as it was before.
            let Some(path) = BundlePath::parse(&entry.path).filter(|path| left.remove(path)) else {
                continue;
            };
            check_size(path, entry.size, budget)?;
            let (facts, content) = read(&mut bundle, entry.size)?;
            if self.files.get(&path) != Some(&facts) {
                return Err(changed(path));
            }
            visit(path, content);
        }
        left.first().map_or(Ok(()), |path| Err(changed(*path)))
    }
}

fn changed(path: BundlePath) -> Fault {
    Fault::Io(io::Error::other(format!("{path} changed while the bundle was read")))
}

// The current file's facts and the SHA-256 of each of its chunks.
fn read_chunks<R: Read>(bundle: &mut BundleReader<R>) -> Result<(FileFacts, Vec<Sha256>), Fault> {
    let mut chunks = Vec::new();
    let (mut chunk, mut chunk_left) = (Hasher::new(), CHUNK_SIZE_BYTES);
    let facts = read_file(bundle, |mut piece| {
        while !piece.is_empty() {
            let count = piece.len().min(usize::try_from(chunk_left).unwrap_or(usize::MAX));
            let (now, later) = piece.split_at(count);
            chunk.update(now);
            chunk_left -= count as u64;
            if chunk_left == 0 {
                chunks.push(std::mem::take(&mut chunk).finish());
                chunk_left = CHUNK_SIZE_BYTES;
            }
            piece = later;
        }
    })?;
    if chunk_left < CHUNK_SIZE_BYTES {
        chunks.push(chunk.finish());
    }
    Ok((facts, chunks))
}
