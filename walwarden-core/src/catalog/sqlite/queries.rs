use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use walwarden_verify::{ChainId, JobId};

use super::SqliteChain;
use super::records::{self, Columns, SELECT_JOB};
use crate::catalog::{ChainRecord, Job, JobQuery};
use crate::chain::Subject;
use crate::chain::database::Database;
use crate::error::Result;

pub(super) async fn jobs(database: &Database, query: &JobQuery) -> Result<Vec<Job>> {
    let rows =
        select(query).build().fetch_all(database.pool()).await.map_err(|error| database.fault(error))?;
    rows.iter().map(|row| records::read(database, row)).collect()
}

/// One job, within a write.
pub(super) async fn job(
    database: &Database,
    connection: &mut SqliteConnection,
    id: JobId,
) -> Result<Option<Job>> {
    let row = select(&JobQuery::one(id))
        .build()
        .fetch_optional(connection)
        .await
        .map_err(|error| database.fault(error))?;
    row.map(|row| records::read(database, &row)).transpose()
}

pub(super) async fn chain(database: &Database, subject: &Subject) -> Result<Option<ChainRecord>> {
    let row = sqlx::query("SELECT * FROM chain WHERE org_id = ? AND ifnull(database_id, '') = ?")
        .bind(subject.org_id.as_str())
        .bind(database_column(subject))
        .fetch_optional(database.pool())
        .await
        .map_err(|error| database.fault(error))?;
    let Some(row) = row else { return Ok(None) };
    let columns = Columns { database, row: &row };
    let count = |name, value: i64| u64::try_from(value).map_err(|_| columns.odd(name));
    let chain_id = columns.parsed("chain_id")?;
    let checkpoint = match (columns.value("checkpoint_size")?, columns.value("checkpoint_note")?) {
        (Some(size), Some(note)) => Some((count("checkpoint_size", size)?, note)),
        _ => None,
    };
    Ok(Some(ChainRecord {
        audit: Arc::new(SqliteChain::new(database.clone(), chain_id)),
        chain_id,
        subject: subject.clone(),
        mirrored_through: count("mirrored_through", columns.value("mirrored_through")?)?,
        checkpoint,
    }))
}

pub(super) async fn subjects(database: &Database) -> Result<Vec<Subject>> {
    let rows = sqlx::query("SELECT org_id, database_id FROM chain")
        .fetch_all(database.pool())
        .await
        .map_err(|error| database.fault(error))?;
    rows.iter().map(|row| records::subject(&Columns { database, row })).collect()
}

pub(super) async fn chain_id(database: &Database, subject: &Subject) -> Result<Option<ChainId>> {
    let row = sqlx::query("SELECT chain_id FROM chain WHERE org_id = ? AND ifnull(database_id, '') = ?")
        .bind(subject.org_id.as_str())
        .bind(database_column(subject))
        .fetch_optional(database.pool())
        .await
        .map_err(|error| database.fault(error))?;
    match row {
        Some(row) => Columns { database, row: &row }.parsed("chain_id").map(Some),
        None => Ok(None),
    }
}

/// How the index over subjects spells a database, or its absence.
pub(super) fn database_column(subject: &Subject) -> String {
    subject.database_id.as_ref().map_or_else(String::new, ToString::to_string)
}

fn select(query: &JobQuery) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(SELECT_JOB);
    sql.push(" WHERE true");
    if let Some(id) = query.id {
        sql.push(" AND job_id = ").push_bind(id.to_string());
    }
    if let Some(subject) = &query.subject {
        sql.push(" AND org_id = ").push_bind(subject.org_id.to_string());
        sql.push(" AND ifnull(database_id, '') = ").push_bind(database_column(subject));
    }
    if let Some(kind) = query.kind {
        sql.push(" AND kind = ").push_bind(kind.text());
    }
    if let Some(hash) = query.manifest_sha256 {
        sql.push(" AND manifest_sha256 = ").push_bind(hash.as_bytes().to_vec());
    }
    if query.unfinished {
        sql.push(" AND finished = 0");
    }
    sql.push(" ORDER BY queued_at DESC, job_id DESC");
    if query.limit > 0 {
        sql.push(" LIMIT ").push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
    }
    sql
}
