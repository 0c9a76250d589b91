//! The archive index beside a dump.
//!
//! It is stored once the dump is visible, and not noted before: whatever ends the attempt in between, the dump as it lies in
//! the store says the same again, and the noted digest tells whether it does.

use bytes::Bytes;
use futures::StreamExt;
use walwarden_archive::Indexer;
use walwarden_verify::index::Index;
use walwarden_verify::layout::BackupObject;

use super::attempt::Attempt;
use super::read_back;
use super::receipt::Receipt;
use crate::catalog::Job;
use crate::error::{Code, Error, Result};
use crate::storage::{ObjectName, StorageExt};

/// Stores the index that belongs to a stored dump, unless it is there.
pub(super) async fn store(
    attempt: &Attempt<'_>,
    job: &Job,
    receipt: &Receipt,
    index: Option<Index>,
) -> Result<()> {
    let Some(indexed) = &receipt.index else { return Ok(()) };
    let key = job.object_name(BackupObject::Index)?;
    let sent = indexed.object.measured()?;
    if index.is_none() && attempt.holds(&key).await? {
        return Ok(()); // whether it is ours, the read-back says
    }
    let index = match index {
        Some(index) => index,
        None => of_stored(attempt, job).await?,
    };
    let bytes = Bytes::from(index.to_canonical());
    match attempt.destination().put(&key, bytes).await {
        Ok(_) => Ok(()),
        // Ours after all, if a lost answer made the storage try twice.
        Err(error) if error.code() == Code::ObjectExists => {
            match read_back::measure(attempt, &key).await? == sent {
                true => Ok(()),
                false => Err(not_ours(&key)),
            }
        }
        Err(error) => Err(error),
    }
}

/// The index of the dump as the store returns it.
async fn of_stored(attempt: &Attempt<'_>, job: &Job) -> Result<Index> {
    let key = job.object_name(BackupObject::Artifact)?;
    let mut body = attempt.destination().get(&key, None).await?.body;
    let mut indexer = Some(Indexer::new());
    while let Some(chunk) = body.next().await {
        let (chunk, mut reading) = (chunk?, indexer.take().expect("it is put back"));
        let outcome = tokio::task::spawn_blocking(move || reading.update(&chunk).map(|()| reading)).await;
        let read = outcome.map_err(|error| {
            Error::new(Code::Internal, "the thread that reads the dump broke down").with_source(error)
        })?;
        indexer = Some(read.map_err(|error| changed(&key, error))?);
        attempt.check_cancelled()?;
    }
    let contents = indexer.take().expect("it is put back").finish().map_err(|error| changed(&key, error))?;
    Ok(contents.into_index(job.id))
}

fn changed(key: &ObjectName, error: walwarden_archive::Error) -> Error {
    let message = format!("the store does not return the archive that was sent name={key}");
    Error::new(Code::ReadBackMismatch, message).with_source(error)
}

fn not_ours(key: &ObjectName) -> Error {
    let message = format!("the destination holds an index that this job did not store name={key}");
    Error::new(Code::ObjectExists, message)
}
