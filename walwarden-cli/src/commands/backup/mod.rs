//! `walwarden backup`.

mod contents;
mod run;

use serde_json::{Value, json};
use walwarden_core::catalog::{Catalog, CatalogExt as _, Job, JobKind, JobQuery, JobState, Step};
use walwarden_core::chain::Subject;
use walwarden_core::clock::{Clock as _, SystemClock, SystemRandom};
use walwarden_core::verify::{DatabaseId, EventKind, JobId};
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Result, Settings};

use crate::arguments::{BackupCommand, Listing};
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::{Output, bytes};

pub(crate) async fn run(command: BackupCommand, home: &Home, output: Output, cancel: &Cancel) -> Ending {
    match command {
        BackupCommand::Run(run) => run::run(*run, home, output, cancel).await,
        BackupCommand::List(listing) => list(listing, home, output).await,
        BackupCommand::Show(argument) => show(argument.job, home, output).await,
        BackupCommand::Contents(arguments) => contents::contents(&arguments, home, output).await,
        BackupCommand::Diff(arguments) => contents::diff(&arguments, home, output).await,
        BackupCommand::Cancel(argument) => self::cancel(argument.job, home, output).await,
    }
}

async fn list(listing: Listing, home: &Home, output: Output) -> Ending {
    let mut query = JobQuery::default().kind(JobKind::Backup).limit(listing.limit);
    let next = listing.database.as_ref().map_or("NAME", DatabaseId::as_str).to_owned();
    query.subject = listing.database.map(|database| subject(home, database));
    let jobs = home.catalog().await?.jobs(query).await?;
    let mut text = String::new();
    for job in &jobs {
        let size = job.size_bytes.map(bytes).unwrap_or_default();
        let manifest = job.manifest_sha256.map(|hash| hash.to_string());
        // A backup has one or the other, or neither yet.
        let outcome = manifest.or_else(|| job.failure.clone()).unwrap_or_default();
        let database = name_of(job);
        text.push_str(&format!(
            "{}  {}  {:<16}  {database:<16}  {size:>10}  {outcome}\n",
            job.queued_at,
            job.id,
            job.state.text(),
        ));
    }
    if text.is_empty() {
        let of = if next == "NAME" { String::new() } else { format!(" of {next:?}") };
        text.push_str(&format!("no backup{of} yet\nnext: walwarden backup run --database {next}"));
    }
    let backups: Vec<Value> = jobs.iter().map(described).collect();
    output.result(text, &json!({ "backups": backups }))?;
    Ok(DONE)
}

