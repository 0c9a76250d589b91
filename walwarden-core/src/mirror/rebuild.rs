//! From a destination to a catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use walwarden_verify::chain::{KeyHistory, Replay};
use walwarden_verify::key::{KeyId, PublicKey};
use walwarden_verify::layout::BackupObject;
use walwarden_verify::{ChainId, DatabaseId, OrgId, Row};

use super::trust::Trust;
use super::{Mirror, SEGMENT_LIMIT_BYTES, number, segment};
use crate::catalog::{JobKind, jobs_told_by};
use crate::chain::Subject;
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::storage::{Listed, Storage, StorageExt};

/// What was found in a destination and entered into the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// Whose chain.
    pub subject: Subject,
    /// Its rows.
    pub rows: u64,
    /// Backups it tells of, in whatever state.
    pub backups: u64,
    /// So many of them, from the first on, are covered by the newest checkpoint that a trusted key signed.
    pub covered_rows: u64,
    /// What the operator should know.
    pub notices: Vec<String>,
}

impl Rebuilt {
    /// Rows that nothing but their hashes ties to the chain: whoever can write to the destination could have added them.
    pub fn uncovered_rows(&self) -> u64 {
        self.rows - self.covered_rows
    }
}

/// What is to be entered.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RebuildOptions {
    /// Only this database's chain.
    pub only: Option<DatabaseId>,
    /// Keys whose checkpoints count.
    pub trusted_keys: Vec<PublicKey>,
    /// Enter also rows beyond the newest checkpoint that counts. A worker that died before it published its checkpoint
    /// leaves such rows; so does a forger.
    pub accept_uncovered: bool,
}

impl RebuildOptions {
    /// Every chain whose rows are all covered by a checkpoint of one of these keys.
    pub fn new(trusted_keys: Vec<PublicKey>) -> Self {
        RebuildOptions { trusted_keys, ..RebuildOptions::default() }
    }

    /// Only this database's chain.
    #[must_use]
    pub fn only(mut self, database_id: DatabaseId) -> Self {
        self.only = Some(database_id);
        self
    }

    /// Rows that no checkpoint covers, too.
    #[must_use]
    pub fn accept_uncovered(mut self) -> Self {
        self.accept_uncovered = true;
        self
    }
}

/// Rebuilds a catalogue with the engine's parts.
#[derive(Debug, Clone)]
pub struct Rebuilder {
    parts: Arc<Parts>,
}

/// What a destination holds of one chain.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// First row's number and the object of each segment.
    pub(super) segments: Vec<(u64, Listed)>,
    /// Number of rows in the name of each checkpoint, and the object.
    pub(super) checkpoints: Vec<(u64, Listed)>,
}

impl Rebuilder {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Rebuilder { parts }
    }

    /// Enters the chain of every database in the destination that the catalogue does not have, and the jobs it tells of.
    /// Where there are several of one database, it is the newest that a trusted key signed a checkpoint of, for whoever
    /// can write to the destination can put a chain there; without any, the newest that says it began with such a key.
    /// A chain that the catalogue has is never replaced.
    ///
    /// # Errors
    /// `chain-damaged` when segments are missing or contradict each other, or a trusted checkpoint contradicts them, and
    /// when the catalogue has the chain with other or fewer rows, as one that was put back;
    /// `chain-uncovered` when there are rows beyond the newest trusted checkpoint and they are not accepted; the store's
    /// and the catalogue's own errors. Chains entered before the error stay.
    pub async fn rebuild(&self, from: &dyn Storage, options: &RebuildOptions) -> Result<Vec<Rebuilt>> {
        let mut rebuilt = Vec::new();
        let mut compared = Ok(());
        for (subject, chains) in find(from).await? {
            if options.only.is_some() && subject.database_id != options.only {
                continue;
            }
            if let Some(record) = self.parts.catalog.chain(&subject).await? {
                let mirror =
                    Mirror { parts: &self.parts, storage: from, subject: &subject, may_begin: false };
                compared = compared.and(mirror.refuse_put_back(&record).await);
                continue;
            }
            let trust = Trust { from, subject: &subject, trusted_keys: &options.trusted_keys };
            let Some(chain_id) = trust.choose(&chains).await? else { continue };
            let mut notices = Vec::new();
            for other in chains.keys().filter(|id| **id != chain_id) {
                notices.push(format!(
                    "the destination holds another chain too, which stays there chain={other}"
                ));
            }
            let found = &chains[&chain_id];
            rebuilt.push(self.enter(&trust, chain_id, found, notices, options).await?);
        }
        self.parts.catalog.settle().await;
        compared.map(|()| rebuilt)
    }

    async fn enter(
        &self,
        trust: &Trust<'_>,
        chain_id: ChainId,
        found: &Found,
        mut notices: Vec<String>,
        options: &RebuildOptions,
    ) -> Result<Rebuilt> {
        let subject = trust.subject;
        let rows = read_rows(trust.from, &found.segments).await?;
        let keys = replayed(&rows, trust)?;
        let count = rows.len() as u64;
        let covered_rows = trust.covered(chain_id, found, &rows, &keys).await?;
        let uncovered = count - covered_rows;
        if uncovered > 0 {
            let mut what = format!(
                "no checkpoint by a trusted key covers the last rows {subject} rows={count} covered={covered_rows} \
                 uncovered={uncovered}"
            );
            if covered_rows == 0
                && let Some(cause) = trust.foreign_key(found, &rows)
            {
                what.push_str("; ");
                what.push_str(&cause);
            }
            if !options.accept_uncovered {
                return Err(Error::new(Code::ChainUncovered, what));
            }
            notices.push(what);
        }
        let mut jobs = jobs_told_by(subject, &rows);
        for job in jobs.iter_mut().filter(|job| job.kind == JobKind::Backup) {
            job.artifact_key = Some(job.object_name(BackupObject::Artifact)?);
        }
        let backups = jobs.iter().filter(|job| job.kind == JobKind::Backup).count() as u64;
        self.parts.catalog.adopt(subject, rows, jobs).await?;
        Ok(Rebuilt { subject: subject.clone(), rows: count, backups, covered_rows, notices })
    }
}

