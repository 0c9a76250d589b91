use std::collections::{BTreeMap, BTreeSet};

use super::chain_walk::RowHash;
use super::signed::is_signed_by_chain;
use super::survey::{Survey, form_reason};
use crate::bundle::BundlePath;
use crate::chain::Completed;
use crate::index;
use crate::merkle::Tree;
use crate::reason::Reason;
use crate::receipt::Receipt;
use crate::report::Findings;
use crate::{FormError, JobId, Manifest, Sha256, Timestamp};

/// Judges manifests, indexes and receipts one by one, and then that none is missing.
pub(super) struct Documents<'a> {
    survey: &'a Survey,
    manifests: BTreeMap<JobId, ManifestFacts>,
    // Of indexes whose artifact is in the bundle: the digests its chunks must have.
    chunks: BTreeMap<JobId, Vec<Sha256>>,
    // Rows that are not held, and the manifests anchored in them with the hash they name.
    anchors_open: BTreeMap<u64, Vec<(JobId, Sha256)>>,
    // The manifest or receipt with the latest time, and that.
    last_dated: Option<(BundlePath, Timestamp)>,
    pub(super) manifests_verified: u64,
    pub(super) receipts_verified: u64,
    pub(super) artifacts_checked: u64,
}

/// What a manifest says of other files.
struct ManifestFacts {
    job_id: JobId,
    size_bytes: u64,
    checksum_sha256: Sha256,
    plaintext_size_bytes: u64,
    /// Digest and size.
    index: Option<(Sha256, u64)>,
    content_root: Option<Sha256>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(survey: &'a Survey) -> Self {
        Documents {
            survey,
            manifests: BTreeMap::new(),
            chunks: BTreeMap::new(),
            anchors_open: BTreeMap::new(),
            last_dated: None,
            manifests_verified: 0,
            receipts_verified: 0,
            artifacts_checked: 0,
        }
    }

    /// Judges one document; indexes come after all manifests.
    pub(super) fn visit(&mut self, path: BundlePath, bytes: &[u8], findings: &mut Findings) {
        findings.about(path);
        match path {
            BundlePath::Manifest(job_id) => match Manifest::parse(bytes) {
                Ok(manifest) => self.manifest(job_id, &manifest, findings),
                Err(error) => {
                    let detail = format!("manifest is malformed for backup_job={job_id}: {error}");
                    findings.fail(form_reason(Reason::ManifestForm, &error), detail);
                }
            },
            BundlePath::Index(job_id) => {
                if let Err(error) = self.index(job_id, bytes, findings) {
                    let detail = format!("archive index is malformed for backup_job={job_id}: {error}");
                    findings.fail(form_reason(Reason::IndexForm, &error), detail);
                }
            }
            BundlePath::Receipt(job_id) => match Receipt::parse(bytes) {
                Ok(receipt) => self.receipt(job_id, &receipt, findings),
                Err(error) => {
                    let detail = format!("receipt is malformed for drill_job={job_id}: {error}");
                    findings.fail(form_reason(Reason::ReceiptForm, &error), detail);
                }
            },
            _ => {}
        }
    }

    fn manifest(&mut self, job_id: JobId, manifest: &Manifest, findings: &mut Findings) {
        let (walk, body) = (&self.survey.walk, manifest.body());
        let mut fail = |reason, detail: &str| {
            findings.fail(reason, format!("{detail} for backup_job={job_id}"));
        };
        if body.job_id != job_id {
            fail(Reason::ManifestJob, &format!("manifest names job {}", body.job_id));
        }
        if let Some(genesis) = walk.replay.genesis()
            && (body.org_id != genesis.org_id || Some(&body.database_id) != genesis.database_id.as_ref())
        {
            let names = format!("{}/{}", body.org_id, body.database_id);
            fail(Reason::ManifestSubject, &format!("manifest is of {names}, not of the chain's subject"));
        }
        for contradiction in manifest.contradictions() {
            fail(contradiction.reason, &format!("manifest contradicts itself: {contradiction}"));
        }
        match walk.replay.completed().get(&job_id) {
            // Without a chain nothing is announced; that it is absent was told.
            None if walk.events() == 0 => {}
            None => fail(Reason::ManifestAnnounced, "no backup.completed row announces the manifest"),
            Some(completed) => {
                if completed.manifest_sha256 != manifest.hash() {
                    fail(Reason::ManifestAnnounced, "manifest has another digest than the chain announces");
                }
                if (completed.checksum_sha256, completed.size_bytes)
                    != (body.checksum_sha256, body.size_bytes)
                {
                    fail(Reason::ManifestAnnounced, "manifest and chain name different artifacts");
                }
                if let Some(flaw) = self.anchor_flaw(manifest, completed) {
                    fail(Reason::ManifestAnchor, flaw);
                } else if walk.hash_at(body.audit_anchor.seq) == RowHash::NotShown {
                    let detail = format!("manifest's anchor is not shown for backup_job={job_id}");
                    findings.skip(Reason::ManifestAnchor, detail);
                }
            }
        }
        self.dated(BundlePath::Manifest(job_id), body.finished_at);
        let signed = is_signed_by_chain(manifest, job_id, body.audit_anchor.seq, self.survey, findings);
        self.manifests_verified += u64::from(signed);
        self.manifests.insert(
            job_id,
            ManifestFacts {
                job_id: body.job_id,
                size_bytes: body.size_bytes,
                checksum_sha256: body.checksum_sha256,
                plaintext_size_bytes: body
                    .encryption
                    .as_ref()
                    .map_or(body.size_bytes, |encryption| encryption.plaintext_size_bytes),
                index: body.index.as_ref().map(|index| (index.checksum_sha256, index.size_bytes)),
                content_root: body.content_root,
            },
        );
    }

