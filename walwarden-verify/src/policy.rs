//! What an auditor demands beyond the format: plain data, read from a JSON file of his own.

use crate::form::{Fields, FormError};
use crate::{ChainId, DatabaseId, KeyId, OrgId, json};

/// The auditor's demands. What is not demanded is not checked.
///
/// ```
/// use walwarden_verify::Policy;
///
/// let policy = Policy::parse(br#"{
///     "type": "walwarden.audit-policy", "formatVersion": 1,
///     "orgId": "acme", "databaseId": "shop",
///     "minBackups": 30, "maxBackupGapHours": 26
/// }"#).unwrap();
/// assert_eq!(policy.min_backups, Some(30));
/// assert!(Policy::parse(br#"{"type": "walwarden.audit-policy", "formatVersion": 1, "minBackup": 3}"#).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Policy {
    /// `orgId`: whose evidence it must be.
    pub org_id: Option<OrgId>,
    /// `databaseId`: of which database it must be; null demands the organisation's own chain.
    pub database_id: Option<Option<DatabaseId>>,
    /// `chainId`: which chain it must be.
    pub chain_id: Option<ChainId>,
    /// `currentKeyId`: which key the chain must have at its last row.
    pub current_key_id: Option<KeyId>,
    /// `minEvents`: how many rows there must be at least.
    pub min_events: Option<u64>,
    /// `minBackups`: how many completed backups.
    pub min_backups: Option<u64>,
    /// `minArtifactsChecked`: how many dumps must be in the bundle and match.
    pub min_artifacts_checked: Option<u64>,
    /// `minDrillsPassed`: how many passed drills.
    pub min_drills_passed: Option<u64>,
    /// `minWitnesses`: how many of the auditor's witnesses must have cosigned the checkpoint.
    pub min_witnesses: Option<u64>,
    /// `maxCheckpointAgeHours`: how long ago as many witnesses as are demanded may last have cosigned the checkpoint.
    pub max_checkpoint_age_hours: Option<u64>,
    /// `maxBackupAgeHours`: how old the last completed backup may be, by its row.
    pub max_backup_age_hours: Option<u64>,
    /// `maxDrillAgeHours`: how old the last passed drill may be, by its row.
    pub max_drill_age_hours: Option<u64>,
    /// `maxBackupGapHours`: how much time may lie between two completed backups, by their rows.
    pub max_backup_gap_hours: Option<u64>,
}

impl Policy {
    /// Reads a policy file: strict JSON, in any layout.
    ///
    /// # Errors
    ///
    /// When it is no such JSON, or a field is unknown or malformed.
    pub fn parse(text: &[u8]) -> Result<Self, FormError> {
        let value = json::parse_within(text, json::Limits::default().with_size_bytes(1 << 20))?;
        let mut fields = Fields::of_value(&value, "policy")?;
        fields.document("walwarden.audit-policy")?;
        let policy = Policy {
            org_id: fields.optional("orgId", Fields::parsed)?,
            database_id: fields
                .optional("databaseId", |fields, name| fields.nullable(name, Fields::parsed))?,
            chain_id: fields.optional("chainId", Fields::parsed)?,
            current_key_id: fields.optional("currentKeyId", Fields::parsed)?,
            min_events: fields.optional("minEvents", Fields::number)?,
            min_backups: fields.optional("minBackups", Fields::number)?,
            min_artifacts_checked: fields.optional("minArtifactsChecked", Fields::number)?,
            min_drills_passed: fields.optional("minDrillsPassed", Fields::number)?,
            min_witnesses: fields.optional("minWitnesses", Fields::number)?,
            max_checkpoint_age_hours: fields.optional("maxCheckpointAgeHours", Fields::number)?,
            max_backup_age_hours: fields.optional("maxBackupAgeHours", Fields::number)?,
            max_drill_age_hours: fields.optional("maxDrillAgeHours", Fields::number)?,
            max_backup_gap_hours: fields.optional("maxBackupGapHours", Fields::number)?,
        };
        fields.end()?;
        Ok(policy)
    }
}
