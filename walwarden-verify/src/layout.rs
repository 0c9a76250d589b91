//! Where each object lies in the destination (`spec/layout.md`): the one home of these names.

use crate::{ChainId, DatabaseId, JobId, OrgId, Timestamp};

/// Where a database's objects lie: `org/<orgId>/db/<databaseId>/`.
pub fn database_prefix(org_id: &OrgId, database_id: &DatabaseId) -> String {
    format!("org/{org_id}/db/{database_id}/")
}

/// Which of a backup's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackupObject {
    /// The archive pg_dump wrote, `.dump`.
    Artifact,
    /// The same, encrypted by us, `.dump.age`.
    EncryptedArtifact,
    /// The archive index, `.index.json`.
    Index,
    /// Roles and tablespaces, `.globals.sql`.
    Globals,
    /// The manifest, `.manifest.json`.
    Manifest,
}

impl BackupObject {
    /// What follows the job's id.
    pub const fn suffix(self) -> &'static str {
        match self {
            BackupObject::Artifact => ".dump",
            BackupObject::EncryptedArtifact => ".dump.age",
            BackupObject::Index => ".index.json",
            BackupObject::Globals => ".globals.sql",
            BackupObject::Manifest => ".manifest.json",
        }
    }
}

/// Key of one object of a backup. The day is the UTC day of `queued_at`.
///
/// ```
/// use walwarden_verify::layout::{BackupObject, backup_key};
///
/// let key = backup_key(
///     &"acme".parse().unwrap(),
///     &"shop".parse().unwrap(),
///     "2026-11-21T02:06:29.123Z".parse().unwrap(),
///     "019a9f3c-2b10-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap(),
///     BackupObject::Artifact,
/// );
/// assert_eq!(key, "org/acme/db/shop/backup/2026/11/21/019a9f3c-2b10-7c3d-8e4f-5a6b7c8d9e0f.dump");
/// ```
pub fn backup_key(
    org_id: &OrgId,
    database_id: &DatabaseId,
    queued_at: Timestamp,
    job_id: JobId,
    object: BackupObject,
) -> String {
    dated_key(org_id, database_id, "backup", queued_at, job_id, object.suffix())
}

/// Key of a backup's dump, encrypted or not.
pub fn artifact_key(
    org_id: &OrgId,
    database_id: &DatabaseId,
    queued_at: Timestamp,
    job_id: JobId,
    encrypted: bool,
) -> String {
    let object = if encrypted { BackupObject::EncryptedArtifact } else { BackupObject::Artifact };
    backup_key(org_id, database_id, queued_at, job_id, object)
}

/// Key of a backup's manifest.
pub fn manifest_key(org_id: &OrgId, database_id: &DatabaseId, queued_at: Timestamp, job_id: JobId) -> String {
    backup_key(org_id, database_id, queued_at, job_id, BackupObject::Manifest)
}

/// Key of a backup's roles and tablespaces.
pub fn globals_key(org_id: &OrgId, database_id: &DatabaseId, queued_at: Timestamp, job_id: JobId) -> String {
    backup_key(org_id, database_id, queued_at, job_id, BackupObject::Globals)
}

/// Key of a backup's archive index.
pub fn index_key(org_id: &OrgId, database_id: &DatabaseId, queued_at: Timestamp, job_id: JobId) -> String {
    backup_key(org_id, database_id, queued_at, job_id, BackupObject::Index)
}

/// Key of a drill's receipt. The day is the UTC day of `queued_at`.
pub fn receipt_key(org_id: &OrgId, database_id: &DatabaseId, queued_at: Timestamp, job_id: JobId) -> String {
    dated_key(org_id, database_id, "drill", queued_at, job_id, ".receipt.json")
}

/// Key of the rows `first_seq` to `last_seq` of a database's chain.
///
/// ```
/// # use walwarden_verify::layout::audit_segment_key;
/// let key = audit_segment_key(
///     &"acme".parse().unwrap(),
///     &"shop".parse().unwrap(),
///     "019a9f3c-2b10-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap(),
///     1,
///     42,
/// );
/// assert!(key.ends_with("/00000000000000000001-00000000000000000042.jsonl"));
/// ```
pub fn audit_segment_key(
    org_id: &OrgId,
    database_id: &DatabaseId,
    chain_id: ChainId,
    first_seq: u64,
    last_seq: u64,
) -> String {
    format!("{}{first_seq:020}-{last_seq:020}.jsonl", audit_prefix(org_id, database_id, chain_id))
}

/// Key of the checkpoint over the first `size` rows of a database's chain.
pub fn checkpoint_key(org_id: &OrgId, database_id: &DatabaseId, chain_id: ChainId, size: u64) -> String {
    format!("{}checkpoint/{size:020}", audit_prefix(org_id, database_id, chain_id))
}

/// Where the rows and checkpoints of one chain lie, with a slash at the end.
pub fn audit_prefix(org_id: &OrgId, database_id: &DatabaseId, chain_id: ChainId) -> String {
    format!("{}{chain_id}/", chains_prefix(org_id, database_id))
}

/// Where all chains of one database lie, with a slash at the end. There is more than one only where one was abandoned.
pub fn chains_prefix(org_id: &OrgId, database_id: &DatabaseId) -> String {
    format!("{}audit/", database_prefix(org_id, database_id))
}

fn dated_key(
    org_id: &OrgId,
    database_id: &DatabaseId,
    folder: &str,
    queued_at: Timestamp,
    job_id: JobId,
    suffix: &str,
) -> String {
    let (year, month, day) = queued_at.date();
    let prefix = database_prefix(org_id, database_id);
    format!("{prefix}{folder}/{year:04}/{month:02}/{day:02}/{job_id}{suffix}")
}

#[cfg(test)]
mod tests;
