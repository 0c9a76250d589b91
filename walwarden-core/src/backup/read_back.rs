//! Compares what the store returns with what was sent.

use bytes::Bytes;
use futures::StreamExt;

use super::attempt::Attempt;
use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::storage::{ObjectName, StorageExt};

/// Reads the whole object and compares size and digest.
///
/// # Errors
/// `read-back-mismatch` when they differ or the object is not there any more; the store's own errors.
pub(super) async fn compare(attempt: &Attempt<'_>, name: &ObjectName, sent: Measured) -> Result<()> {
    let came_back = measure(attempt, name).await.map_err(|error| match error.code() {
        Code::ObjectMissing => {
            Error::new(Code::ReadBackMismatch, format!("a stored object vanished name={name}"))
                .with_source(error)
        }
        _ => error,
    })?;
    if came_back == sent {
        return Ok(());
    }
    Err(Error::new(
        Code::ReadBackMismatch,
        format!(
            "what the store returns is not what was sent name={name} sent={}:{} returned={}:{}",
            sent.size_bytes, sent.sha256, came_back.size_bytes, came_back.sha256
        ),
    ))
}

/// Stores an object of this job. One that is there already is ours after all, if a lost answer made the storage try twice;
/// nobody else's is ever stated as ours.
///
/// # Errors
/// `not_ours` when another object has the name; the store's own errors.
pub(super) async fn put(
    attempt: &Attempt<'_>,
    name: &ObjectName,
    bytes: Bytes,
    not_ours: impl FnOnce() -> Error,
) -> Result<()> {
    match attempt.destination().put(name, bytes.clone()).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Code::ObjectExists => {
            match measure(attempt, name).await? == Measured::of(&bytes) {
                true => Ok(()),
                false => Err(not_ours()),
            }
        }
        Err(error) => Err(error),
    }
}

/// Size and digest of an object as the store returns it now.
pub(super) async fn measure(attempt: &Attempt<'_>, name: &ObjectName) -> Result<Measured> {
    let mut body = attempt.destination().get(name, None).await?.body;
    let mut measure = Measure::default();
    while let Some(chunk) = body.next().await {
        measure.update(&chunk?);
        attempt.check_cancelled()?;
    }
    Ok(measure.finish())
}
