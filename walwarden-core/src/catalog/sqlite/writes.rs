use sqlx::sqlite::SqliteConnection;
use walwarden_verify::ChainId;

use super::{Writer, queries, records};
use crate::catalog::plan::{self, Plan};
use crate::catalog::{Genesis, Write, Written};
use crate::chain::Subject;
use crate::chain::database::Database;
use crate::error::{Code, Error, Result};

/// Writes a chain's first row; where another process was faster, its chain is the one.
pub(super) async fn start_chain(database: &Database, genesis: Genesis) -> Result<ChainId> {
    let mut writer = Writer::begin(database, genesis.chain_id).await?;
    if !insert_chain(database, writer.connection(), genesis.chain_id, &genesis.subject).await? {
        drop(writer);
        return existing_chain(database, &genesis.subject).await;
    }
    writer.append(genesis.fact()).await?;
    writer.commit().await?;
    Ok(genesis.chain_id)
}

/// Enters a chain of no rows yet; false where the subject has one.
pub(super) async fn insert_chain(
    database: &Database,
    connection: &mut SqliteConnection,
    chain_id: ChainId,
    subject: &Subject,
) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO chain (chain_id, org_id, database_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(chain_id.to_string())
    .bind(subject.org_id.as_str())
    .bind(subject.database_id.as_ref().map(ToString::to_string))
    .execute(connection)
    .await
    .map_err(|error| database.fault(error))?;
    Ok(done.rows_affected() == 1)
}

/// Writes of a job: its rows, and the job where they leave it, in one commit.
pub(super) async fn carry_out(database: &Database, write: Write) -> Result<Written> {
    let subject = match &write {
        Write::Enter(new) => new.subject.clone(),
        of_a_job => subject(database, of_a_job).await?,
    };
    let chain_id = existing_chain(database, &subject).await?;
    let mut writer = Writer::begin(database, chain_id).await?;
    let stored = match write.job_id() {
        Some(id) => queries::job(database, writer.connection(), id).await?,
        None => None,
    };
    let notes = matches!(write, Write::Note { .. });
    let mut plan = Plan::new(write, stored)?;
    let mut rows = Vec::with_capacity(plan.facts.len());
    for fact in std::mem::take(&mut plan.facts) {
        rows.push(writer.append(fact).await?);
    }
    let written = plan.carried_out(rows);
    if let Some(job) = &written.job {
        records::store(database, writer.connection(), chain_id, job).await?;
        if notes {
            records::store_progress(database, writer.connection(), job).await?;
        }
    }
    writer.commit().await?;
    Ok(written)
}

/// Remembers how far a chain lies in the destination.
pub(super) async fn mirrored(database: &Database, subject: &Subject, through_seq: u64) -> Result<Written> {
    let chain_id = existing_chain(database, subject).await?;
    let mut writer = Writer::begin(database, chain_id).await?;
    plan::check_published(writer.head(), through_seq)?;
    sqlx::query("UPDATE chain SET mirrored_through = max(mirrored_through, ?) WHERE chain_id = ?")
        .bind(i64::try_from(through_seq).unwrap_or(i64::MAX))
        .bind(chain_id.to_string())
        .execute(writer.connection())
        .await
        .map_err(|error| database.fault(error))?;
    writer.commit().await?;
    Ok(Written { job: None, row: None })
}

/// Keeps a checkpoint, unless one over more rows is kept already.
pub(super) async fn checkpoint(
    database: &Database,
    subject: &Subject,
    size: u64,
    note: String,
) -> Result<Written> {
    let chain_id = existing_chain(database, subject).await?;
    let mut writer = Writer::begin(database, chain_id).await?;
    plan::check_published(writer.head(), size)?;
    let sql = "UPDATE chain SET checkpoint_size = ?1, checkpoint_note = ?2 \
               WHERE chain_id = ?3 AND ifnull(checkpoint_size, 0) <= ?1";
    sqlx::query(sql)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(note)
        .bind(chain_id.to_string())
        .execute(writer.connection())
        .await
        .map_err(|error| database.fault(error))?;
    writer.commit().await?;
    Ok(Written { job: None, row: None })
}

async fn existing_chain(database: &Database, subject: &Subject) -> Result<ChainId> {
    queries::chain_id(database, subject).await?.ok_or_else(|| plan::unknown_subject(subject))
}

// A job never changes its chain, so that this may be read before the write begins.
async fn subject(database: &Database, write: &Write) -> Result<Subject> {
    let Some(id) = write.job_id() else {
        return Err(Error::new(Code::Internal, "a write about a chain was taken for one about a job"));
    };
    let mut connection = database.pool().acquire().await.map_err(|error| database.fault(error))?;
    let job = queries::job(database, &mut connection, id).await?.ok_or_else(|| plan::unknown(id))?;
    Ok(job.subject)
}
