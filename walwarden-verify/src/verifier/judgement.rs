//! What is judged once the bundle was read through: chain, documents, what closes the chain, who saw it, and the demands.

use std::io::{Read, Seek};

use super::closing::{self, KeptCheckpoint};
use super::documents::Documents;
use super::outside::Outside;
use super::survey::Survey;
use super::witnesses::{self, Witnessed};
use super::{Verifier, demands, stamps};
use crate::Timestamp;
use crate::bundle::Fault;
use crate::key::PublicKey;
use crate::reason::{Exit, Reason};
use crate::report::{Findings, Level, Report};

impl Verifier {
    pub(super) fn judge<R: Read + Seek>(
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
        let documents = self.judge_documents(input, input_bytes, survey, findings)?;
        report.manifests = documents.manifests_verified;
        report.receipts = documents.receipts_verified;
        report.artifacts_checked = documents.artifacts_checked;
        report.stamped_at = self.judge_stamp(survey, findings);
        let witnessed = self.judge_checkpoints(survey, kept, findings, report);
        let latest_row =
            (survey.walk.events() > 0).then(|| ("the latest row".to_owned(), survey.walk.replay.latest_at()));
        let dated = latest_row.into_iter().chain(documents.last_dated()).collect();
        self.judge_times(&witnessed, dated, findings, report);
        report.level = reached(survey, findings, report);
        findings.about("policy");
        // Without a chain, which is told, there is nothing to demand of.
        if let (Some(policy), Some(genesis)) = (&self.policy, survey.walk.replay.genesis()) {
            demands::judge(policy, genesis, survey, self.as_of.or(self.now), report, findings);
        }
        Ok(())
    }

    /// Manifests, indexes, receipts and dumps; for what is not held of them the bundle is read again.
    fn judge_documents<'a, R: Read + Seek>(
        &self,
        input: &mut R,
        input_bytes: u64,
        survey: &'a Survey,
        findings: &mut Findings,
    ) -> Result<Documents<'a>, Fault> {
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
        Ok(documents)
    }

    fn judge_stamp(&self, survey: &Survey, findings: &mut Findings) -> Option<Timestamp> {
        #[cfg(feature = "timestamps")]
        return stamps::judge(survey, self.authorities.as_ref(), findings);
        #[cfg(not(feature = "timestamps"))]
        stamps::judge(survey, findings)
    }

    /// The bundle's checkpoint and list, and the kept checkpoint; returns who cosigned the bundle's.
    fn judge_checkpoints(
        &self,
        survey: &Survey,
        kept: Option<KeptCheckpoint>,
        findings: &mut Findings,
        report: &mut Report,
    ) -> Vec<Witnessed> {
        let witnessed = closing::judge(survey, &self.witnesses, findings);
        report.witnesses = witnessed.iter().map(|witnessed| witnessed.cosignature.clone()).collect();
        report.witnessed = match &self.witness_policy {
            Some(policy) => witnesses::judge(policy, survey, &witnessed, findings),
            None => !witnessed.is_empty(),
        };
        report.continuous = kept.is_some_and(|kept| kept.judge(survey, &self.witnesses, findings));
        witnessed
    }

    /// What others say of the time, if it is of these very rows, and that nothing is dated later.
    fn judge_times(
        &self,
        witnessed: &[Witnessed],
        dated: Vec<(String, Timestamp)>,
        findings: &mut Findings,
        report: &mut Report,
    ) {
        report.last_dated_at = dated.iter().map(|(_, at)| *at).max();
        if !findings.holds(Reason::CheckpointRoot) || findings.failed(Reason::CheckpointOrigin) {
            return;
        }
        let outside =
            Outside::new(witnessed, report.stamped_at, |keys| self.believes(keys), self.min_witnesses());
        (report.existed_by, report.latest_at) = (outside.existed_by, outside.latest_at);
        outside.judge(dated, findings);
    }

    /// Whether the auditor believes these witnesses: the quorum of his witness policy or, without one, any of them.
    fn believes(&self, witnesses: &[PublicKey]) -> bool {
        let quorum = self.witness_policy.as_ref().is_none_or(|policy| policy.is_met_by(witnesses));
        !witnesses.is_empty() && quorum
    }

    /// How many witnesses the auditor demands besides.
    fn min_witnesses(&self) -> u64 {
        self.policy.as_ref().and_then(|policy| policy.min_witnesses).unwrap_or(0)
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
