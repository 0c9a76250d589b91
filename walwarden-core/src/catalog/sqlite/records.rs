//! Jobs as rows of a table.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use walwarden_verify::{ChainId, JobId, Sha256, Timestamp};

use crate::catalog::{Job, JobKind, JobState, Lease, Progress};
use crate::chain::Subject;
use crate::chain::database::Database;
use crate::error::Result;
use crate::storage::{ObjectName, UploadId};

/// The columns [`read`] wants, with the tables they come from.
pub(super) const SELECT_JOB: &str = "SELECT job.*, org_id, database_id FROM job JOIN chain USING (chain_id)";

/// The subject in the columns of a chain.
pub(super) fn subject(columns: &Columns<'_>) -> Result<Subject> {
    Ok(Subject { org_id: columns.parsed("org_id")?, database_id: columns.nullable("database_id")? })
}

/// Reads one job.
pub(super) fn read(database: &Database, row: &SqliteRow) -> Result<Job> {
    let columns = Columns { database, row };
    let id: JobId = columns.parsed("job_id")?;
    let length = match columns.value::<Option<i64>>("lease_millis")? {
        Some(millis) => Some(u64::try_from(millis).map_err(|_| columns.odd("lease_millis"))?),
        None => None,
    };
    let lease = match (columns.value::<Option<String>>("lease_holder")?, columns.time("lease_until")?, length)
    {
        (Some(holder), Some(until), Some(length)) => {
            Some(Lease { job_id: id, holder, until, length: Duration::from_millis(length) })
        }
        _ => None,
    };
    let text: String = columns.value("kind")?;
    let kind = JobKind::from_text(&text).ok_or_else(|| columns.odd("kind"))?;
    let text: String = columns.value("state")?;
    let state = JobState::from_text(&text).ok_or_else(|| columns.odd("state"))?;
    let artifact_key = match columns.value::<Option<String>>("artifact_key")? {
        Some(name) => Some(ObjectName::new(name).map_err(|_| columns.odd("artifact_key"))?),
        None => None,
    };
    let manifest_sha256 = match columns.value::<Option<Vec<u8>>>("manifest_sha256")? {
        Some(bytes) => {
            Some(Sha256::from_bytes(bytes.try_into().map_err(|_| columns.odd("manifest_sha256"))?))
        }
        None => None,
    };
    let size_bytes = match columns.value::<Option<i64>>("size_bytes")? {
        Some(size) => Some(u64::try_from(size).map_err(|_| columns.odd("size_bytes"))?),
        None => None,
    };
    Ok(Job {
        id,
        kind,
        subject: subject(&columns)?,
        state,
        queued_at: columns.time("queued_at")?.ok_or_else(|| columns.odd("queued_at"))?,
        started_at: columns.time("started_at")?,
        finished_at: columns.time("finished_at")?,
        attempt: u32::try_from(columns.value::<i64>("attempt")?).map_err(|_| columns.odd("attempt"))?,
        not_before: columns.time("not_before")?,
        failure: columns.value("failure")?,
        manifest_sha256,
        artifact_key,
        size_bytes,
        progress: Progress {
            uploads: uploads(&columns)?,
            receipt: columns.value::<Option<Vec<u8>>>("receipt")?.map(Into::into),
            manifest: columns.value::<Option<Vec<u8>>>("manifest")?.map(Into::into),
        },
        lease,
    })
}

