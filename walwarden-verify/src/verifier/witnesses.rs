//! Who besides the chain's own key signed the checkpoint, and whether they are enough.

use super::survey::Survey;
use crate::WitnessPolicy;
use crate::checkpoint::{Cosignature, SignedNote, Vkey, origin};
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::Findings;

/// A witness cosigned the checkpoint.
pub(super) struct Witnessed {
    pub(super) key: PublicKey,
    pub(super) cosignature: Cosignature,
}

/// Judges the cosignatures by known witnesses. A key counts once, under however many names.
pub(super) fn cosignatures(note: &SignedNote, witnesses: &[Vkey], findings: &mut Findings) -> Vec<Witnessed> {
    let mut seen: Vec<Witnessed> = Vec::new();
    for (at, witness) in witnesses.iter().enumerate() {
        if witnesses[..at].contains(witness) {
            continue;
        }
        match witness.cosignature(note) {
            Ok(Some(cosignature)) => {
                let detail = format!("checkpoint witnessed by {} at {}", cosignature.name, cosignature.at);
                findings.ok(Reason::WitnessSignature, detail);
                match seen.iter_mut().find(|other| other.key == *witness.key()) {
                    Some(Witnessed { cosignature: other, .. }) => {
                        other.at = other.at.max(cosignature.at);
                        other.first_at = other.first_at.min(cosignature.first_at);
                    }
                    None => seen.push(Witnessed { key: *witness.key(), cosignature }),
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
    // That there is no chain is told elsewhere, and nothing is demanded of it.
    let Some(genesis) = survey.walk.replay.genesis() else { return false };
    if !policy.logs().is_empty() {
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
