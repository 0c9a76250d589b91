mod chain_walk;
mod closing;
mod demands;
mod documents;
mod keyring;
mod outside;
#[cfg(feature = "timestamps")]
mod stamps;
#[cfg(not(feature = "timestamps"))]
#[path = "verifier/stamps_unread.rs"]
mod stamps;
mod survey;
mod witnesses;

use std::io::{self, Read, Seek, SeekFrom};

use crate::budget::Budget;
use crate::bundle::Fault;
use crate::checkpoint::{AddCheckpoint, LogKey, Vkey};
use crate::key::PublicKey;
use crate::merkle::{RangeRoots, consistency_ranges};
use crate::policy::Policy;
use crate::reason::{Exit, Reason};
use crate::report::{Findings, Level, Report};
use crate::{KeyId, Timestamp, WitnessPolicy};

use chain_walk::ChainWalk;
use closing::KeptCheckpoint;
use documents::Documents;
use keyring::Keyring;
use outside::Outside;
pub(crate) use outside::is_ahead;
use survey::Survey;

/// Checks evidence bundles against the keys an auditor trusts.
///
/// ```
/// use std::io::Cursor;
/// use walwarden_verify::{Exit, Level, Verifier};
///
/// let verifier = Verifier::new().with_level(Level::Complete);
/// let report = verifier.verify(Cursor::new(b"not a bundle"))?;
/// assert_eq!(report.exit(), Exit::Malformed);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<PublicKey>,
    fingerprints: Vec<KeyId>,
    witnesses: Vec<Vkey>,
    witness_policy: Option<WitnessPolicy>,
    policy: Option<Policy>,
    kept_checkpoint: Option<Vec<u8>>,
    // Sizes from and to which a proof leads.
    proof: Option<(u64, u64)>,
    #[cfg(feature = "timestamps")]
    authorities: Option<crate::timestamp::Authorities>,
    level: Level,
    now: Option<Timestamp>,
    as_of: Option<Timestamp>,
    budget: Budget,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier::new()
    }
}

impl Verifier {
    /// Asks for level 2 and trusts no key yet.
    pub fn new() -> Self {
        Verifier {
            keys: Vec::new(),
            fingerprints: Vec::new(),
            witnesses: Vec::new(),
            witness_policy: None,
            policy: None,
            kept_checkpoint: None,
            proof: None,
            #[cfg(feature = "timestamps")]
            authorities: None,
            level: Level::Complete,
            now: None,
            as_of: None,
            budget: Budget::default(),
        }
    }

