use std::collections::BTreeMap;

use super::keys::Rotation;
use super::{Jobs, KeyHistory, Violation};
use crate::event::{Head, RowText, Subject};
use crate::form::{Fields, FormError};
use crate::json::Object;
use crate::key::KeyId;
use crate::reason::Reason;
use crate::{ChainId, DatabaseId, EventKind, JobId, OrgId, Row, Sha256, Timestamp};

/// What a chain's first row says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Genesis {
    /// The chain.
    pub chain_id: ChainId,
    /// Whose chain.
    pub org_id: OrgId,
    /// Of which database; none for the organisation's own chain.
    pub database_id: Option<DatabaseId>,
    /// The first key.
    pub key_id: KeyId,
}

impl Genesis {
    fn from_payload(payload: &Object) -> Result<Self, FormError> {
        let mut fields = Fields::of(payload);
        Ok(Genesis {
            chain_id: fields.parsed("chainId")?,
            org_id: fields.parsed("orgId")?,
            database_id: fields.nullable("databaseId", Fields::parsed)?,
            key_id: fields.parsed("keyId")?,
        })
    }
}

/// What a `backup.completed` row says, and where its job began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The job's first `backup.queued` row.
    pub queued_seq: u64,
    /// The `backup.completed` row.
    pub seq: u64,
    /// When that was written.
    pub at: Timestamp,
    /// Its `manifestSha256`.
    pub manifest_sha256: Sha256,
    /// Its `checksumSha256`.
    pub checksum_sha256: Sha256,
    /// Its `sizeBytes`.
    pub size_bytes: u64,
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrillEnd {
    /// The `drill.passed` or `drill.failed` row.
    pub seq: u64,
    /// When that was written.
    pub at: Timestamp,
    /// Whether it was `drill.passed`.
    pub passed: bool,
    /// The receipt it names.
    pub receipt_sha256: Option<Sha256>,
}

/// Walks a chain and holds it to its rules.
///
/// ```
/// use walwarden_verify::chain::Replay;
/// use walwarden_verify::json::{Object, Value};
/// use walwarden_verify::{ChainId, EventKind, Row, Sha256, Timestamp};
///
/// let at: Timestamp = "2026-11-21T02:06:29.123Z".parse().unwrap();
/// let payload = Object::from([
///     ("chainId", Value::from(ChainId::from_parts(0, [1; 10]).to_string())),
///     ("orgId", "acme".into()),
///     ("databaseId", "shop".into()),
///     ("formatVersion", 1_u64.into()),
///     ("keyId", format!("sha256:{}", Sha256::of(b"a key")).into()),
/// ]);
/// let mut chain = Replay::new();
/// let genesis = Row::link(chain.head(), at, None, EventKind::ChainGenesis, payload).unwrap();
/// assert_eq!(chain.push(&genesis), []);
/// assert_eq!(chain.head(), genesis.head());
/// ```
#[derive(Debug, Clone)]
pub struct Replay {
    head: Head,
    at: Timestamp,
    latest_at: Timestamp,
    genesis: Option<Genesis>,
    keys: KeyHistory,
    jobs: Jobs,
    // Backups under way, with their first `backup.queued` row.
    queued: BTreeMap<JobId, u64>,
    // The same of backups that failed or were cancelled: one that goes on, against the rules, is still the one queued there.
    given_up: BTreeMap<JobId, u64>,
    completed: BTreeMap<JobId, Completed>,
    // Manifests by digest, with the job that completed with each.
    manifests: BTreeMap<Sha256, JobId>,
    drills: BTreeMap<JobId, DrillEnd>,
    // Rows were passed over: what is not known of may stand in them.
    gaps: bool,
    // The row before the next one was passed over, so that its hash is not known.
    after_gap: bool,
}

impl Default for Replay {
    fn default() -> Self {
        Replay::new()
    }
}

/// An event as the rules see it.
#[derive(Clone, Copy)]
struct Event<'a> {
    seq: u64,
    at: Timestamp,
    job_id: Option<JobId>,
    kind: EventKind,
    payload: &'a Object,
}

impl Replay {
    /// Before the first row.
    pub const fn new() -> Self {
        Replay {
            head: Head::START,
            at: Timestamp::MIN,
            latest_at: Timestamp::MIN,
            genesis: None,
            keys: KeyHistory::new(),
            jobs: Jobs::new(),
            queued: BTreeMap::new(),
            given_up: BTreeMap::new(),
            completed: BTreeMap::new(),
            manifests: BTreeMap::new(),
            drills: BTreeMap::new(),
            gaps: false,
            after_gap: false,
        }
    }

    /// The last row's place and hash.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// When the last row was written.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The latest time of a row: the last one's, unless time ran backwards.
    pub(crate) const fn latest_at(&self) -> Timestamp {
        self.latest_at
    }

    /// What the first row says of the chain, if it is a `chain.genesis`.
    pub const fn genesis(&self) -> Option<&Genesis> {
        self.genesis.as_ref()
    }

