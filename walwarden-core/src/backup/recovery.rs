//! A backup that was stored by a catalogue which is lost.
//!
//! The rows of a job reach the destination before its manifest does, so a rebuilt catalogue may know a job as
//! unfinished whose manifest is stored already, and has no notes about it. The manifest itself is the note then.

use walwarden_verify::key::PublicKey;
use walwarden_verify::layout::BackupObject;
use walwarden_verify::manifest::{Manifest, ManifestBody};

use super::attempt::Attempt;
use super::receipt::Receipt;
use crate::catalog::{Job, Progress};
use crate::chain::ChainKeys;
use crate::error::{Code, Error, Result};
use crate::manifest;
use crate::storage::StorageExt;

/// The receipt of a job without notes, from its stored manifest, which is noted again.
///
/// # Errors
/// `object-exists` when the destination has a dump that nothing tells of, or a manifest that is not ours.
pub(super) async fn receipt(attempt: &Attempt<'_>, job: &Job) -> Result<Option<Receipt>> {
    let artifact = job.object_name(BackupObject::Artifact)?;
    if !attempt.holds(&artifact).await? {
        return Ok(None);
    }
    let unknown = |what: &str| {
        Error::new(Code::ObjectExists, format!("the destination holds a dump {what} name={artifact}"))
    };
    let name = job.object_name(BackupObject::Manifest)?;
    let bytes = match attempt.destination().read(&name, manifest::LIMIT_BYTES).await {
        Err(error) if error.code() == Code::ObjectMissing => return Err(unknown("that nothing tells of")),
        outcome => outcome?,
    };
    let manifest = Manifest::parse(&bytes)
        .map_err(|error| unknown("whose manifest cannot be read").with_source(error))?;
    let key = signed_by(attempt, job, manifest.body())
        .await?
        .ok_or_else(|| unknown("whose manifest is not ours"))?;
    let manifest =
        manifest.verify(&key).map_err(|error| unknown("whose manifest is not ours").with_source(error))?;
    let body = manifest.body();
    if (body.job_id, body.artifact_key.as_str()) != (job.id, artifact.as_str()) {
        return Err(unknown("whose manifest speaks of another"));
    }
    if !is_anchored(attempt, job, body).await? {
        return Err(unknown("whose manifest names a row that the chain has not"));
    }
    let receipt = Receipt::of(body);
    let noted = receipt.to_bytes();
    let note = |progress: &mut Progress| {
        progress.receipt = Some(noted);
        progress.manifest = Some(bytes);
    };
    attempt.held.note(note).await?;
    attempt
        .watch
        .notice("the backup's manifest was stored before the catalogue was lost; it is compared again");
    Ok(Some(receipt))
}

/// The key that the manifest names, if it is the chain's at its anchor and its bytes are known.
async fn signed_by(attempt: &Attempt<'_>, job: &Job, body: &ManifestBody) -> Result<Option<PublicKey>> {
    let Some(chain) = attempt.parts.catalog.chain(&job.subject).await? else { return Ok(None) };
    let keys = ChainKeys::of(chain.audit.as_ref()).await?;
    if keys.at(body.audit_anchor.seq) != body.signer {
        return Ok(None);
    }
    let ours = *attempt.parts.signer()?.public_key();
    let mut known = keys.public().copied().chain([ours]);
    Ok(known.find(|key| key.key_id() == body.signer))
}

async fn is_anchored(attempt: &Attempt<'_>, job: &Job, body: &ManifestBody) -> Result<bool> {
    let Some(chain) = attempt.parts.catalog.chain(&job.subject).await? else { return Ok(false) };
    let anchor = &body.audit_anchor;
    let rows = chain.audit.rows(anchor.seq, 1).await?;
    Ok(chain.chain_id == anchor.chain_id && rows.first().is_some_and(|row| row.hash == anchor.hash))
}
