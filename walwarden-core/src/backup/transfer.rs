//! From `pg_dump` into the store.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use walwarden_archive::Contents;
use walwarden_verify::layout::BackupObject;

use super::attempt::Attempt;
use super::origin;
use super::read_back;
use super::receipt::{Indexed, Receipt};
use crate::catalog::{Job, Progress};
use crate::error::{Code, Error, Result};
use crate::pipeline::{Drain, Feed, Measure, Measured, assemble, transcode};
use crate::source::{self, Client, Compression, Dsn, Dump, DumpPart, Dumped, ParallelDump, Server};
use crate::storage::{ObjectName, Upload};
use crate::watch::Transfer;

/// Takes a dump, notes its receipt, and makes it visible. Returns the receipt and the canonical index.
pub(super) async fn dump(attempt: &Attempt<'_>) -> Result<(Receipt, Bytes)> {
    let request = attempt.request;
    let job = attempt.held.job().await;
    let server = attempt.unless_cancelled(look(attempt)).await?;
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
    let wanted = request.options.compression;
    let client =
        request.clients.choose_for_dump(server.major, wanted.map(|compression| compression.codec))?;
    let compression = wanted.unwrap_or_else(|| Compression::of_choice(client));
    let globals = match request.globals {
        true => Some(attempt.unless_cancelled(Globals::take(attempt, &job, client)).await?),
        false => None,
    };

    let started_at = attempt.parts.clock.now().max(job.queued_at);
    let key = job.object_name(BackupObject::Artifact)?;
    let (encoding, threads) = (compression.encoding()?, attempt.parts.settings.threads);
    let parallel = attempt.unless_cancelled(Box::pin(several(attempt, &job, client))).await?;
    let (dump, drain): (BoxFuture<'_, Result<Dumped>>, Drain) = match parallel {
        Some(dump) => {
            let (feed, drain) = assemble(dump.header().clone(), dump.toc(), encoding, threads)?;
            (Box::pin(take_parts(dump, feed)), drain)
        }
        None => {
            let dump = Dump::start(client, &plain(&request.source, &server), &request.options)?;
            let (feed, drain) = transcode(encoding, threads)?;
            (Box::pin(take_stream(dump, feed)), drain)
        }
    };
    // Only now: an upload that was begun has to be taken back when anything fails.
    let mut upload = attempt.destination().upload(&key).await?;
    let (dumped, measured, contents) = match Box::pin(pump(attempt, &key, dump, drain, upload.as_mut())).await
    {
        Ok(pumped) => pumped,
        Err(error) => return Err(given_up(attempt, upload, error).await),
    };
    let index = contents.into_index(job.id);
    let canonical = Bytes::from(index.to_canonical());
    let receipt = Receipt {
        database_name: server.database,
        started_at: started_at.to_string(),
        finished_at: attempt.parts.clock.now().max(started_at).to_string(),
        server_version: server.version,
        dump_version: dumped.dump_version,
        compression: compression.codec.text().to_owned(),
        source_sha256: source.map(|source| source.to_string()),
        artifact: measured.into(),
        index: Some(Indexed::of(&index, &canonical)),
        globals: globals.as_ref().map(|globals| globals.measured().into()),
    };
    // A manifest signed for an earlier dump, which has vanished since, must not speak of this one.
    let note = |progress: &mut Progress| {
        progress.receipt = Some(receipt.to_bytes());
        progress.manifest = None;
    };
    attempt.held.note(note).await?;
    // Not before the dump is whole: what fails until here leaves nothing visible.
    if let Some(globals) = &globals
        && let Err(error) = globals.store(attempt, &job).await
    {
        return Err(given_up(attempt, upload, error).await);
    }
    upload.finish().await?;
    attempt.held.note(|progress| progress.uploads.clear()).await?;
    Ok((receipt, canonical))
}

/// What the server is; what the options exclude and is not there, is told or refused.
async fn look(attempt: &Attempt<'_>) -> Result<Server> {
    let request = attempt.request;
    let connection = source::connect(&request.source).await?;
    for idle in source::idle_exclusions(&connection, &request.source, &request.options).await? {
        attempt.watch.notice(&idle);
    }
    Server::of(&connection, &request.source).await
}

/// A dump over several connections, if more than one is wanted and the server lets them share a snapshot.
///
/// What failed once is tried again in the plainest way: a later attempt uses one.
async fn several(attempt: &Attempt<'_>, job: &Job, client: &Client) -> Result<Option<ParallelDump>> {
    let request = attempt.request;
    if request.jobs < 2 {
        return Ok(None);
    }
    let one = |why: &str| {
        attempt.watch.notice(&format!("the tables are read over one connection: {why}"));
        Ok(None)
    };
    if job.attempt > 1 {
        return one("this is not the first attempt");
    }
    match ParallelDump::start(client, &request.source, &request.options, request.jobs).await {
        Ok(dump) => {
            if dump.connections() < request.jobs {
                let (given, wanted) = (dump.connections(), request.jobs);
                attempt.watch.notice(&format!(
                    "the server gave {given} of {wanted} connections: the tables are read over those"
                ));
            }
            Ok(Some(dump))
        }
        // Most often a pooler that hands each transaction to another backend, or a source that exports no snapshot.
        Err(error) if error.code() == Code::DumpFailed => one(&error.with_causes()),
        Err(error) => Err(error),
    }
}

