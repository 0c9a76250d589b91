use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};

use super::chain_walk::ChainWalk;
use super::keyring::Keyring;
use crate::budget::Budget;
use crate::bundle::{BundlePath, BundleReader, Fault, HashedRow, RowStream};
use crate::disclosure::Disclosure;
use crate::form::FormError;
use crate::index::CHUNK_SIZE_BYTES;
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::{ChainKey, Findings};
use crate::{Hasher, JobId, KeyId, Sha256};

/// What one reading of the bundle leaves: digests of all files, the chain, and the documents if they are few.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) walk: ChainWalk,
    pub(super) keyring: Keyring,
    pub(super) files: BTreeMap<BundlePath, FileFacts>,
    pub(super) checkpoint: Option<Vec<u8>>,
    pub(super) statement: Option<Vec<u8>>,
    pub(super) timestamp: Option<Vec<u8>>,
    disclosure: Option<Vec<u8>>,
    /// A row cannot be read, and none after it was.
    is_cut: bool,
    // None once they are too many to be held: then the bundle is read again.
    documents: Option<BTreeMap<BundlePath, Vec<u8>>>,
}

/// A file of the bundle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) size: u64,
    pub(super) sha256: Sha256,
}

impl Survey {
    pub(super) fn new(walk: ChainWalk, keyring: Keyring) -> Self {
        Survey {
            walk,
            keyring,
            files: BTreeMap::new(),
            checkpoint: None,
            statement: None,
            timestamp: None,
            disclosure: None,
            is_cut: false,
            documents: Some(BTreeMap::new()),
        }
    }

    /// Reads the bundle from its beginning to its end.
    pub(super) fn read<R: Read + Seek>(
        &mut self,
        input: &mut R,
        input_bytes: u64,
        budget: &Budget,
        findings: &mut Findings,
    ) -> Result<(), Fault> {
        input.seek(SeekFrom::Start(0)).map_err(Fault::Io)?;
        let mut bundle = BundleReader::new(input, input_bytes, budget)?;
        let mut retained_left = budget.retained_bytes;
        while let Some(entry) = bundle.next_entry()? {
            findings.about(&entry.path);
            let Some(path) = BundlePath::parse(&entry.path) else {
                findings.fail(Reason::BundlePath, format!("{} is no path of a bundle", entry.path));
                continue;
            };
            if self.files.contains_key(&path) {
                findings.fail(Reason::BundleDuplicate, format!("{path} is there twice"));
                continue;
            }
            check_size(path, entry.size, budget)?;
            let facts = match path {
                BundlePath::AuditEvents => self.read_chain(&mut bundle, budget, findings)?,
                BundlePath::Artifact(_) | BundlePath::Readme => read_file(&mut bundle, |_| {})?,
                _ => {
                    let (facts, bytes) = read_whole(&mut bundle, entry.size)?;
                    self.keep(path, bytes, &mut retained_left);
                    facts
                }
            };
            self.files.insert(path, facts);
        }
        self.read_disclosure(findings);
        for rotation in self.walk.replay.keys().rotations() {
            self.keyring.add(rotation.new_key);
        }
        Ok(())
    }

