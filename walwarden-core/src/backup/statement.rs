//! From a receipt to the signed manifest's exact bytes.

use bytes::Bytes;
use walwarden_verify::layout::BackupObject;
use walwarden_verify::manifest::{AuditAnchor, ManifestBody, ObjectDigest};

use super::attempt::Attempt;
use super::receipt::{Indexed, Object, Receipt};
use crate::catalog::Job;
use crate::error::{Code, Error, Result};
use crate::manifest;
use crate::mirror::Mirrored;

/// States what was stored, anchored in the chain as mirrored, and signs it.
pub(super) async fn sign(
    attempt: &Attempt<'_>,
    job: &Job,
    receipt: &Receipt,
    anchor: Mirrored,
) -> Result<Bytes> {
    let chain = attempt.parts.catalog.chain(&job.subject).await?.ok_or_else(|| {
        Error::new(Code::CatalogCorrupt, format!("the catalogue lacks the job's chain {}", job.subject))
    })?;
    let signer = attempt.parts.signer_at(chain.audit.as_ref(), anchor.head.seq).await?;
    let artifact = receipt.artifact.measured()?;
    let stated = |object: BackupObject, receipt: &Object| -> Result<ObjectDigest> {
        let (key, measured) = (job.object_name(object)?.to_string(), receipt.measured()?);
        Ok(ObjectDigest { key, size_bytes: measured.size_bytes, checksum_sha256: measured.sha256 })
    };
    let index = receipt.index.as_ref();
    let globals = receipt.globals.as_ref();
    let body = ManifestBody {
        org_id: job.subject.org_id.clone(),
        database_id: attempt.database_id().clone(),
        job_id: job.id,
        database_name: receipt.database_name.clone(),
        queued_at: job.queued_at,
        started_at: receipt.started_at()?,
        finished_at: receipt.finished_at()?,
        server_version: receipt.server_version.clone(),
        dump_version: receipt.dump_version.clone(),
        snapshot_lsn: None,
        artifact_key: job.object_name(BackupObject::Artifact)?.to_string(),
        size_bytes: artifact.size_bytes,
        checksum_sha256: artifact.sha256,
        compression: receipt.compression()?,
        encryption: None,
        index: index.map(|index| stated(BackupObject::Index, &index.object)).transpose()?,
        globals: globals.map(|globals| stated(BackupObject::Globals, globals)).transpose()?,
        content_root: index.map(Indexed::content_root).transpose()?,
        audit_anchor: AuditAnchor { chain_id: anchor.chain_id, seq: anchor.head.seq, hash: anchor.head.hash },
        signer: signer.public_key().key_id(),
    };
    let manifest = manifest::seal(body, signer.as_ref()).await?;
    Ok(Bytes::copy_from_slice(manifest.as_bytes()))
}