/// Stores a job as it is now; its write-ahead notes are left as they were.
pub(super) async fn store(
    database: &Database,
    connection: &mut SqliteConnection,
    chain_id: ChainId,
    job: &Job,
) -> Result<()> {
    let sql = "INSERT INTO job (job_id, chain_id, kind, state, finished, queued_at, started_at, finished_at, attempt, \
                                not_before, failure, manifest_sha256, artifact_key, size_bytes, lease_holder, \
                                lease_until, lease_millis) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
               ON CONFLICT (job_id) DO UPDATE SET \
                   state = excluded.state, finished = excluded.finished, started_at = excluded.started_at, \
                   finished_at = excluded.finished_at, attempt = excluded.attempt, \
                   not_before = excluded.not_before, failure = excluded.failure, \
                   manifest_sha256 = excluded.manifest_sha256, size_bytes = excluded.size_bytes, \
                   lease_holder = excluded.lease_holder, lease_until = excluded.lease_until, \
                   lease_millis = excluded.lease_millis";
    sqlx::query(sql)
        .bind(job.id.to_string())
        .bind(chain_id.to_string())
        .bind(job.kind.text())
        .bind(job.state.text())
        .bind(job.is_finished())
        .bind(job.queued_at.unix_millis())
        .bind(job.started_at.map(Timestamp::unix_millis))
        .bind(job.finished_at.map(Timestamp::unix_millis))
        .bind(i64::from(job.attempt))
        .bind(job.not_before.map(Timestamp::unix_millis))
        .bind(job.failure.as_deref())
        .bind(job.manifest_sha256.map(|hash| hash.as_bytes().to_vec()))
        .bind(job.artifact_key.as_ref().map(ObjectName::as_str))
        .bind(job.size_bytes.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
        .bind(job.lease.as_ref().map(|lease| lease.holder.as_str()))
        .bind(job.lease.as_ref().map(|lease| lease.until.unix_millis()))
        .bind(job.lease.as_ref().map(|lease| i64::try_from(lease.length.as_millis()).unwrap_or(i64::MAX)))
        .execute(connection)
        .await
        .map_err(|error| database.fault(error))?;
    Ok(())
}

/// Stores a job's write-ahead notes.
pub(super) async fn store_progress(
    database: &Database,
    connection: &mut SqliteConnection,
    job: &Job,
) -> Result<()> {
    let uploads: Vec<(&str, &str)> =
        job.progress.uploads.iter().map(|(name, upload)| (name.as_str(), upload.0.as_str())).collect();
    sqlx::query("UPDATE job SET uploads = ?, receipt = ?, manifest = ? WHERE job_id = ?")
        .bind(serde_json::to_string(&uploads).expect("pairs of text are JSON"))
        .bind(job.progress.receipt.as_deref())
        .bind(job.progress.manifest.as_deref())
        .bind(job.id.to_string())
        .execute(connection)
        .await
        .map_err(|error| database.fault(error))?;
    Ok(())
}

fn uploads(columns: &Columns<'_>) -> Result<Vec<(ObjectName, UploadId)>> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(&columns.value::<String>("uploads")?).map_err(|_| columns.odd("uploads"))?;
    let read =
        |(name, upload)| Ok((ObjectName::new(name).map_err(|_| columns.odd("uploads"))?, UploadId(upload)));
    pairs.into_iter().map(read).collect()
}

/// A table's row, read by column name. What no write of ours leaves there is damage.
pub(super) struct Columns<'a> {
    pub(super) database: &'a Database,
    pub(super) row: &'a SqliteRow,
}

impl<'a> Columns<'a> {
    pub(super) fn value<T>(&self, name: &str) -> Result<T>
    where
        T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(name).map_err(|error| self.database.fault(error))
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T> {
        self.value::<String>(name)?.parse().map_err(|_| self.odd(name))
    }

    pub(super) fn nullable<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        match self.value::<Option<String>>(name)? {
            Some(text) => text.parse().map(Some).map_err(|_| self.odd(name)),
            None => Ok(None),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        match self.value::<Option<i64>>(name)? {
            Some(millis) => Timestamp::from_unix_millis(millis).map(Some).ok_or_else(|| self.odd(name)),
            None => Ok(None),
        }
    }

    pub(super) fn odd(&self, name: &str) -> crate::Error {
        self.database.corrupt(&format!("an impossible value column={name}"))
    }
}