    fn keep(&mut self, path: BundlePath, bytes: Vec<u8>, retained_left: &mut u64) {
        match path {
            BundlePath::Checkpoint => self.checkpoint = Some(bytes),
            BundlePath::Statement => self.statement = Some(bytes),
            BundlePath::Timestamp => self.timestamp = Some(bytes),
            BundlePath::Disclosure => self.disclosure = Some(bytes),
            // Only a hint: what is no key, or not the one its path names, is left aside.
            BundlePath::Key(digest) => {
                let key = std::str::from_utf8(&bytes).ok().and_then(|text| PublicKey::from_pem(text).ok());
                if let Some(key) = key.filter(|key| *key.key_id().digest() == digest) {
                    self.keyring.add(key);
                }
            }
            _ => match retained_left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    *retained_left = left;
                    if let Some(documents) = &mut self.documents {
                        documents.insert(path, bytes);
                    }
                }
                None => self.documents = None,
            },
        }
    }

    fn read_chain<R: Read>(
        &mut self,
        bundle: &mut BundleReader<R>,
        budget: &Budget,
        findings: &mut Findings,
    ) -> Result<FileFacts, Fault> {
        let walk = &mut self.walk;
        let mut take = |rows: &[HashedRow<'_>]| {
            for violation in walk.push(rows) {
                findings.about(format_args!("row {}", violation.seq));
                findings.fail(violation.reason, violation.to_string());
            }
        };
        let mut rows = RowStream::new(usize::try_from(budget.document_bytes).unwrap_or(usize::MAX));
        let mut broken: Option<FormError> = None;
        let facts = read_file(bundle, |piece| {
            if broken.is_none() {
                broken = rows.feed(piece, &mut take).err();
            }
        })?;
        if broken.is_none() {
            broken = rows.finish(&mut take).err();
        }
        if let Some(error) = broken {
            self.is_cut = true;
            let seq = self.walk.events() + 1;
            findings.about(format_args!("row {seq}"));
            findings.fail(form_reason(Reason::ChainForm, &error), format!("row {seq} is malformed: {error}"));
        }
        Ok(facts)
    }

    /// In the place of all rows: some of them, and hashes for the others.
    fn read_disclosure(&mut self, findings: &mut Findings) {
        let Some(bytes) = self.disclosure.take() else { return };
        findings.about(BundlePath::Disclosure);
        if self.files.contains_key(&BundlePath::AuditEvents) {
            findings.fail(Reason::DisclosureCover, "disclosure.json stands beside audit_events.json");
            return;
        }
        let disclosure = match Disclosure::parse(&bytes) {
            Ok(disclosure) => disclosure,
            Err(error) => {
                let detail = format!("disclosure.json is malformed: {error}");
                findings.fail(form_reason(Reason::DisclosureForm, &error), detail);
                return;
            }
        };
        let covered = self.walk.disclose(&disclosure, |violation| {
            findings.about(format_args!("row {}", violation.seq));
            findings.fail(violation.reason, violation.to_string());
        });
        findings.about(BundlePath::Disclosure);
        let (shown, size) = (disclosure.rows.len(), disclosure.size);
        match covered {
            Some(()) => {
                let detail = format!("{shown} rows shown, each in its place among {size}");
                findings.ok(Reason::DisclosureCover, detail);
            }
            None => {
                let place = self.walk.events() + 1;
                let detail =
                    format!("neither a row nor a node stands for row {place}, or more than one does");
                findings.fail(Reason::DisclosureCover, detail);
            }
        }
    }

    /// What is left to say of the chain once all keys are known.
    pub(super) fn judge_chain(&self, findings: &mut Findings) {
        findings.about(BundlePath::AuditEvents);
        if self.files.contains_key(&BundlePath::Disclosure) {
            if self.walk.replay.genesis().is_none()
                && !findings.failed(Reason::DisclosureForm)
                && !findings.failed(Reason::BundleLimit)
            {
                findings.fail(Reason::ChainGenesis, "the chain's first row is not shown");
            }
        } else if !self.files.contains_key(&BundlePath::AuditEvents) {
            findings.fail(Reason::BundleFileMissing, "audit_events.json is absent");
            return;
        }
        let events = self.walk.events();
        if events == 0 {
            if !self.is_cut {
                findings.fail(Reason::ChainGenesis, "the chain has no row");
            }
            return;
        }
        let Some(genesis) = self.walk.replay.genesis() else { return };
        for rotation in self.walk.replay.keys().rotations() {
            let Some(old_key) = self.keyring_or_fail(rotation.old_key_id, findings) else { continue };
            if rotation.verify_old(genesis.chain_id, old_key).is_err() {
                findings.about(format_args!("row {}", rotation.seq));
                let detail = format!("row {}: the old key did not sign the rotation", rotation.seq);
                findings.fail(Reason::KeyRotation, detail);
            }
        }
        findings.about(BundlePath::AuditEvents);
        let whole = [Reason::ChainSeq, Reason::ChainLink, Reason::ChainHash];
        if self.walk.shown().is_none() && !self.is_cut && !whole.iter().any(|reason| findings.failed(*reason))
        {
            let head = self.walk.replay.head().hash.to_string();
            findings
                .ok(Reason::ChainHash, format!("audit chain intact: {events} events, head {}…", &head[..10]));
        }
    }

    /// The bytes of a key, or a failure that names it once.
    pub(super) fn keyring_or_fail(&self, key_id: KeyId, findings: &mut Findings) -> Option<&PublicKey> {
        let key = self.keyring.get(key_id);
        if key.is_none() {
            let detail = format!("the bytes of key {key_id} are nowhere to be found");
            findings.fail_once(Reason::KeyUnavailable, detail);
        }
        key
    }

    /// Whether a pinned key is among the chain's.
    pub(super) fn judge_pins(&self, keys: &[PublicKey], names: &[KeyId], findings: &mut Findings) {
        let pins = pins(keys, names);
        findings.about_all();
        if pins.is_empty() {
            findings.fail(Reason::KeyNoPin, "no key is pinned: give --pubkey or --fingerprint");
        } else if self.walk.replay.genesis().is_some() {
            let of_the_chain: BTreeSet<KeyId> = self.walk.replay.keys().all().collect();
            let (found, others): (BTreeSet<KeyId>, BTreeSet<KeyId>) =
                pins.iter().copied().partition(|key_id| of_the_chain.contains(key_id));
            if found.is_empty() {
                findings.fail(Reason::KeyPin, "no pinned key is a key of the chain");
                return;
            }
            for key_id in found {
                findings.ok(Reason::KeyPin, format!("the chain has the pinned key {key_id}"));
            }
            // Perhaps of another chain; perhaps the one to which this chain was rotated, by who left that out.
            for key_id in others {
                findings.skip(Reason::KeyPin, format!("the pinned key {key_id} is no key of this chain"));
            }
        }
    }

    /// Every key the chain had.
    pub(super) fn keys(&self, keys: &[PublicKey], names: &[KeyId]) -> Vec<ChainKey> {
        let (pins, history) = (pins(keys, names), self.walk.replay.keys());
        let spans = history.spans().iter();
        spans
            .map(|(from_seq, key_id)| ChainKey {
                key_id: *key_id,
                from_seq: *from_seq,
                pinned: pins.contains(key_id),
                revoked_seq: history.revoked_at(*key_id),
            })
            .collect()
    }

    /// Hands over every manifest, index and receipt: manifests first, indexes last.
    pub(super) fn visit_documents<R: Read + Seek>(
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
    pub(super) fn visit_chunks<R: Read + Seek>(
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
    pub(super) fn row_hashes<R: Read + Seek>(
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

fn pins(keys: &[PublicKey], names: &[KeyId]) -> Vec<KeyId> {
    keys.iter().map(PublicKey::key_id).chain(names.iter().copied()).collect()
}

fn changed(path: BundlePath) -> Fault {
    Fault::Io(io::Error::other(format!("{path} changed while the bundle was read")))
}

/// The reason of a document that is malformed, or of one that is over a limit.
pub(super) fn form_reason(reason: Reason, error: &FormError) -> Reason {
    if error.is_over_limit() { Reason::BundleLimit } else { reason }
}

fn check_size(path: BundlePath, size: u64, budget: &Budget) -> Result<(), Fault> {
    let limit = match path {
        BundlePath::AuditEvents | BundlePath::Artifact(_) => return Ok(()),
        BundlePath::Index(_) => budget.index_bytes,
        BundlePath::Statement => budget.statement_bytes,
        BundlePath::Disclosure => budget.disclosure_bytes,
        _ => budget.document_bytes,
    };
    if size <= limit {
        Ok(())
    } else {
        Err(Fault::malformed(Reason::BundleLimit, format!("{path} has {size} bytes, over {limit}")))
    }
}

const PIECE: usize = 256 << 10;

fn read_file<R: Read>(bundle: &mut BundleReader<R>, mut take: impl FnMut(&[u8])) -> Result<FileFacts, Fault> {
    let mut piece = vec![0; PIECE];
    let (mut hasher, mut size) = (Hasher::new(), 0);
    loop {
        let count = bundle.read(&mut piece)?;
        if count == 0 {
            return Ok(FileFacts { size, sha256: hasher.finish() });
        }
        hasher.update(&piece[..count]);
        take(&piece[..count]);
        size += count as u64;
    }
}

fn read_whole<R: Read>(bundle: &mut BundleReader<R>, size: u64) -> Result<(FileFacts, Vec<u8>), Fault> {
    // The size is the tar's word: room is made as the bytes come.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(PIECE));
    let facts = read_file(bundle, |piece| bytes.extend_from_slice(piece))?;
    Ok((facts, bytes))
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
