//! From `pg_dump` into the store.

use bytes::Bytes;
use walwarden_verify::layout::BackupObject;

use super::attempt::Attempt;
use super::origin;
use super::read_back;
use super::receipt::Receipt;
use crate::catalog::{Job, Progress};
use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::source::{self, Dsn, Dump, Server};
use crate::storage::{ObjectName, StorageExt, Upload};
use crate::watch::Transfer;

/// Takes a dump, notes its receipt, and makes it visible.
pub(super) async fn dump(attempt: &Attempt<'_>) -> Result<Receipt> {
    let request = attempt.request;
    let job = attempt.held.job().await;
    let compression = request.options.compression.codec;
    let server = attempt.unless_cancelled(look(&request.source)).await?;
    let source = origin::of(&server);
    if let Some(source) = source
        && origin::has_changed(attempt.parts.catalog.as_ref(), &job.subject, source).await?
    {
        attempt.watch.notice(&format!(
            "this is not the database that the last backup of {} was of: another cluster or another database name (one \
             that was restored or upgraded is another, too)",
            attempt.database_id()
        ));
    }
    let client = request.clients.choose_for_dump(server.major, compression)?;
    let globals = match request.globals {
        true => Some(attempt.unless_cancelled(source::globals(client, &request.source)).await?),
        false => None,
    };

    let started_at = attempt.parts.clock.now().max(job.queued_at);
    let key = attempt.key(&job, BackupObject::Artifact)?;
    let mut dump = Dump::start(client, &request.source, &request.options)?;
    let mut upload = attempt.destination().upload(&key).await?;
    let (measured, dump_version) = match pump(attempt, &key, &mut dump, upload.as_mut()).await {
        // The end of the stream is not yet success: pg_dump's exit status is.
        Ok(measured) => match attempt.unless_cancelled(dump.finish()).await {
            Ok(dumped) => (measured, dumped.dump_version),
            Err(error) => return Err(given_up(attempt, upload, error).await),
        },
        Err(error) => {
            dump.kill().await;
            return Err(given_up(attempt, upload, error).await);
        }
    };
    // Not before the dump is whole: what fails until here leaves nothing visible.
    let globals = match globals {
        None => None,
        Some(globals) => match store_globals(attempt, &job, globals).await {
            Ok(measured) => Some(measured),
            Err(error) => return Err(given_up(attempt, upload, error).await),
        },
    };
    let receipt = Receipt {
        database_name: server.database,
        started_at: started_at.to_string(),
        finished_at: attempt.parts.clock.now().max(started_at).to_string(),
        server_version: server.version,
        dump_version,
        compression: compression.text().to_owned(),
        source_sha256: source.map(|source| source.to_string()),
        artifact: measured.into(),
        globals: globals.map(Into::into),
    };
    // A manifest signed for an earlier dump, which has vanished since, must not speak of this one.
    let note = |progress: &mut Progress| {
        progress.receipt = Some(receipt.to_bytes());
        progress.manifest = None;
    };
    attempt.held.note(note).await?;
    upload.finish().await?;
    attempt.held.note(|progress| progress.uploads.clear()).await?;
    Ok(receipt)
}

async fn look(dsn: &Dsn) -> Result<Server> {
    Server::of(&source::connect(dsn).await?, dsn).await
}

/// Moves the stream, measuring it, and notes the upload's id as soon as the store has given one.
async fn pump(
    attempt: &Attempt<'_>,
    key: &ObjectName,
    dump: &mut Dump,
    upload: &mut dyn Upload,
) -> Result<Measured> {
    let mut measure = Measure::default();
    let mut noted = false;
    loop {
        let Some(chunk) = attempt.unless_cancelled(dump.next()).await? else { return Ok(measure.finish()) };
        measure.update(&chunk);
        attempt.unless_cancelled(upload.write(chunk)).await?;
        if !noted && let Some(id) = upload.id() {
            attempt.held.note(|progress| progress.uploads.push((key.clone(), id))).await?;
            noted = true;
        }
        attempt.watch.transfer(Transfer { done_bytes: measure.size_bytes(), total_bytes: None });
    }
}

/// Takes the upload back; the error that led here is what the caller needs.
async fn given_up(attempt: &Attempt<'_>, upload: Box<dyn Upload>, error: Error) -> Error {
    if let Err(aborting) = upload.abort().await {
        attempt.watch.notice(&format!("an unfinished upload stays behind for now: {aborting}"));
    }
    error
}

/// Stores roles and tablespaces. An object that an earlier attempt of this job stored is as good.
async fn store_globals(attempt: &Attempt<'_>, job: &Job, globals: Bytes) -> Result<Measured> {
    let key = attempt.key(job, BackupObject::Globals)?;
    let mut measure = Measure::default();
    measure.update(&globals);
    match attempt.destination().put(&key, globals).await {
        Ok(_) => Ok(measure.finish()),
        Err(error) if error.code() == Code::ObjectExists => read_back::measure(attempt, &key).await,
        Err(error) => Err(error),
    }
}
