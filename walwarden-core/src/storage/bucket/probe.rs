//! Finding out what a store really does, with objects of our own below `.walwarden/`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use object_store::{ObjectStoreExt, PutPayload};

use super::Bucket;
use super::fault::Fault;
use crate::error::{Code, Result};
use crate::storage::{Abilities, ObjectName, RESERVED};

pub(super) async fn probe(bucket: &Arc<Bucket>) -> Result<Abilities> {
    let mut id = [0; 8];
    bucket.random.fill(&mut id);
    let name = |kind| ObjectName::new(format!("{RESERVED}/probe-{:016x}-{kind}", u64::from_be_bytes(id)));
    let (twice, raced, large) = (name("twice")?, name("race")?, name("large")?);

    let found = async {
        let puts = put_twice(bucket, &twice).await? && put_race(bucket, &raced).await?;
        let uploads = puts && upload_over(bucket, &large).await?;
        Ok::<_, Fault>((puts, uploads))
    };
    let found = found.await;
    for name in [&twice, &raced, &large] {
        // Best effort: under a retention lock probes stay, and they are never listed.
        let _ = bucket.store.delete(&bucket.path(name)).await;
    }
    let (puts, uploads) =
        found.map_err(|fault| fault.report("probe destination with object", twice.as_str()))?;
    bucket.trusted.store(puts, Ordering::Relaxed);
    let note = match (puts, uploads) {
        (true, true) => None,
        (true, false) => Some(
            "this store puts small objects once, but replaces an existing object when a large upload is completed: \
             names are looked up just before; two writers of one name at the same instant could both succeed",
        ),
        _ => Some(
            "this store replaces existing objects although told not to: names are looked up just before writing; \
             two writers of one name at the same instant could both succeed",
        ),
    };
    Ok(Abilities::new(puts && uploads, note.map(str::to_owned)))
}

/// Whether a second conditional PUT is refused and leaves the first body in place. One of the two must come back.
async fn put_twice(bucket: &Bucket, name: &ObjectName) -> Result<bool, Fault> {
    let was_refused = won(bucket, name, "first").await? && !won(bucket, name, "second").await?;
    let kept = async { bucket.store.get(&bucket.path(name)).await?.bytes().await };
    match &*kept.await.map_err(Fault::of)? {
        b"first" => Ok(was_refused),
        b"second" => Ok(false),
        _ => Err(Fault::changed()),
    }
}

/// Whether of two conditional PUTs at the same time exactly one succeeds.
async fn put_race(bucket: &Bucket, name: &ObjectName) -> Result<bool, Fault> {
    let (one, two) = futures::future::join(won(bucket, name, "one"), won(bucket, name, "two")).await;
    Ok(one? != two?)
}

/// Whether one conditional PUT succeeds; a store that does not know conditions makes every PUT a winner.
async fn won(bucket: &Bucket, name: &ObjectName, body: &'static str) -> Result<bool, Fault> {
    let mut tries = bucket.tries();
    loop {
        match bucket.put_once(name, &PutPayload::from_static(body.as_bytes())).await {
            Ok(_) => return Ok(true),
            Err(fault) if fault.code == Code::ObjectExists => return Ok(false),
            Err(fault) if fault.lacks_condition() && tries.learned() => {}
            Err(fault) if tries.again(&fault).await => {}
            Err(fault) => return Err(fault),
        }
    }
}

/// Whether completing an upload is refused when an object came in between.
async fn upload_over(bucket: &Bucket, name: &ObjectName) -> Result<bool, Fault> {
    let path = bucket.path(name);
    let id = bucket.store.create_multipart(&path).await.map_err(Fault::of)?;
    let completed = async {
        let body = PutPayload::from_static(b"upload");
        let part = bucket.store.put_part(&path, &id, 0, body).await.map_err(Fault::of)?;
        if !won(bucket, name, "object").await? {
            return Ok(false);
        }
        match bucket.store.complete_multipart(&path, &id, vec![part]).await.map_err(Fault::of) {
            Ok(_) => Ok(false),
            Err(fault) if fault.code == Code::ObjectExists || fault.lost_upload() => Ok(true),
            Err(fault) if fault.lacks_condition() => {
                bucket.conditional_complete.store(false, Ordering::Relaxed);
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    };
    let completed = completed.await;
    if !matches!(completed, Ok(false)) {
        let _ = bucket.store.abort_multipart(&path, &id).await;
    }
    completed
}
