use super::EventKind;
use crate::form::{Fields, FormError};
use crate::json::Object;
use crate::key::{KeyId, PublicKey, Signature};
use crate::{ChainId, DatabaseId, JobId, OrgId, Sha256, TokenId};

/// Checks the form of an event: does it name a job exactly when its kind does, and has its payload the fields its
/// kind demands, each of the right type? Further fields are allowed. Writers and readers share this check.
///
/// # Errors
///
/// The first field that is missing or of the wrong type.
///
/// ```
/// use walwarden_verify::EventKind;
/// use walwarden_verify::event::check_payload;
/// use walwarden_verify::json::Object;
///
/// let payload = Object::from([("reason", "expired")]);
/// assert!(check_payload(EventKind::RestoreTokenRejected, None, &payload).is_ok());
/// assert!(check_payload(EventKind::RestoreTokenRejected, None, &Object::new()).is_err());
/// ```
pub fn check(kind: EventKind, job_id: Option<JobId>, payload: &Object) -> Result<(), FormError> {
    if kind.machine().is_some() != job_id.is_some() {
        let rule = if job_id.is_some() { "must be null in" } else { "must not be null in" };
        return Err(FormError::new(format!("field jobId {rule} {kind}")));
    }
    let mut fields = Fields::of(payload);
    match kind {
        EventKind::ChainGenesis => {
            fields.parsed::<ChainId>("chainId")?;
            fields.parsed::<OrgId>("orgId")?;
            fields.nullable("databaseId", Fields::parsed::<DatabaseId>)?;
            fields.format_version()?;
            fields.parsed::<KeyId>("keyId")?;
        }
        EventKind::BackupCompleted => {
            fields.parsed::<Sha256>("manifestSha256")?;
            fields.parsed::<Sha256>("checksumSha256")?;
            fields.number("sizeBytes")?;
        }
        EventKind::BackupFailed => {
            fields.text("class")?;
            fields.boolean("retryable")?;
            if fields.number("attempt")? == 0 {
                return Err(FormError::field("attempt", "is counted from 1"));
            }
        }
        EventKind::BackupPruned => {
            fields.parsed::<Sha256>("manifestSha256")?;
            fields.text("policy")?;
        }
        EventKind::RestoreTokenIssued => {
            fields.parsed::<TokenId>("tokenId")?;
            fields.parsed::<Sha256>("manifestSha256")?;
            if !matches!(fields.text("mode")?, "new_database" | "in_place") {
                return Err(FormError::field("mode", "is neither new_database nor in_place"));
            }
        }
        EventKind::RestoreTokenRejected => {
            fields.text("reason")?;
        }
        EventKind::RestoreFailed => {
            fields.text("class")?;
            fields.boolean("retryable")?;
        }
        EventKind::DrillPassed => {
            fields.parsed::<Sha256>("receiptSha256")?;
        }
        EventKind::DrillFailed => {
            fields.text("class")?;
            fields.nullable("receiptSha256", Fields::parsed::<Sha256>)?;
        }
        EventKind::KeyAdded => {
            fields.parsed::<KeyId>("keyId")?;
        }
        EventKind::KeyRevoked => {
            fields.parsed::<KeyId>("keyId")?;
            fields.text("reason")?;
        }
        EventKind::KeyRotated => {
            fields.parsed::<KeyId>("oldKeyId")?;
            fields.parsed::<KeyId>("newKeyId")?;
            PublicKey::from_pem(fields.text("newPublicKey")?)
                .map_err(|error| FormError::field("newPublicKey", &format!("is malformed: {error}")))?;
            fields.parsed::<Signature>("oldSignature")?;
            fields.parsed::<Signature>("newSignature")?;
        }
        EventKind::HoldPlaced | EventKind::HoldReleased => {
            fields.parsed::<Sha256>("manifestSha256")?;
        }
        _ => {}
    }
    Ok(())
}
