mod again;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};

use super::chain_walk::ChainWalk;
use super::keyring::Keyring;
use crate::budget::Budget;
use crate::bundle::{BundlePath, BundleReader, Fault, HashedRow, RowStream};
use crate::disclosure::DisclosureText;
use crate::form::FormError;
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::{ChainKey, Findings};
use crate::{Hasher, KeyId, Sha256};

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
        // Told here, for the walk is lent to whoever takes the rows.
        let jobs = Cell::new(0);
        let mut take = |rows: &[HashedRow<'_>]| {
            for violation in walk.push(rows) {
                findings.about(format_args!("row {}", violation.seq));
                findings.fail(violation.reason, violation.to_string());
            }
            jobs.set(walk.replay.jobs().count());
        };
        let crowded = || (jobs.get() > budget.jobs).then(|| FormError::over_limit("there are too many jobs"));
        let mut rows = RowStream::new(usize::try_from(budget.document_bytes).unwrap_or(usize::MAX));
        let mut broken: Option<FormError> = None;
        let facts = read_file(bundle, |piece| {
            if broken.is_none() {
                broken = rows.feed(piece, &mut take).err().or_else(crowded);
            }
        })?;
        if broken.is_none() {
            broken = rows.finish(&mut take).err().or_else(crowded);
        }
        if let Some(error) = broken {
            self.is_cut = true;
            let seq = self.walk.events() + 1;
            if error.is_over_limit() {
                findings.about(BundlePath::AuditEvents);
                findings.fail(
                    Reason::BundleLimit,
                    format!("audit_events.json was read up to row {seq}: {error}"),
                );
            } else {
                findings.about(format_args!("row {seq}"));
                findings.fail(Reason::ChainForm, format!("row {seq} is malformed: {error}"));
            }
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
        let disclosure = match DisclosureText::parse(&bytes) {
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
        let (shown, size) = (disclosure.shown(), disclosure.size);
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
}

fn pins(keys: &[PublicKey], names: &[KeyId]) -> Vec<KeyId> {
    keys.iter().map(PublicKey::key_id).chain(names.iter().copied()).collect()
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
