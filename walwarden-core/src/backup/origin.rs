//! Whether a backup is of the same database as the one before it.
//!
//! A database's id is a name that people choose. What the chain of that name tells of is recorded as a digest of the
//! cluster's system identifier and the database's name, in the row that says the dump was stored.

use walwarden_verify::{EventKind, Row, Sha256};

use crate::catalog::Catalog;
use crate::chain::{AuditChain, Subject};
use crate::error::Result;
use crate::source::Server;

/// Name of the digest in the payload of `backup.finalizing`.
pub(super) const FIELD: &str = "sourceSha256";

/// The digest of this database of this cluster; none where the cluster does not say which one it is.
pub(super) fn of(server: &Server) -> Option<Sha256> {
    let cluster = server.system_identifier.as_deref()?;
    Some(Sha256::of(format!("{cluster}/{}", server.database).as_bytes()))
}

/// Whether the newest of the last rows that name a source names another one.
pub(super) async fn has_changed(catalog: &dyn Catalog, subject: &Subject, present: Sha256) -> Result<bool> {
    let Some(record) = catalog.chain(subject).await? else { return Ok(false) };
    let head = record.audit.head().await?;
    let rows = last_rows(record.audit.as_ref(), head.seq).await?;
    Ok(rows.iter().rev().find_map(named).is_some_and(|earlier| earlier != present))
}

async fn last_rows(chain: &dyn AuditChain, head: u64) -> Result<Vec<Row>> {
    chain.rows(head.saturating_sub(LOOKED_BACK - 1).max(1), LOOKED_BACK as usize).await
}

fn named(row: &Row) -> Option<Sha256> {
    let is_stored = row.kind == EventKind::BackupFinalizing;
    is_stored.then(|| row.payload.get(FIELD)?.as_str()?.parse().ok())?
}

/// Rows looked at. Where more than these were written since a dump was stored, nothing is said.
const LOOKED_BACK: u64 = 500;
