mod chain_walk;
mod closing;
mod demands;
mod documents;
mod judgement;
mod keyring;
mod outside;
mod signed;
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
use keyring::Keyring;
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
