//! Faults by name, for the S3 server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status and an S3 error body, without looking at the request.
    Status {
        /// The HTTP status.
        code: u16,
        /// The S3 error code, e.g. `SlowDown`.
        word: &'static str,
    },
    /// 403 `AccessDenied`.
    AccessDenied,
    /// 404 `NoSuchBucket`.
    NoSuchBucket,
    /// Closes the connection instead of answering; the request is not carried out.
    ConnectionReset,
    /// Carries the request out, then closes the connection instead of answering.
    LostAnswer,
    /// Carries the request out, then answers 500 `InternalError`.
    FailedAnswer,
    /// Answers 500 `InternalError` after this long, without looking at the request.
    LateFailure(Duration),
    /// Announces the whole body, sends half of it and closes the connection.
    TruncatedBody,
    /// Sends half of the body and then nothing, for this long.
    SlowBody(Duration),
    /// Answers 200 with an error in the body, as S3 may when completing an upload.
    ErrorInBody,
}

/// Which requests a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requests {
    /// All.
    All,
    /// Reading an object.
    Get,
    /// Looking an object up.
    Head,
    /// Storing an object in one request.
    Put,
    /// Beginning a multipart upload.
    Begin,
    /// Storing a part.
    Part,
    /// Completing a multipart upload.
    Complete,
    /// Listing.
    List,
}

impl Requests {
    pub(crate) fn include(self, method: &Method, path: &str, query: &str) -> bool {
        let (part, upload) = (query.contains("partNumber="), query.contains("uploadId="));
        let in_bucket = path.trim_matches('/').contains('/');
        match self {
            Requests::All => true,
            Requests::Get => method == Method::GET && in_bucket,
            Requests::Head => method == Method::HEAD,
            Requests::Put => method == Method::PUT && !part,
            Requests::Begin => method == Method::POST && !upload,
            Requests::Part => method == Method::PUT && part,
            Requests::Complete => method == Method::POST && upload,
            Requests::List => method == Method::GET && !in_bucket,
        }
    }
}

/// When a fault strikes, counted among the requests it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// Each time.
    Always,
    /// The first so many times.
    First(u64),
    /// Only the request with this number, from 1.
    Nth(u64),
    /// Each request whose number is a multiple of this.
    EveryNth(u64),
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) requests: Requests,
    pub(crate) when: When,
    pub(crate) fault: Fault,
    pub(crate) seen: AtomicU64,
}

impl Rule {
    /// Counts the request; the fault, if it strikes now.
    pub(crate) fn strike(&self, method: &Method, path: &str, query: &str) -> Option<Fault> {
        if !self.requests.include(method, path, query) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let strikes = match self.when {
            When::Always => true,
            When::First(count) => number <= count,
            When::Nth(nth) => number == nth,
            When::EveryNth(nth) => number.is_multiple_of(nth),
        };
        strikes.then_some(self.fault)
    }
}
