use super::{Writer, records, writes};
use crate::catalog::{Job, adopt};
use crate::chain::database::Database;
use crate::chain::{Row, Subject};
use crate::error::Result;

/// Enters a chain and its jobs as read back from a destination, in one commit.
pub(super) async fn adopt(database: &Database, subject: &Subject, rows: &[Row], jobs: &[Job]) -> Result<()> {
    let chain_id = adopt::check(subject, rows, jobs)?;
    let mut writer = Writer::begin(database, chain_id).await?;
    if !writes::insert_chain(database, writer.connection(), chain_id, subject).await? {
        return Err(adopt::chain_exists(subject));
    }
    for row in rows {
        writer.adopt(row).await?;
    }
    for job in jobs {
        let job = Job { lease: None, ..job.clone() };
        records::store(database, writer.connection(), chain_id, &job).await?;
        records::store_progress(database, writer.connection(), &job).await?;
    }
    let mirrored_through = writer.head().seq;
    sqlx::query("UPDATE chain SET mirrored_through = ? WHERE chain_id = ?")
        .bind(i64::try_from(mirrored_through).unwrap_or(i64::MAX))
        .bind(chain_id.to_string())
        .execute(writer.connection())
        .await
        .map_err(|error| database.fault(error))?;
    writer.commit().await
}