    /// The chain's keys.
    pub const fn keys(&self) -> &KeyHistory {
        &self.keys
    }

    /// Where each job stands.
    pub const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Whether a backup was queued and has not ended.
    pub(crate) fn has_open_backup(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Every completed backup, in order of job ids.
    pub const fn completed(&self) -> &BTreeMap<JobId, Completed> {
        &self.completed
    }

    /// Every drill that ended, in order of job ids.
    pub const fn drills(&self) -> &BTreeMap<JobId, DrillEnd> {
        &self.drills
    }

    /// The completed backup with this manifest.
    pub fn backup_of(&self, manifest_sha256: &Sha256) -> Option<(JobId, &Completed)> {
        let job_id = self.manifests.get(manifest_sha256)?;
        self.completed.get(job_id).map(|completed| (*job_id, completed))
    }

    /// Whether such an event may be the chain's next row. Its form is checked by
    /// [`Row::link`](crate::Row::link), a rotation's signatures by [`Rotation`].
    ///
    /// # Errors
    ///
    /// The first rule it would break.
    pub fn allows(&self, job_id: Option<JobId>, kind: EventKind, payload: &Object) -> Result<(), Violation> {
        let mut found = Vec::new();
        let event = Event { seq: self.head.seq + 1, at: self.at, job_id, kind, payload };
        self.check_event(event, &mut found);
        found.into_iter().next().map_or(Ok(()), Err)
    }

    /// Takes the next row and returns every rule it breaks. A row that breaks rules is taken all the same, so that
    /// the rest of the chain can be judged.
    pub fn push(&mut self, row: &Row) -> Vec<Violation> {
        let event =
            Event { seq: row.seq, at: row.at, job_id: row.job_id, kind: row.kind, payload: &row.payload };
        self.take(event, row.prev_hash, row.hash, row.expected_hash())
    }

    /// Passes over rows that are not shown. From then on nothing is held against a row that rows before it could
    /// explain: its link, the manifest it names.
    pub fn pass_over(&mut self, rows: u64) {
        self.head.seq = self.head.seq.saturating_add(rows);
        self.gaps = true;
        self.after_gap = true;
    }

    /// Takes the next row as it was stored; its hash is computed over these very bytes, which makes this the faster
    /// way to check a chain.
    ///
    /// # Errors
    ///
    /// As [`Row::parse`]; the row is not taken then.
    pub fn push_canonical(&mut self, row: &[u8]) -> Result<Vec<Violation>, FormError> {
        RowText::parse(row).map(|row| self.push_text(&row, row.expected_hash()))
    }

    /// As [`push`](Self::push), of a row whose hash was computed over the bytes that were read.
    pub(crate) fn push_text(&mut self, row: &RowText<'_>, expected_hash: Sha256) -> Vec<Violation> {
        let event =
            Event { seq: row.seq, at: row.at, job_id: row.job_id, kind: row.kind, payload: &row.payload };
        self.take(event, row.prev_hash, row.hash, expected_hash)
    }

    fn take(&mut self, event: Event<'_>, prev: Sha256, hash: Sha256, expected: Sha256) -> Vec<Violation> {
        let mut found = Vec::new();
        let seq = self.head.seq + 1;
        let mut report = |reason, detail: String| found.push(Violation { reason, seq, detail });
        if event.seq != seq {
            report(Reason::ChainSeq, format!("seq is {} where {seq} must stand", event.seq));
        }
        // It excuses this row alone, also one that happens to name the row before the gap.
        let after_gap = std::mem::take(&mut self.after_gap);
        if prev != self.head.hash && !after_gap {
            report(Reason::ChainLink, format!("prevHash {prev} is not the hash of the row before"));
        }
        if hash != expected {
            report(Reason::ChainHash, format!("hash is {hash}, the row's content gives {expected}"));
        }
        if event.at < self.at {
            report(Reason::ChainTime, format!("at {} is before the row above ({})", event.at, self.at));
        }
        let event = Event { seq, ..event };
        self.check_event(event, &mut found);
        self.apply(event, &mut found);
        self.head = Head { seq, hash };
        self.at = event.at;
        self.latest_at = self.latest_at.max(event.at);
        found
    }

    fn check_event(&self, event: Event<'_>, found: &mut Vec<Violation>) {
        let Event { seq, job_id, kind, payload, .. } = event;
        let mut report = |reason, detail: String| found.push(Violation { reason, seq, detail });
        if (kind == EventKind::ChainGenesis) != (seq == 1) {
            report(Reason::ChainGenesis, format!("{kind} stands where it must not"));
        }
        if let Some(genesis) = &self.genesis {
            let misplaced = match kind.subject() {
                Subject::Database => genesis.database_id.is_none(),
                Subject::Organisation => genesis.database_id.is_some(),
                Subject::Either => false,
            };
            if misplaced {
                report(Reason::ChainSubject, format!("{kind} does not belong in this chain"));
            }
        }
        if let Some(current) = self.keys.current()
            && self.keys.is_revoked(current, seq - 1)
        {
            report(Reason::KeyRevoked, "a row follows the revocation of the chain's key".to_owned());
        }
        if let Some(job_id) = job_id
            && let Err(error) = self.jobs.allows(job_id, kind)
        {
            report(Reason::JobOrder, error.to_string());
        }
        match kind {
            EventKind::BackupCompleted => {
                if let Some(other) =
                    hash(payload, "manifestSha256").and_then(|hash| self.manifests.get(&hash))
                {
                    report(
                        Reason::ManifestDuplicate,
                        format!("job {other} completed with the same manifest"),
                    );
                }
            }
            EventKind::BackupPruned => {
                let completed = job_id.and_then(|job_id| self.completed.get(&job_id));
                if completed.map(|completed| completed.manifest_sha256) != hash(payload, "manifestSha256") {
                    report(Reason::PruneManifest, "names another manifest than its backup's".to_owned());
                }
            }
            EventKind::RestoreTokenIssued => {
                let known = hash(payload, "manifestSha256").is_some_and(|m| self.manifests.contains_key(&m));
                if !known && !self.gaps {
                    report(
                        Reason::RestoreToken,
                        "names a manifest no backup before completed with".to_owned(),
                    );
                }
            }
            EventKind::KeyRotated => self.check_rotation(event, found),
            _ => {}
        }
    }

    fn check_rotation(&self, event: Event<'_>, found: &mut Vec<Violation>) {
        let mut report = |reason, detail: &str| {
            found.push(Violation { reason, seq: event.seq, detail: detail.to_owned() })
        };
        let (Ok(rotation), Some(genesis)) = (Rotation::from_payload(event.seq, event.payload), &self.genesis)
        else {
            return;
        };
        if self.keys.current() != Some(rotation.old_key_id) {
            report(Reason::KeyRotation, "oldKeyId is not the chain's key");
        }
        if self.keys.is_revoked(rotation.new_key_id, event.seq) {
            report(Reason::KeyRevoked, "rotates to a key that was revoked");
        }
        if rotation.verify_new(genesis.chain_id).is_err() {
            report(Reason::KeyRotation, "the new key did not sign the rotation, or is not the one named");
        }
    }

    fn apply(&mut self, event: Event<'_>, found: &mut Vec<Violation>) {
        if let Err(error) = self.apply_payload(event) {
            let detail = error.to_string();
            found.push(Violation { reason: Reason::ChainForm, seq: event.seq, detail });
        }
        if let Some(job_id) = event.job_id {
            self.jobs.apply(job_id, event.kind, event.payload);
        }
    }

    // Rows were found to be in form before they came here, so that this fails only for rows made otherwise.
    fn apply_payload(&mut self, event: Event<'_>) -> Result<(), FormError> {
        let Event { seq, at, job_id, kind, payload } = event;
        let mut fields = Fields::of(payload);
        match (kind, job_id) {
            (EventKind::ChainGenesis, _) if seq == 1 => {
                let genesis = Genesis::from_payload(payload)?;
                self.keys.begin(genesis.key_id);
                self.genesis = Some(genesis);
            }
            (EventKind::KeyRotated, _) => self.keys.rotate(Rotation::from_payload(seq, payload)?),
            (EventKind::KeyRevoked, _) => self.keys.revoke(seq, fields.parsed("keyId")?),
            (EventKind::BackupQueued, Some(job_id)) => {
                let first = self.given_up.remove(&job_id).unwrap_or(seq);
                self.queued.entry(job_id).or_insert(first);
            }
            (EventKind::BackupFailed, Some(job_id)) if !fields.boolean("retryable")? => self.give_up(job_id),
            (EventKind::BackupCancelled, Some(job_id)) => self.give_up(job_id),
            (EventKind::BackupCompleted, Some(job_id)) => {
                let queued = self.queued.remove(&job_id).or_else(|| self.given_up.remove(&job_id));
                let completed = Completed {
                    queued_seq: queued.unwrap_or(seq),
                    seq,
                    at,
                    manifest_sha256: fields.parsed("manifestSha256")?,
                    checksum_sha256: fields.parsed("checksumSha256")?,
                    size_bytes: fields.number("sizeBytes")?,
                };
                self.manifests.entry(completed.manifest_sha256).or_insert(job_id);
                self.completed.insert(job_id, completed);
            }
            (EventKind::DrillPassed | EventKind::DrillFailed, Some(job_id)) => {
                let receipt_sha256 = fields.nullable("receiptSha256", Fields::parsed)?;
                let passed = kind == EventKind::DrillPassed;
                self.drills.insert(job_id, DrillEnd { seq, at, passed, receipt_sha256 });
            }
            _ => {}
        }
        Ok(())
    }

    fn give_up(&mut self, job_id: JobId) {
        if let Some(queued) = self.queued.remove(&job_id) {
            self.given_up.insert(job_id, queued);
        }
    }
}

fn hash(payload: &Object, name: &str) -> Option<Sha256> {
    payload.get(name)?.as_str()?.parse().ok()
}