    /// Trusts a key.
    #[must_use]
    pub fn with_key(mut self, key: PublicKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Trusts a key by its name; its bytes are taken from the bundle.
    #[must_use]
    pub fn with_fingerprint(mut self, key_id: KeyId) -> Self {
        self.fingerprints.push(key_id);
        self
    }

    /// Trusts a witness. Without a witness policy, one of them is enough for level 3.
    #[must_use]
    pub fn with_witness(mut self, witness: Vkey) -> Self {
        self.witnesses.push(witness);
        self
    }

    /// Trusts the logs and witnesses of a policy, and demands its quorum.
    #[must_use]
    pub fn with_witness_policy(mut self, policy: WitnessPolicy) -> Self {
        self.keys.extend(policy.logs().iter().map(LogKey::key));
        self.witnesses.extend(policy.witnesses().cloned());
        self.witness_policy = Some(policy);
        self
    }

    /// Demands what a policy says besides.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Demands that the chain goes on from a checkpoint kept earlier: the bytes of a signed note.
    #[must_use]
    pub fn with_kept_checkpoint(mut self, note: impl Into<Vec<u8>>) -> Self {
        self.kept_checkpoint = Some(note.into());
        self
    }

    /// Puts the checkpoint into the report as a witness takes it that saw `old_size` rows last: with the proof from there to
    /// `size` rows, which is as many as the chain must have.
    #[must_use]
    pub fn with_request(mut self, old_size: u64, size: u64) -> Self {
        self.proof = Some((old_size, size));
        self
    }

    /// Demands a timestamp over the checkpoint by one of these authorities.
    #[cfg(feature = "timestamps")]
    #[must_use]
    pub fn with_authorities(mut self, authorities: crate::timestamp::Authorities) -> Self {
        self.authorities = Some(self.authorities.unwrap_or_default().and(authorities));
        self
    }

    /// Asks for another level than 2.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The caller's clock, for the age rules of a policy and the time of the report.
    #[must_use]
    pub fn with_now(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// Takes the ages that a policy limits as of this time, and not of the caller's clock. The report says so.
    #[must_use]
    pub fn with_as_of(mut self, as_of: Timestamp) -> Self {
        self.as_of = Some(as_of);
        self
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Checks a bundle. Whatever is wrong with it is in the report.
    ///
    /// # Errors
    ///
    /// Only when `input` cannot be read, or shows another content when it is read again.
    pub fn verify<R: Read + Seek>(&self, mut input: R) -> io::Result<Report> {
        let mut findings = Findings::new(self.budget.findings_told);
        let input_bytes = input.seek(SeekFrom::End(0))?;
        let kept = self.kept_checkpoint.as_deref().and_then(|note| KeptCheckpoint::read(note, &mut findings));
        let walk = ChainWalk::new(kept.as_ref().map(KeptCheckpoint::size), self.budget.row_hashes);
        let mut survey = Survey::new(walk, Keyring::new(&self.keys));
        if let Some((old_size, size)) = self.proof {
            survey.walk.gather(RangeRoots::new(consistency_ranges(old_size, size).unwrap_or_default()));
        }
        let mut report = self.empty_report();
        let judged = survey
            .read(&mut input, input_bytes, &self.budget, &mut findings)
            .and_then(|()| self.judge(&mut input, input_bytes, &survey, kept, &mut findings, &mut report));
        findings.about_all();
        match judged {
            Ok(()) => {}
            Err(Fault::Malformed(reason, detail)) => findings.fail(reason, detail),
            Err(Fault::Io(error)) => return Err(error),
        }
        report.events = survey.walk.shown().unwrap_or(survey.walk.events());
        report.hidden = survey.walk.events() - report.events;
        report.backups = survey.walk.backups();
        report.drills_passed = survey.walk.drills_passed();
        report.keys = survey.keys(&self.keys, &self.fingerprints);
        if let Some(genesis) = survey.walk.replay.genesis() {
            report.org_id = Some(genesis.org_id.clone());
            report.database_id = genesis.database_id.clone();
            report.chain_id = Some(genesis.chain_id);
        }
        report.request = self.request(&mut survey);
        self.conclude(&mut findings, &mut report);
        (report.findings, report.untold) = findings.into_parts();
        Ok(report)
    }

    fn judge<R: Read + Seek>(
        &self,
        input: &mut R,
        input_bytes: u64,
        survey: &Survey,
        kept: Option<KeptCheckpoint>,
        findings: &mut Findings,
        report: &mut Report,
    ) -> Result<(), Fault> {
        survey.judge_chain(findings);
        survey.judge_pins(&self.keys, &self.fingerprints, findings);
        let mut documents = Documents::new(survey);
        survey.visit_documents(input, input_bytes, &self.budget, |path, bytes| {
            documents.visit(path, bytes, findings);
        })?;
        documents.conclude(findings);
        let asked_for = documents.rows_asked_for();
        if !asked_for.is_empty() {
            let hashes = survey.row_hashes(input, input_bytes, &self.budget, &asked_for)?;
            documents.judge_anchors(&hashes, findings);
        }
        if documents.has_chunks() {
            survey.visit_chunks(
                input,
                input_bytes,
                &self.budget,
                |job_id| documents.chunks_of(job_id).is_some(),
                |job_id, chunks| documents.judge_chunks(job_id, chunks, findings),
            )?;
        }
        #[cfg(feature = "timestamps")]
        let stamped_at = stamps::judge(survey, self.authorities.as_ref(), findings);
        #[cfg(not(feature = "timestamps"))]
        let stamped_at = stamps::judge(survey, findings);
        report.stamped_at = stamped_at;
        let witnessed = closing::judge(survey, &self.witnesses, findings);
        report.witnesses = witnessed.iter().map(|witnessed| witnessed.cosignature.clone()).collect();
        report.witnessed = match &self.witness_policy {
            Some(policy) => witnesses::judge(policy, survey, &witnessed, findings),
            None => !witnessed.is_empty(),
        };
        report.continuous =
            kept.is_some_and(|kept| kept.judge(&survey.walk, &survey.keyring, &self.witnesses, findings));
        report.manifests = documents.manifests_verified;
        report.receipts = documents.receipts_verified;
        report.artifacts_checked = documents.artifacts_checked;
        let outside = Outside::new(&witnessed, stamped_at, |keys| self.believes(keys), self.min_witnesses());
        (report.existed_by, report.latest_at) = (outside.existed_by, outside.latest_at);
        let last_row =
            (survey.walk.events() > 0).then(|| ("the last row".to_owned(), survey.walk.replay.at()));
        let dated: Vec<(String, Timestamp)> = last_row.into_iter().chain(documents.last_dated()).collect();
        report.last_dated_at = dated.iter().map(|(_, at)| *at).max();
        outside.judge(dated, findings);
        report.level = reached(survey, findings, report);
        findings.about("policy");
        // Without a chain, which is told, there is nothing to demand of.
        if let Some(policy) = self.policy.as_ref().filter(|_| survey.walk.replay.genesis().is_some()) {
            let now = self.as_of.or(self.now);
            demands::judge(policy, survey, witnessed.len() as u64, now, report, findings);
        }
        Ok(())
    }

    /// Whether the auditor believes these witnesses: the quorum of his witness policy or, where it has none, any of them.
    fn believes(&self, witnesses: &[PublicKey]) -> bool {
        let quorum = self.witness_policy.as_ref().is_none_or(|policy| policy.is_met_by(witnesses));
        !witnesses.is_empty() && quorum
    }

    /// How many witnesses the auditor demands besides.
    fn min_witnesses(&self) -> u64 {
        self.policy.as_ref().and_then(|policy| policy.min_witnesses).unwrap_or(0)
    }

    fn request(&self, survey: &mut Survey) -> Option<AddCheckpoint> {
        let (old_size, _) = self.proof.filter(|(_, size)| *size == survey.walk.events())?;
        let proof = survey.walk.take_proof()?;
        let note = String::from_utf8(survey.checkpoint.clone()?).ok()?;
        Some(AddCheckpoint { old_size, proof, note })
    }

    fn conclude(&self, findings: &mut Findings, report: &mut Report) {
        if matches!(findings.exit_without_demands(), Exit::Malformed | Exit::Contradiction) {
            report.level = None;
        }
        let number = self.level.number();
        if report.levels().contains(&self.level) {
            findings.ok(Reason::Level, format!("level {number} reached"));
        } else {
            findings.fail(Reason::Level, format!("level {number} not reached"));
        }
    }

    fn empty_report(&self) -> Report {
        Report {
            findings: Vec::new(),
            asked: self.level,
            level: None,
            witnessed: false,
            continuous: false,
            org_id: None,
            database_id: None,
            chain_id: None,
            keys: Vec::new(),
            witnesses: Vec::new(),
            stamped_at: None,
            existed_by: None,
            last_dated_at: None,
            latest_at: None,
            events: 0,
            hidden: 0,
            backups: 0,
            drills_passed: 0,
            manifests: 0,
            receipts: 0,
            artifacts_checked: 0,
            request: None,
            untold: Default::default(),
            verified_at: self.now,
            as_of: self.as_of,
            bundle_sha256: None,
        }
    }
}

// What nothing contradicts so far; `conclude` takes it back where something does.
fn reached(survey: &Survey, findings: &Findings, report: &Report) -> Option<Level> {
    if survey.walk.events() == 0 {
        return None;
    }
    let signed =
        [Reason::CheckpointSignature, Reason::StatementSignature].iter().any(|by| findings.holds(*by));
    let is_signed = signed || report.manifests > 0 || report.receipts > 0;
    if !is_signed || findings.failed(Reason::KeyNoPin) || findings.failed(Reason::KeyUnavailable) {
        return Some(Level::SelfConsistent);
    }
    // What is not shown may be missing.
    if survey.walk.shown().is_some() {
        return Some(Level::Authentic);
    }
    match (findings.exit_without_demands(), report.continuous, report.witnessed) {
        (Exit::Reached, true, _) => Some(Level::Continuous),
        (Exit::Reached, false, true) => Some(Level::Witnessed),
        (Exit::Reached, false, false) => Some(Level::Complete),
        _ => Some(Level::Authentic),
    }
}
