//! What closes a chain: its checkpoint, the signed list of files, and the checkpoint the auditor kept.

use super::survey::{Survey, form_reason};
use super::witnesses::{Witnessed, cosignatures};
use crate::bundle::BundlePath;
use crate::checkpoint::{Checkpoint, SignedNote, Vkey, origin};
use crate::form::FormError;
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::Findings;
use crate::statement::{Envelope, Statement};

/// Judges `checkpoint` and `bundle.json`, and returns who witnessed the former.
pub(super) fn judge(survey: &Survey, witnesses: &[Vkey], findings: &mut Findings) -> Vec<Witnessed> {
    findings.about(BundlePath::Checkpoint);
    let witnessed = match &survey.checkpoint {
        Some(bytes) => judge_checkpoint(survey, bytes, witnesses, findings),
        None => {
            findings.fail(Reason::BundleFileMissing, "checkpoint is absent");
            Vec::new()
        }
    };
    findings.about(BundlePath::Statement);
    match &survey.statement {
        Some(bytes) => match Envelope::parse(bytes) {
            Ok(envelope) => judge_statement(survey, &envelope, findings),
            Err(error) => {
                let detail = format!("bundle.json is malformed: {error}");
                findings.fail(form_reason(Reason::StatementForm, &error), detail);
            }
        },
        None => findings.fail(Reason::BundleFileMissing, "bundle.json is absent"),
    }
    witnessed
}

fn parse(note: &[u8]) -> Result<(SignedNote, Checkpoint), FormError> {
    let note = SignedNote::parse(note)?;
    let checkpoint = Checkpoint::parse_body(note.body())?;
    Ok((note, checkpoint))
}

fn judge_checkpoint(
    survey: &Survey,
    bytes: &[u8],
    witnesses: &[Vkey],
    findings: &mut Findings,
) -> Vec<Witnessed> {
    let (note, checkpoint) = match parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => {
            let detail = format!("checkpoint is malformed: {error}");
            findings.fail(form_reason(Reason::CheckpointForm, &error), detail);
            return Vec::new();
        }
    };
    let walk = &survey.walk;
    let Some(genesis) = walk.replay.genesis() else { return Vec::new() };
    let expected = origin(&genesis.org_id, genesis.chain_id);
    if checkpoint.origin != expected {
        let detail = format!("checkpoint is of {}, not of {expected}", checkpoint.origin);
        findings.fail(Reason::CheckpointOrigin, detail);
    }
    let events = walk.events();
    if checkpoint.size != events {
        let detail = format!("checkpoint says {} events, there are {events}", checkpoint.size);
        findings.fail(Reason::CheckpointSize, detail);
    } else if checkpoint.root != walk.root() {
        let detail = format!("checkpoint says root {}, the rows give {}", checkpoint.root, walk.root());
        findings.fail(Reason::CheckpointRoot, detail);
    } else {
        findings.ok(Reason::CheckpointRoot, format!("checkpoint covers exactly the {events} events"));
    }
    // A signature is judged under the name in the note: another one is an origin of its own, told above.
    let name = &checkpoint.origin;
    if let Some(key) = closing_key(survey, "the checkpoint", findings) {
        match note.verify(name, key) {
            Ok(true) => findings.ok(Reason::CheckpointSignature, "checkpoint signature valid"),
            Ok(false) => {
                findings.fail(Reason::CheckpointSignature, "the chain's key did not sign the checkpoint")
            }
            Err(error) => findings.fail(Reason::CheckpointSignature, format!("checkpoint: {error}")),
        }
    }
    cosignatures(&note, witnesses, findings)
}

fn judge_statement(survey: &Survey, envelope: &Envelope, findings: &mut Findings) {
    let (walk, statement) = (&survey.walk, envelope.statement());
    judge_files(survey, statement, findings);
    findings.about(BundlePath::Statement);
    if let Some(genesis) = walk.replay.genesis() {
        let names = (&statement.org_id, &statement.database_id, statement.chain_id);
        if names != (&genesis.org_id, &genesis.database_id, genesis.chain_id) {
            findings.fail(Reason::StatementSubject, "bundle.json names another subject than the chain");
        }
    }
    let range = (statement.first_seq, statement.last_seq, statement.backups, statement.rows_shown);
    let found = (1, walk.events(), walk.backups(), walk.shown());
    if walk.events() > 0 && range != found {
        let told = |(first, last, backups, shown): (u64, u64, u64, Option<u64>)| {
            let shown = shown.map_or_else(|| "all".to_owned(), |rows| rows.to_string());
            format!("rows {first} to {last}, {shown} shown, {backups} backups")
        };
        let detail = format!("bundle.json says {}; the chain has {}", told(range), told(found));
        findings.fail(Reason::StatementRange, detail);
    }
    if statement.created_at < walk.replay.at() {
        let detail = format!("bundle.json was made {}, before the last row", statement.created_at);
        findings.fail(Reason::StatementTime, detail);
    }
    if let Some(key) = closing_key(survey, "bundle.json", findings) {
        if envelope.is_signed_by(key) {
            findings.ok(Reason::StatementSignature, "bundle.json signature valid");
        } else {
            findings.fail(Reason::StatementSignature, "the chain's key did not sign bundle.json");
        }
    }
}

