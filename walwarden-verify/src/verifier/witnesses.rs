//! Who besides the chain's own key signed the checkpoint, and whether they are enough.

use super::survey::Survey;
use crate::checkpoint::{Cosignature, SignedNote, Vkey, origin};
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::Findings;
use crate::{Timestamp, WitnessPolicy};

/// A witness cosigned the checkpoint.
pub(super) struct Witnessed {
    name: String,
    pub(super) key: PublicKey,
    pub(super) at: Timestamp,
}

impl Witnessed {
    pub(super) fn cosignature(&self) -> Cosignature {
        Cosignature { name: self.name.clone(), at: self.at }
    }
}

/// Judges the cosignatures by known witnesses. A key counts once, under however many names.
pub(super) fn cosignatures(note: &SignedNote, witnesses: &[Vkey], findings: &mut Findings) -> Vec<Witnessed> {
    let mut seen: Vec<Witnessed> = Vec::new();
    for (at, witness) in witnesses.iter().enumerate() {
        if witnesses[..at].contains(witness) {
            continue;
        }
        match witness.cosignature(note) {
            Ok(Some(Cosignature { name, at, .. })) => {
                findings.ok(Reason::WitnessSignature, format!("checkpoint witnessed by {name} at {at}"));
                match seen.iter_mut().find(|other| other.key == *witness.key()) {
                    Some(other) => other.at = other.at.max(at),
                    None => seen.push(Witnessed { name, key: *witness.key(), at }),
                }
            }
            Ok(None) => {
                let detail = format!("checkpoint not witnessed by {}", witness.name());
                findings.skip(Reason::WitnessSignature, detail);
            }
            Err(_) => {
                let detail = format!("cosignature by {} invalid", witness.name());
                findings.fail(Reason::WitnessSignature, detail);
            }
        }
    }
    seen
}

/// Whether witnesses cosigned as the policy demands. A policy that asks for none is met, and shows no witness.
pub(super) fn judge(
    policy: &WitnessPolicy,
    survey: &Survey,
    witnessed: &[Witnessed],
    findings: &mut Findings,
) -> bool {
    findings.about("witness policy");
    if let Some(genesis) = survey.walk.replay.genesis()
        && !policy.logs().is_empty()
    {
        let origin = origin(&genesis.org_id, genesis.chain_id);
        let is_key = |key: &PublicKey| survey.walk.replay.keys().all().any(|id| id == key.key_id());
        if policy.logs().iter().any(|log| log.name() == origin && is_key(log.key())) {
            findings.ok(Reason::WitnessLog, "the witness policy names this chain among its logs");
        } else {
            findings.fail(Reason::WitnessLog, "the witness policy names other logs than this chain");
        }
    }
    let cosigners: Vec<PublicKey> = witnessed.iter().map(|witnessed| witnessed.key).collect();
    let met = policy.is_met_by(&cosigners);
    let detail = format!("{} of {} witnesses cosigned", cosigners.len(), policy.witnesses().count());
    match (policy.asks_for_witnesses(), met) {
        (false, _) => findings.skip(Reason::WitnessQuorum, "the witness policy asks for no witness"),
        (true, true) => findings.ok(Reason::WitnessQuorum, format!("quorum of witnesses: {detail}")),
        (true, false) => findings.fail(Reason::WitnessQuorum, format!("no quorum of witnesses: {detail}")),
    }
    policy.asks_for_witnesses() && met
}
