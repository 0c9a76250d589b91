//! Reading objects: bodies that break are asked for again from where they broke.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt};

use super::Bucket;
use super::fault::Fault;
use super::tries::Tries;
use crate::error::{Code, Error, Result};
use crate::storage::{Fetched, ObjectName, checked_range};

pub(super) async fn fetch(
    bucket: &Arc<Bucket>,
    name: &ObjectName,
    range: Option<Range<u64>>,
) -> Result<Fetched> {
    if let Some(range) = &range
        && range.start > range.end
    {
        checked_range(name, Some(range.clone()), u64::MAX)?;
    }
    // An empty range cannot be asked for; the whole object's headers tell its size.
    let asked = range.clone().filter(|range| !range.is_empty());
    let mut tries = bucket.tries();
    let answer = request(bucket, name, asked, &mut tries).await?;
    let size_bytes = answer.meta.size;
    let range = checked_range(name, range, size_bytes)?;
    if range.is_empty() {
        return Ok(Fetched::new(size_bytes, Box::pin(stream::empty())));
    }
    let body = Body {
        bucket: Arc::clone(bucket),
        name: name.clone(),
        size_bytes,
        tag: answer.meta.e_tag.clone(),
        rest: range,
        frames: answer.into_stream(),
        tries,
        since_break: 0,
    };
    let chunks =
        stream::try_unfold(body, |mut body| async move { Ok(body.next().await?.map(|chunk| (chunk, body))) });
    Ok(Fetched::new(size_bytes, Box::pin(chunks)))
}

async fn request(
    bucket: &Bucket,
    name: &ObjectName,
    range: Option<Range<u64>>,
    tries: &mut Tries,
) -> Result<GetResult> {
    let path = bucket.path(name);
    loop {
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        match bucket.store.get_opts(&path, options).await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                let fault = Fault::of(error);
                // Some servers answer a range outside the object in ways of their own.
                if let Some(range) = range.clone().filter(|_| fault.is_odd())
                    && let Ok(found) = bucket.store.head(&path).await
                {
                    checked_range(name, Some(range), found.size)?;
                }
                if !tries.again(&fault).await {
                    return Err(fault.report("read object", name.as_str()));
                }
            }
        }
    }
}

struct Body {
    bucket: Arc<Bucket>,
    name: ObjectName,
    size_bytes: u64,
    tag: Option<String>,
    /// What is still to come.
    rest: Range<u64>,
    frames: BoxStream<'static, object_store::Result<Bytes>>,
    tries: Tries,
    since_break: u64,
}

impl Body {
    /// The next chunk of at least [`CHUNK_BYTES`], save the last.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut chunk = BytesMut::new();
        while !self.rest.is_empty() && chunk.len() < CHUNK_BYTES {
            let frame = match self.frames.next().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.resume(Fault::of(error)).await?;
                    continue;
                }
                None => {
                    self.resume(Fault::from_silence("body ended before its announced length".into())).await?;
                    continue;
                }
            };
            if frame.len() as u64 > self.rest.end - self.rest.start {
                return Err(self.changed("body is longer than announced"));
            }
            self.rest.start += frame.len() as u64;
            self.since_break += frame.len() as u64;
            if chunk.is_empty() && frame.len() >= CHUNK_BYTES {
                return Ok(Some(frame));
            }
            chunk.extend_from_slice(&frame);
        }
        Ok((!chunk.is_empty()).then(|| chunk.freeze()))
    }

    async fn resume(&mut self, fault: Fault) -> Result<()> {
        if self.since_break >= PROGRESS_BYTES {
            self.tries = self.bucket.tries();
        }
        self.since_break = 0;
        // Whatever broke the body, the object is there: asking again is worth it.
        let fault = if fault.transient { fault } else { Fault::from_silence("body broke off".into()) };
        if !self.tries.again(&fault).await {
            return Err(fault.report("read object to its end", self.name.as_str()));
        }
        let answer = request(&self.bucket, &self.name, Some(self.rest.clone()), &mut self.tries).await?;
        if answer.meta.size != self.size_bytes || answer.meta.e_tag != self.tag {
            return Err(self.changed("object changed while it was read"));
        }
        self.frames = answer.into_stream();
        Ok(())
    }

    fn changed(&self, what: &str) -> Error {
        Error::new(Code::ReadBackMismatch, format!("{what} name={}", self.name))
    }
}

const CHUNK_BYTES: usize = 256 << 10;
/// So much since the last break makes a new break count as the first.
const PROGRESS_BYTES: u64 = 4 << 20;