    fn anchor_flaw(&mut self, manifest: &Manifest, completed: &Completed) -> Option<&'static str> {
        let (walk, anchor) = (&self.survey.walk, manifest.body().audit_anchor);
        if walk.replay.genesis().is_some_and(|genesis| genesis.chain_id != anchor.chain_id) {
            return Some("manifest is anchored in another chain");
        }
        if !(completed.queued_seq..completed.seq).contains(&anchor.seq) {
            return Some("manifest is not anchored between the job's queued and completed rows");
        }
        match walk.hash_at(anchor.seq) {
            RowHash::Known(hash) if hash == anchor.hash => None,
            RowHash::Known(_) | RowHash::None => Some("manifest's anchor is not the chain's row"),
            RowHash::NotShown => None,
            RowHash::LeftOut => {
                self.anchors_open.entry(anchor.seq).or_default().push((manifest.body().job_id, anchor.hash));
                None
            }
        }
    }

    fn index(&mut self, job_id: JobId, bytes: &[u8], findings: &mut Findings) -> Result<(), FormError> {
        let facts = self.manifests.get(&job_id);
        let plaintext_bytes = facts.map_or(0, |facts| facts.plaintext_size_bytes);
        let (mut tables, mut is_contradicted) = (Tree::new(), false);
        let artifact = self.survey.files.get(&BundlePath::Artifact(job_id));
        let artifact_bytes = artifact.map_or(0, |artifact| artifact.size);
        let index = index::read(bytes, artifact_bytes, |entry| {
            if entry.is_table_data() {
                tables.push(&entry.to_canonical());
            }
            is_contradicted |= entry.contradictions(plaintext_bytes).next().is_some();
        })?;
        let Some((manifest, named)) = facts.and_then(|facts| Some((facts, facts.index?))) else {
            let detail = format!("archive index is named by no manifest for backup_job={job_id}");
            findings.fail(Reason::IndexUnnamed, detail);
            return Ok(());
        };
        let file = &self.survey.files[&BundlePath::Index(job_id)];
        let mut flawless = true;
        let mut fail = |reason, detail: &str| {
            flawless = false;
            findings.fail(reason, format!("{detail} for backup_job={job_id}"));
        };
        if (file.sha256, file.size) != named {
            fail(Reason::IndexDigest, "archive index is not the one the manifest names");
        }
        if index.job_id != manifest.job_id {
            fail(Reason::IndexRules, &format!("archive index names job {}", index.job_id));
        }
        let mut contradicted = |flaw: String| {
            fail(Reason::IndexRules, &format!("archive index contradicts itself: {flaw}"));
        };
        index.contradictions(manifest.size_bytes, plaintext_bytes).for_each(&mut contradicted);
        if is_contradicted {
            index::read(bytes, 0, |entry| entry.contradictions(plaintext_bytes).for_each(&mut contradicted))?;
        }
        if manifest.content_root.is_some_and(|root| root != tables.root()) {
            fail(Reason::ManifestContentRoot, "contentRoot is not the root over the index's tables");
        }
        if flawless {
            findings.ok(Reason::IndexDigest, format!("archive index matches for backup_job={job_id}"));
        }
        match artifact {
            None => {}
            Some(_) if index.is_cut_as(artifact_bytes) => drop(self.chunks.insert(job_id, index.chunks)),
            Some(_) => chunks_differ(job_id, findings),
        }
        Ok(())
    }

    fn receipt(&mut self, job_id: JobId, receipt: &Receipt, findings: &mut Findings) {
        let (walk, body) = (&self.survey.walk, receipt.body());
        self.dated(BundlePath::Receipt(job_id), body.finished_at);
        let mut fail = |reason, detail: &str| {
            findings.fail(reason, format!("{detail} for drill_job={job_id}"));
        };
        if body.job_id != job_id {
            fail(Reason::ReceiptJob, &format!("receipt names job {}", body.job_id));
        }
        if let Some(genesis) = walk.replay.genesis()
            && (body.org_id != genesis.org_id || Some(&body.database_id) != genesis.database_id.as_ref())
        {
            fail(Reason::ReceiptSubject, "receipt is not of the chain's subject");
        }
        for contradiction in receipt.contradictions() {
            fail(contradiction.reason, &format!("receipt contradicts itself: {contradiction}"));
        }
        let Some(end) = walk.replay.drills().get(&job_id) else {
            if walk.events() > 0 {
                fail(Reason::ReceiptAnnounced, "no drill's last row announces the receipt");
            }
            return;
        };
        if end.receipt_sha256 != Some(receipt.hash()) {
            fail(Reason::ReceiptAnnounced, "receipt has another digest than the chain announces");
        }
        if end.passed != body.passed {
            fail(Reason::ReceiptAnnounced, "receipt and chain name different outcomes");
        }
        let restored = walk.replay.backup_of(&body.manifest_sha256);
        let hidden = restored.is_none() && walk.shown().is_some();
        if !hidden && restored.is_none_or(|(_, completed)| completed.seq >= end.seq) {
            fail(Reason::ReceiptManifest, "receipt names a manifest no backup before completed with");
        }
        let signed = is_signed_by_chain(receipt, job_id, end.seq, self.survey, findings);
        self.receipts_verified += u64::from(signed);
    }

    fn dated(&mut self, path: BundlePath, at: Timestamp) {
        if self.last_dated.is_none_or(|(_, latest)| at > latest) {
            self.last_dated = Some((path, at));
        }
    }

    /// The document with the latest time, and that.
    pub(super) fn last_dated(&self) -> Option<(String, Timestamp)> {
        self.last_dated.map(|(path, at)| (path.to_string(), at))
    }

    /// After the last document: what is missing, and the artifacts.
    pub(super) fn conclude(&mut self, findings: &mut Findings) {
        let files = &self.survey.files;
        for job_id in self.survey.walk.replay.completed().keys() {
            if !files.contains_key(&BundlePath::Manifest(*job_id)) {
                findings.about(BundlePath::Manifest(*job_id));
                findings.fail(Reason::ManifestMissing, format!("manifest is absent for backup_job={job_id}"));
            }
        }
        for (job_id, end) in self.survey.walk.replay.drills() {
            if end.receipt_sha256.is_some() && !files.contains_key(&BundlePath::Receipt(*job_id)) {
                findings.about(BundlePath::Receipt(*job_id));
                findings.fail(Reason::ReceiptMissing, format!("receipt is absent for drill_job={job_id}"));
            }
        }
        for path in files.keys() {
            if let BundlePath::Artifact(job_id) = path
                && !self.manifests.contains_key(job_id)
            {
                findings.about(path);
                let detail = format!("artifact is named by no manifest for backup_job={job_id}");
                findings.fail(Reason::ArtifactUnnamed, detail);
            }
        }
        for (job_id, manifest) in &self.manifests {
            findings.about(BundlePath::Artifact(*job_id));
            let Some(artifact) = files.get(&BundlePath::Artifact(*job_id)) else {
                findings.skip(
                    Reason::ArtifactDigest,
                    format!("manifest artifact not in the bundle for backup_job={job_id}"),
                );
                continue;
            };
            let found = artifact.sha256.to_string();
            if (artifact.sha256, artifact.size) == (manifest.checksum_sha256, manifest.size_bytes) {
                self.artifacts_checked += 1;
                findings.ok(
                    Reason::ArtifactDigest,
                    format!("manifest artifact sha256 matches for backup_job={job_id} ({}…)", &found[..10]),
                );
            } else {
                findings.fail(
                    Reason::ArtifactDigest,
                    format!(
                        "manifest artifact sha256 or size differs for backup_job={job_id} ({}…)",
                        &found[..10]
                    ),
                );
            }
        }
    }

    /// Rows whose hash is still asked for.
    pub(super) fn rows_asked_for(&self) -> BTreeSet<u64> {
        self.anchors_open.keys().copied().collect()
    }

    /// Compares the anchors that were left open with the chain's rows.
    pub(super) fn judge_anchors(&self, hashes: &BTreeMap<u64, Sha256>, findings: &mut Findings) {
        for (seq, anchored) in &self.anchors_open {
            for (job_id, hash) in anchored {
                if hashes.get(seq) != Some(hash) {
                    findings.about(BundlePath::Manifest(*job_id));
                    let detail = format!("manifest's anchor is not the chain's row for backup_job={job_id}");
                    findings.fail(Reason::ManifestAnchor, detail);
                }
            }
        }
    }

    /// Whether there are artifacts whose chunks are to be compared with an index.
    pub(super) fn has_chunks(&self) -> bool {
        !self.chunks.is_empty()
    }

    /// The digests the chunks of a job's artifact must have.
    pub(super) fn chunks_of(&self, job_id: JobId) -> Option<&[Sha256]> {
        self.chunks.get(&job_id).map(Vec::as_slice)
    }

    /// Compares an artifact's chunks with its index.
    pub(super) fn judge_chunks(&self, job_id: JobId, chunks: &[Sha256], findings: &mut Findings) {
        if self.chunks_of(job_id) == Some(chunks) {
            findings.about(BundlePath::Artifact(job_id));
            findings.ok(Reason::IndexChunks, format!("artifact chunks match for backup_job={job_id}"));
        } else {
            chunks_differ(job_id, findings);
        }
    }
}

fn chunks_differ(job_id: JobId, findings: &mut Findings) {
    findings.about(BundlePath::Artifact(job_id));
    let detail = format!("artifact chunks differ from the archive index for backup_job={job_id}");
    findings.fail(Reason::IndexChunks, detail);
}
