//! Manifests and receipts are signed by the key that the chain had at a row.

use super::survey::Survey;
use crate::key::PublicKey;
use crate::manifest::Contradiction;
use crate::reason::Reason;
use crate::receipt::Receipt;
use crate::report::Findings;
use crate::{JobId, KeyId, Manifest};

/// A document that a job leaves behind, signed.
pub(super) trait Signed {
    const NAME: &str;
    /// What its job is called.
    const JOB: &str;
    /// It is signed by the chain's key.
    const SIGNER: Reason;
    /// Its signature is good.
    const SIGNATURE: Reason;

    fn signer(&self) -> KeyId;
    fn verify(&self, key: &PublicKey) -> Result<(), Contradiction>;
}

impl Signed for Manifest {
    const NAME: &str = "manifest";
    const JOB: &str = "backup_job";
    const SIGNER: Reason = Reason::ManifestSigner;
    const SIGNATURE: Reason = Reason::ManifestSignature;

    fn signer(&self) -> KeyId {
        self.body().signer
    }

    fn verify(&self, key: &PublicKey) -> Result<(), Contradiction> {
        self.verify_signature(key)
    }
}

impl Signed for Receipt {
    const NAME: &str = "receipt";
    const JOB: &str = "drill_job";
    const SIGNER: Reason = Reason::ReceiptSigner;
    const SIGNATURE: Reason = Reason::ReceiptSignature;

    fn signer(&self) -> KeyId {
        self.body().signer
    }

    fn verify(&self, key: &PublicKey) -> Result<(), Contradiction> {
        self.verify_signature(key)
    }
}

/// Judges the signature: whether it is good, by the key that the chain had at this row, and by one that was not revoked.
pub(super) fn is_signed_by_chain<D: Signed>(
    document: &D,
    job_id: JobId,
    seq: u64,
    survey: &Survey,
    findings: &mut Findings,
) -> bool {
    let (name, of_job) = (D::NAME, format!("for {}={job_id}", D::JOB));
    let Some((key_id, revoked)) = survey.walk.key_at(seq) else {
        findings.skip(D::SIGNATURE, format!("{name} signature not checked {of_job}: no key at row {seq}"));
        return false;
    };
    if revoked {
        findings.fail(Reason::KeyRevoked, format!("{name} is signed by a revoked key {of_job}"));
    }
    let signer = document.signer();
    if signer != key_id {
        findings.fail(D::SIGNER, format!("{name} is not signed by the chain's key {of_job}"));
    }
    // The signature is judged under the key it claims where that is known, so that each flaw has one reason.
    let Some(key) = survey.keyring_or_fail(signer, findings) else {
        findings.skip(D::SIGNATURE, format!("{name} signature not checked {of_job}: its key is unknown"));
        return false;
    };
    match document.verify(key) {
        Ok(()) => {
            findings.ok(D::SIGNATURE, format!("{name} signature valid {of_job}"));
            signer == key_id && !revoked
        }
        Err(error) => {
            findings.fail(error.reason, format!("{name} signature invalid {of_job}: {error}"));
            false
        }
    }
}