/// Every chain in the destination, by what it speaks of.
async fn find(from: &dyn Storage) -> Result<Vec<(Subject, BTreeMap<ChainId, Found>)>> {
    let mut subjects: BTreeMap<(OrgId, DatabaseId), BTreeMap<ChainId, Found>> = BTreeMap::new();
    for listed in from.list("org").await? {
        let segments: Vec<&str> = listed.name.as_str().split('/').collect();
        let ["org", org, "db", database, "audit", chain, rest @ ..] = segments.as_slice() else { continue };
        let (Ok(org), Ok(database), Ok(chain)) = (org.parse(), database.parse(), chain.parse()) else {
            continue;
        };
        let found = subjects.entry((org, database)).or_default().entry(chain).or_default();
        match rest {
            ["checkpoint", size] => found.checkpoints.extend(number(size).map(|size| (size, listed.clone()))),
            [file] => found.segments.extend(segment(file).map(|(first, _)| (first, listed.clone()))),
            _ => {}
        }
    }
    let subject = |(org_id, database_id)| Subject { org_id, database_id: Some(database_id) };
    Ok(subjects.into_iter().map(|(ids, chains)| (subject(ids), chains)).collect())
}

/// The rows in order. Segments may overlap, as they do after a crash between storing and noting one, but must agree.
async fn read_rows(from: &dyn Storage, segments: &[(u64, Listed)]) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (_, Listed { name, .. }) in segments {
        let text = from.read(name, SEGMENT_LIMIT_BYTES).await?;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let damaged = || format!("a stored row cannot be read name={name}");
            let line = line.strip_suffix(b"\n").ok_or_else(|| Error::new(Code::ChainDamaged, damaged()))?;
            let row =
                Row::parse(line).map_err(|e| Error::new(Code::ChainDamaged, damaged()).with_source(e))?;
            let next = rows.len() as u64 + 1;
            let known = row.seq.checked_sub(1).and_then(|at| rows.get(usize::try_from(at).ok()?));
            match known {
                Some(known) if *known == row => {}
                None if row.seq == next => rows.push(row),
                _ => {
                    let message =
                        format!("the stored rows leave a gap or differ seq={} name={name}", row.seq);
                    return Err(Error::new(Code::ChainDamaged, message));
                }
            }
        }
    }
    Ok(rows)
}

/// Which key the chain had when, if its rows do not contradict each other and no rotation is against a key whose bytes are known.
fn replayed(rows: &[Row], trust: &Trust<'_>) -> Result<KeyHistory> {
    let damaged = |seq: u64, why: &str| {
        Error::new(Code::ChainDamaged, format!("the stored chain contradicts itself seq={seq} {why}"))
    };
    let mut replay = Replay::new();
    for row in rows {
        if let Some(violation) = replay.push(row).into_iter().next() {
            return Err(damaged(row.seq, &violation.detail));
        }
    }
    let keys = replay.keys();
    let known: BTreeMap<KeyId, &PublicKey> = keys
        .rotations()
        .iter()
        .map(|rotation| &rotation.new_key)
        .chain(trust.trusted_keys)
        .map(|key| (key.key_id(), key))
        .collect();
    for rotation in keys.rotations() {
        let (Some(genesis), Some(old_key)) = (replay.genesis(), known.get(&rotation.old_key_id)) else {
            continue;
        };
        if rotation.verify_old(genesis.chain_id, old_key).is_err() {
            return Err(damaged(rotation.seq, "the old key did not sign the rotation"));
        }
    }
    Ok(keys.clone())
}