/// The chain's key at its last row. One that was revoked must not sign, whether its bytes are known or not.
fn closing_key<'a>(survey: &'a Survey, what: &str, findings: &mut Findings) -> Option<&'a PublicKey> {
    let (key_id, revoked) = survey.walk.key_at(survey.walk.events())?;
    if revoked {
        findings.fail(Reason::KeyRevoked, format!("the key that must sign {what} was revoked"));
    }
    survey.keyring_or_fail(key_id, findings)
}

fn judge_files(survey: &Survey, statement: &Statement, findings: &mut Findings) {
    let mut unlisted = survey.files.len() - usize::from(survey.statement.is_some());
    for (name, sha256) in &statement.files {
        let path = BundlePath::parse(name);
        findings.about(name);
        match path.and_then(|path| survey.files.get(&path)) {
            None => findings.fail(Reason::StatementFileMissing, format!("{name} is listed and absent")),
            Some(file) => {
                unlisted = unlisted.saturating_sub(1);
                if file.sha256 != *sha256 {
                    findings.fail(Reason::StatementFiles, format!("{name} differs from its listing"));
                }
            }
        }
    }
    if unlisted > 0 {
        let listed = |path: &BundlePath| {
            let name = path.to_string();
            statement.files.binary_search_by(|(listed, _)| listed.as_str().cmp(name.as_str())).is_ok()
        };
        let others = survey.files.keys().filter(|path| **path != BundlePath::Statement);
        for path in others.filter(|path| !listed(path)) {
            findings.about(path);
            findings.fail(Reason::StatementFiles, format!("{path} is not listed in bundle.json"));
        }
        return;
    }
    findings.about(BundlePath::Statement);
    if !findings.failed(Reason::StatementFiles) && !findings.failed(Reason::StatementFileMissing) {
        findings.ok(Reason::StatementFiles, format!("all {} listed files match", statement.files.len()));
    }
}

/// A checkpoint of an earlier day, from the auditor's own drawer.
pub(super) struct KeptCheckpoint {
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl KeptCheckpoint {
    pub(super) fn read(note: &[u8], findings: &mut Findings) -> Option<Self> {
        findings.about(KEPT);
        match parse(note) {
            Ok((note, checkpoint)) => Some(KeptCheckpoint { note, checkpoint }),
            Err(error) => {
                let is_request = note.starts_with(b"old ");
                let hint =
                    if is_request { "; this is a request to a witness: keep what it cosigned" } else { "" };
                let detail = format!("kept checkpoint is malformed: {error}{hint}");
                findings.fail(Reason::KeptCheckpointForm, detail);
                None
            }
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Whether the chain goes on from here.
    pub(super) fn judge(&self, survey: &Survey, witnesses: &[Vkey], findings: &mut Findings) -> bool {
        let walk = &survey.walk;
        let (Checkpoint { origin: name, size, root }, events) = (&self.checkpoint, walk.events());
        let Some(genesis) = walk.replay.genesis() else { return false };
        let mut flaws = Vec::new();
        if *name != origin(&genesis.org_id, genesis.chain_id) {
            flaws
                .push((Reason::KeptCheckpointOrigin, format!("kept checkpoint is of {name}, another chain")));
        }
        if *size == 0 || *size > events {
            let detail = format!("kept checkpoint says {size} events, there are {events}");
            flaws.push((Reason::KeptCheckpointSize, detail));
        } else if walk.shown().is_some() && walk.kept_root().is_none() {
            let detail = format!("what is shown does not tell the root over the first {size} events");
            flaws.push((Reason::KeptCheckpointHidden, detail));
        } else if walk.kept_root() != Some(*root) {
            let detail = format!("the first {size} events have not the root of the kept checkpoint");
            flaws.push((Reason::KeptCheckpointRoot, detail));
        }
        // Before the first row the chain had no key.
        if let Some((key_id, revoked)) = walk.key_at(*size) {
            if revoked {
                let detail = "the key that must sign the kept checkpoint was revoked".to_owned();
                flaws.push((Reason::KeyRevoked, detail));
            }
            match survey.keyring.get(key_id).map(|key| self.note.verify(name, key)) {
                Some(Ok(true)) => {}
                Some(_) => flaws.push((
                    Reason::KeptCheckpointSignature,
                    "the chain's key of that time did not sign the kept checkpoint".to_owned(),
                )),
                None => flaws.push((
                    Reason::KeyUnavailable,
                    "the bytes of the key that signed the kept checkpoint are nowhere to be found".to_owned(),
                )),
            }
        }
        if witnesses.iter().any(|witness| witness.cosignature(&self.note).is_err()) {
            let detail = "a cosignature of the kept checkpoint is invalid".to_owned();
            flaws.push((Reason::WitnessSignature, detail));
        }
        findings.about(KEPT);
        let flawless = flaws.is_empty();
        for (reason, detail) in flaws {
            findings.fail(reason, detail);
        }
        if flawless {
            let detail = format!("chain goes on from the kept checkpoint of {size} events");
            findings.ok(Reason::KeptCheckpointRoot, detail);
        }
        flawless
    }
}

const KEPT: &str = "kept checkpoint";
