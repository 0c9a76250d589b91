//! The HTTP client below `object_store`: deadlines that fit the size of a request, conditional completion of uploads,
//! and refusals as typed values instead of text.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, HeaderValue};
use tokio::time::Sleep;

/// A server that answered with something else than what was asked for. Of its answer only the status, the error code
/// and the region hint are kept: the rest may quote the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The provider's name of the error, e.g. `SlowDown`; empty when it gave none.
    pub(super) word: String,
    /// Where the bucket really is, when the server says so.
    pub(super) region: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server refused status={}", self.status)?;
        if !self.word.is_empty() {
            write!(f, " code={}", self.word)?;
        }
        match &self.region {
            Some(region) => write!(f, " bucket_region={region}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// No credentials were given and the machine's own source of them does not answer.
#[derive(Debug)]
pub(super) struct NoCredentials;

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credentials were given, and this machine's metadata service offers none")
    }
}

impl std::error::Error for NoCredentials {}

/// Makes the clients of one storage.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) silence: Duration,
    /// Whether completing an upload carries `If-None-Match: *`. `object_store` has no call for it; like its own
    /// conditional copy we add the header after signing, which SigV4 allows.
    pub(super) conditional_complete: Arc<AtomicBool>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        let conditional_complete = Arc::clone(&self.conditional_complete);
        Ok(HttpClient::new(Wire { inner, silence: self.silence, conditional_complete }))
    }
}

#[derive(Debug)]
struct Wire {
    inner: HttpClient,
    silence: Duration,
    conditional_complete: Arc<AtomicBool>,
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().host().is_some_and(is_metadata_service) {
            return match tokio::time::timeout(METADATA_DEADLINE, self.inner.execute(request)).await {
                Ok(Ok(response)) => Ok(response),
                _ => Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials)),
            };
        }
        let completes = request.method().as_str() == "POST"
            && request.uri().query().is_some_and(|query| query.contains("uploadId="));
        if completes && self.conditional_complete.load(Ordering::Relaxed) {
            request.headers_mut().insert("if-none-match", HeaderValue::from_static("*"));
        }
        let sending = Duration::from_secs(request.body().content_length() as u64 / SLOWEST_BYTES_PER_SECOND);
        let answered = tokio::time::timeout(self.silence + sending, self.inner.execute(request)).await;
        let response = answered.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))??;
        match response.status().as_u16() {
            200 if completes => self.completed(response).await,
            200..=299 => {
                let silence = self.silence;
                Ok(response
                    .map(|inner| HttpResponseBody::new(ImpatientBody { inner, silence, waiting: None })))
            }
            _ => Err(self.refused(response).await),
        }
    }
}

impl Wire {
    /// S3 may say 200 first and put the error into the body.
    async fn completed(&self, response: HttpResponse) -> Result<HttpResponse, HttpError> {
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(self.silence * 5, body.bytes()) // S3 keeps the line open while it assembles
            .await
            .map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))??;
        let text = String::from_utf8_lossy(&body);
        if text.contains("<Error>") {
            let word = error_word(&text);
            return Err(HttpError::new(HttpErrorKind::Unknown, Refusal { status: 500, word, region: None }));
        }
        Ok(HttpResponse::from_parts(parts, body.into()))
    }

    async fn refused(&self, response: HttpResponse) -> HttpError {
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
        let status = response.status().as_u16();
        let region = header("x-amz-bucket-region");
        let word = header("x-ms-error-code");
        let word = match word {
            Some(word) => word,
            None => match tokio::time::timeout(self.silence, response.into_body().bytes()).await {
                Ok(Ok(body)) => error_word(&String::from_utf8_lossy(&body)),
                _ => String::new(),
            },
        };
        HttpError::new(HttpErrorKind::Unknown, Refusal { status, word, region })
    }
}

/// A body that is given up when nothing of it comes for a while. What its reader takes to work on it does not count.
struct ImpatientBody {
    inner: HttpResponseBody,
    silence: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for ImpatientBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame);
        }
        let silence = self.silence;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(silence)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, BodyStopped)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body of which nothing more came.
#[derive(Debug)]
struct BodyStopped;

impl fmt::Display for BodyStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("body stopped coming")
    }
}

impl std::error::Error for BodyStopped {}

/// The text of the first `<Code>` element, if it looks like a code.
fn error_word(body: &str) -> String {
    let word = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match word {
        Some((word, _)) if word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            word.into()
        }
        _ => String::new(),
    }
}

fn is_metadata_service(host: &str) -> bool {
    host.starts_with("169.254.")
        || host.trim_end_matches('.') == "metadata.google.internal"
        || host == "metadata"
}

const METADATA_DEADLINE: Duration = Duration::from_secs(5);
const SLOWEST_BYTES_PER_SECOND: u64 = 256 << 10;