/// `pg_dump` sets everything else that rows depend on, and their digests with them.
fn plain(source: &Dsn, server: &Server) -> Dsn {
    match server.bytea_output.as_str() {
        "hex" => source.clone(),
        _ => source.with_session_setting("bytea_output", "hex"),
    }
}

/// What `pg_dump` writes.
async fn take_stream(mut dump: Dump, feed: Feed<Bytes>) -> Result<Dumped> {
    while let Some(chunk) = dump.next().await? {
        feed.write(chunk).await;
    }
    // The end of the stream is not yet success: pg_dump's exit status is.
    let dumped = dump.finish().await?;
    feed.end().await;
    Ok(dumped)
}

/// What comes over several connections.
async fn take_parts(mut dump: ParallelDump, feed: Feed<DumpPart>) -> Result<Dumped> {
    while let Some(part) = dump.next().await? {
        feed.write(part).await;
    }
    let dumped = dump.finish().await?;
    feed.end().await;
    Ok(dumped)
}

/// Lets the dump run through the compressors into the store, measures what is stored, and notes the upload's id as soon as
/// the store has given one.
async fn pump(
    attempt: &Attempt<'_>,
    key: &ObjectName,
    dump: impl Future<Output = Result<Dumped>>,
    mut drain: Drain,
    upload: &mut dyn Upload,
) -> Result<(Dumped, Measured, Contents)> {
    let store = async {
        let mut measure = Measure::default();
        let mut noted = false;
        while let Some(chunk) = drain.next().await {
            measure.update(&chunk);
            upload.write(chunk).await?;
            if !noted && let Some(id) = upload.id() {
                attempt.held.note(|progress| progress.uploads.push((key.clone(), id))).await?;
                noted = true;
            }
            attempt.watch.transfer(Transfer { done_bytes: measure.size_bytes(), total_bytes: None });
        }
        Ok((measure.finish(), drain.contents().await?))
    };
    let (dumped, (measured, contents)) = attempt.unless_cancelled(both(dump, store)).await?;
    Ok((dumped, measured, contents))
}

/// Waits for both; of two errors the one of `pg_dump` counts, which may say itself why what it wrote is no archive.
async fn both<T>(
    dump: impl Future<Output = Result<Dumped>>,
    store: impl Future<Output = Result<T>>,
) -> Result<(Dumped, T)> {
    let (mut dump, mut store) = (pin!(dump), pin!(store));
    let mut dumped = None;
    loop {
        tokio::select! {
            outcome = &mut dump, if dumped.is_none() => dumped = Some(outcome?),
            outcome = &mut store => return match (outcome, dumped) {
                (Ok(stored), Some(dumped)) => Ok((dumped, stored)),
                (Ok(stored), None) => Ok((dump.await?, stored)),
                (Err(error), None) if error.code() == Code::DumpFailed => {
                    let last_words = tokio::time::timeout(LAST_WORDS, dump).await;
                    Err(last_words.ok().and_then(Result::err).unwrap_or(error))
                }
                (Err(error), _) => Err(error),
            },
        }
    }
}

/// How long a `pg_dump` that wrote no archive may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Takes the upload back; the error that led here is what the caller needs.
async fn given_up(attempt: &Attempt<'_>, upload: Box<dyn Upload>, error: Error) -> Error {
    if let Err(aborting) = upload.abort().await {
        attempt.watch.notice(&format!("an unfinished upload stays behind for now: {aborting}"));
    }
    error
}

/// Roles and tablespaces, whose text differs from run to run (`\restrict` has a random word).
enum Globals {
    /// Still to be stored.
    Taken(Bytes),
    /// Stored by an earlier attempt of this job, byte for byte as that attempt noted.
    Stored(Measured),
}

impl Globals {
    async fn take(attempt: &Attempt<'_>, job: &Job, client: &Client) -> Result<Globals> {
        let key = job.object_name(BackupObject::Globals)?;
        if job.attempt > 1 && attempt.holds(&key).await? {
            let receipt = job.progress.receipt.as_deref().map(Receipt::from_bytes).transpose()?;
            let noted =
                receipt.and_then(|receipt| receipt.globals).ok_or_else(|| not_ours(&key))?.measured()?;
            read_back::compare(attempt, &key, noted).await?;
            return Ok(Globals::Stored(noted));
        }
        source::globals(client, &attempt.request.source).await.map(Globals::Taken)
    }

    fn measured(&self) -> Measured {
        match self {
            Globals::Stored(measured) => *measured,
            Globals::Taken(text) => Measured::of(text),
        }
    }

    /// Stores what is not stored yet, once its digest is noted.
    async fn store(&self, attempt: &Attempt<'_>, job: &Job) -> Result<()> {
        let Globals::Taken(text) = self else { return Ok(()) };
        let key = job.object_name(BackupObject::Globals)?;
        read_back::put(attempt, &key, text.clone(), || not_ours(&key)).await
    }
}

fn not_ours(key: &ObjectName) -> Error {
    let message =
        format!("the destination holds roles and tablespaces that this job did not store name={key}");
    Error::new(Code::ObjectExists, message)
}
