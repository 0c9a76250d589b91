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
use crate::storage::ObjectName;

/// Stores the index that belongs to a stored dump, unless it is there.
pub(super) async fn store(
    attempt: &Attempt<'_>,
    job: &Job,
    receipt: &Receipt,
    index: Option<Bytes>,
) -> Result<()> {
    if receipt.index.is_none() {
        return Ok(());
    }
    let key = job.object_name(BackupObject::Index)?;
    let bytes = match index {
        Some(bytes) => bytes,
        None if attempt.holds(&key).await? => return Ok(()), // whether it is ours, the read-back says
        None => of_stored(attempt, job).await?.to_canonical().into(),
    };
    read_back::put(attempt, &key, bytes, || not_ours(&key)).await
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