async fn show(id: JobId, home: &Home, output: Output) -> Ending {
    let catalog = home.catalog().await?;
    let job = backup_job(id, catalog.as_ref()).await?;
    let checksum = checksum(&job, catalog.as_ref()).await?;
    let line = |name: &str, value: Option<String>| value.map(|value| format!("{name:<10} {value}\n"));
    let text: String = [
        line("job", Some(job.id.to_string())),
        line("database", Some(name_of(&job).to_owned())),
        line("state", Some(job.state.text().to_owned())),
        line("failure", job.failure.clone()),
        line("queued", Some(job.queued_at.to_string())),
        line("started", job.started_at.map(|at| at.to_string())),
        line("finished", job.finished_at.map(|at| at.to_string())),
        line("attempt", Some(job.attempt.to_string())),
        line("dump", stored_key(&job)),
        line("size", job.size_bytes.map(bytes)),
        line("sha256", checksum.clone()),
        line("manifest", job.manifest_sha256.map(|hash| hash.to_string())),
        line("held by", job.lease.as_ref().map(|lease| format!("{} until {}", lease.holder, lease.until))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut data = described(&job);
    if let (Some(checksum), Some(artifact)) = (checksum, data["artifact"].as_object_mut()) {
        artifact.insert("checksumSha256".to_owned(), checksum.into());
    }
    output.result(text, &data)?;
    Ok(DONE)
}

/// The dump's digest, which the row of the job's completion tells.
async fn checksum(job: &Job, catalog: &dyn Catalog) -> Result<Option<String>> {
    if job.state != JobState::Completed {
        return Ok(None);
    }
    let Some(record) = catalog.chain(&job.subject).await? else { return Ok(None) };
    let mut first = 1;
    loop {
        let rows = record.audit.rows(first, ROWS_AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let told =
            rows.iter().find(|row| row.job_id == Some(job.id) && row.kind == EventKind::BackupCompleted);
        if let Some(row) = told {
            return Ok(row.payload.get("checksumSha256").and_then(|value| value.as_str()).map(str::to_owned));
        }
        first = last.seq + 1;
    }
}

/// Where the dump lies, once it does.
fn stored_key(job: &Job) -> Option<String> {
    job.size_bytes.and(job.artifact_key.as_ref()).map(ToString::to_string)
}

async fn cancel(id: JobId, home: &Home, output: Output) -> Ending {
    let catalog = home.catalog().await?;
    let job = backup_job(id, catalog.as_ref()).await?;
    let now = SystemClock.now();
    let mut step = Step::new(id, JobState::Cancelled, now);
    if let Some(lease) = &job.lease {
        if lease.holds(now) {
            let message =
                format!("a worker is at work on this job holder={} until={}", lease.holder, lease.until);
            return Err(Error::new(Code::JobHeld, message).into());
        }
        // Its worker vanished: take the job over first, so that nobody else does.
        let worker = Settings::worker_of("cli", &SystemRandom);
        let claimed = catalog.claim(id, &worker, now, Settings::LEASE).await?;
        if let Some(lease) = &claimed.lease {
            step = step.under(lease);
        }
    }
    let (cancelled, _) = catalog.step(step).await?;
    abandon_uploads(&job, home, output).await;
    output.result(format_args!("{}  {}", cancelled.id, cancelled.state.text()), &described(&cancelled))?;
    Ok(DONE)
}

/// Removes what a worker that vanished left half-sent. The job is cancelled already, so this only warns.
async fn abandon_uploads(job: &Job, home: &Home, output: Output) {
    if job.progress.uploads.is_empty() {
        return;
    }
    let abandoned = async {
        let name = job
            .subject
            .database_id
            .as_ref()
            .ok_or_else(|| Error::new(Code::Internal, "a backup of nothing"))?;
        let destination = home.destination(&home.database(name)?.destination).await?;
        for (object, upload) in &job.progress.uploads {
            destination.abandon(object, upload).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = abandoned.await {
        output.note(format_args!(
            "note: parts of an unfinished upload may be left in the destination: {error}"
        ));
    }
}

async fn backup_job(id: JobId, catalog: &dyn Catalog) -> Result<Job> {
    let job = catalog.job(id).await?;
    if job.kind == JobKind::Backup {
        Ok(job)
    } else {
        Err(Error::new(Code::JobUnknown, format!("this job is no backup job={id}")))
    }
}

fn subject(home: &Home, database: DatabaseId) -> Subject {
    Subject { org_id: home.org().clone(), database_id: Some(database) }
}

fn name_of(job: &Job) -> &str {
    job.subject.database_id.as_ref().map_or("", DatabaseId::as_str)
}

/// A backup as JSON: `.state`, `.artifact.checksumSha256` and `.manifest.sha256` among it.
pub(super) fn described(job: &Job) -> Value {
    json!({
        "id": job.id.to_string(),
        "database": name_of(job),
        "state": job.state.text(),
        "failure": job.failure,
        "queuedAt": job.queued_at.to_string(),
        "startedAt": job.started_at.map(|at| at.to_string()),
        "finishedAt": job.finished_at.map(|at| at.to_string()),
        "attempt": job.attempt,
        "artifact": job.artifact_key.as_ref().map(|key| json!({
            "key": key.as_str(), "sizeBytes": job.size_bytes,
        })),
        "manifest": job.manifest_sha256.map(|hash| json!({ "sha256": hash.to_string() })),
        "heldBy": job.lease.as_ref().map(|lease| json!({
            "holder": lease.holder, "until": lease.until.to_string(),
        })),
    })
}

const ROWS_AT_ONCE: usize = 5_000;
