//! An S3 server inside the test process.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::{CompleteMultipartUploadInput, PutObjectInput};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Request, S3Result};
use tempfile::TempDir;
use tokio::net::TcpListener;
use walwarden_core::secret::Secret;
use walwarden_core::storage::{Location, Options};

use super::s3_faults::{Fault, Requests, Rule, When};

/// An S3 server on a free loopback port: it checks signatures and checksums, honours `If-None-Match`, keeps its objects
/// in a temporary folder, and misbehaves on demand. Stops when dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    world: Arc<World>,
    listening: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct World {
    root: std::path::PathBuf,
    rules: Mutex<Vec<Rule>>,
    log: Mutex<Vec<String>>,
    requests: AtomicU64,
    ignores_conditions: Arc<AtomicBool>,
    /// The file-backed server looks and writes in two steps; one at a time makes its conditions atomic, as S3's are.
    naming: tokio::sync::Mutex<()>,
}

impl World {
    /// What S3 says where the file-backed server has an answer of its own: it makes missing buckets, fails on folders
    /// and denies access to uploads that are gone.
    fn missing(&self, path: &str, query: &str) -> Option<&'static str> {
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if !self.root.join(bucket).is_dir() {
            return Some("NoSuchBucket");
        }
        let upload = query.split('&').find_map(|pair| pair.strip_prefix("uploadId="));
        if let Some(upload) = upload {
            return (!self.root.join(format!(".upload-{upload}.json")).exists()).then_some("NoSuchUpload");
        }
        (!key.is_empty() && self.root.join(path).is_dir()).then_some("NoSuchKey")
    }
}

impl S3Server {
    /// The bucket that exists from the start.
    pub const BUCKET: &'static str = "backups";
    /// The access key it knows.
    pub const ACCESS_KEY: &'static str = "walwarden-test";
    /// The secret of that key.
    pub const SECRET_KEY: &'static str = "not-a-real-secret";

    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// When the machine has no temporary folder or loopback port to give.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(Self::BUCKET)).expect("the bucket's folder");
        let ignores_conditions = Arc::new(AtomicBool::new(false));
        let service = {
            let files = s3s_fs::FileSystem::new(folder.path()).expect("the folder is readable");
            let mut builder = S3ServiceBuilder::new(files);
            builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
            builder.set_access(Access(Arc::clone(&ignores_conditions)));
            builder.build()
        };
        let world = Arc::new(World {
            root: folder.path().to_owned(),
            rules: Mutex::default(),
            log: Mutex::default(),
            requests: AtomicU64::new(0),
            ignores_conditions,
            naming: tokio::sync::Mutex::new(()),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let listening = tokio::spawn(listen(listener, service, Arc::clone(&world)));
        S3Server { address, folder, world, listening }
    }

    /// Where a storage below `prefix` of the bucket is; an empty prefix is the whole bucket.
    pub fn location(&self, prefix: &str) -> Location {
        self.location_of_bucket(Self::BUCKET, prefix)
    }

    /// The same for a bucket of this name, which need not exist.
    ///
    /// # Panics
    /// When bucket and prefix make no location.
    pub fn location_of_bucket(&self, bucket: &str, prefix: &str) -> Location {
        let url = format!("s3://{bucket}/{prefix}?endpoint=http://{}", self.address);
        Location::parse(&url).expect("a location on this server")
    }

    /// Its credentials.
    pub fn options(&self) -> Options {
        Self::credentials()
    }

    /// The credentials of every such server.
    pub fn credentials() -> Options {
        Options::default()
            .with_credential("aws_access_key_id", Secret::new(Self::ACCESS_KEY))
            .with_credential("aws_secret_access_key", Secret::new(Self::SECRET_KEY))
    }

    /// Lets these requests fail from now on. Earlier faults strike first.
    pub fn inject(&self, requests: Requests, when: When, fault: Fault) {
        let rule = Rule { requests, when, fault, seen: AtomicU64::new(0) };
        lock(&self.world.rules).push(rule);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        lock(&self.world.rules).clear();
        self.ignore_conditions(false);
    }

    /// Accepts `If-None-Match` and does not honour it: the worst store there is.
    pub fn ignore_conditions(&self, ignore: bool) {
        self.world.ignores_conditions.store(ignore, Ordering::Relaxed);
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> u64 {
        self.world.requests.load(Ordering::Relaxed)
    }

    /// How many requests of a kind have arrived.
    pub fn requests_of(&self, kind: Requests) -> usize {
        let log = lock(&self.world.log);
        let includes = |line: &&String| {
            let mut parts = line.splitn(3, ' ');
            let method = parts.next().and_then(|method| method.parse::<Method>().ok());
            let (path, query) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            method.is_some_and(|method| kind.include(&method, path, query))
        };
        log.iter().filter(includes).count()
    }

    /// How many multipart uploads are neither completed nor aborted.
    ///
    /// # Panics
    /// When the server's folder cannot be read.
    pub fn unfinished_uploads(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.path()).expect("the server's folder");
        let names = entries.map(|entry| entry.expect("a readable entry").file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".upload-")).count()
    }

    /// The folder that holds the bucket's objects as files, to be tampered with.
    pub fn bucket_folder(&self) -> std::path::PathBuf {
        self.folder.path().join(Self::BUCKET)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Strips conditions after the signature was checked.
struct Access(Arc<AtomicBool>);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        match context.credentials() {
            Some(_) => Ok(()),
            None => Err(s3s::s3_error!(AccessDenied, "signature required")),
        }
    }

    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        if self.0.load(Ordering::Relaxed) {
            request.input.if_none_match = None;
        }
        Ok(())
    }

    async fn complete_multipart_upload(
        &self,
        request: &mut S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<()> {
        if self.0.load(Ordering::Relaxed) {
            request.input.if_none_match = None;
        }
        Ok(())
    }
}

async fn listen(listener: TcpListener, service: S3Service, world: Arc<World>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (service, world) = (service.clone(), Arc::clone(&world));
        let answer = service_fn(move |request| answer(request, service.clone(), Arc::clone(&world)));
        connections.spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(socket), answer).await; // clients may leave at any time
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    world: Arc<World>,
) -> io::Result<Response<s3s::Body>> {
    let method = request.method().clone();
    let (path, query) =
        (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    world.requests.fetch_add(1, Ordering::Relaxed);
    lock(&world.log).push(format!("{method} {path} {query}"));
    let struck = lock(&world.rules).iter().find_map(|rule| rule.strike(&method, &path, &query));

    let instead = match struck {
        Some(Fault::Status { code, word }) => Some(refusal(code, word)),
        Some(Fault::AccessDenied) => Some(refusal(403, "AccessDenied")),
        Some(Fault::NoSuchBucket) => Some(refusal(404, "NoSuchBucket")),
        Some(Fault::LateFailure(pause)) => {
            tokio::time::sleep(pause).await;
            Some(refusal(500, "InternalError"))
        }
        Some(Fault::ErrorInBody) => Some(refusal(200, "InternalError")),
        Some(Fault::ConnectionReset) => return Err(io::ErrorKind::ConnectionReset.into()),
        _ => world.missing(&path, &query).map(|word| refusal(404, word)),
    };
    if let Some(instead) = instead {
        let _ = BodyExt::collect(request.into_body()).await; // a polite server reads the request before it refuses
        return Ok(instead);
    }
    let names =
        Requests::Put.include(&method, &path, &query) || Requests::Complete.include(&method, &path, &query);
    let alone = if names { Some(world.naming.lock().await) } else { None };
    let response = service.call(request.map(s3s::Body::from)).await.map_err(io::Error::other)?;
    drop(alone);
    match struck {
        Some(Fault::LostAnswer) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::FailedAnswer) => Ok(refusal(500, "InternalError")),
        Some(Fault::TruncatedBody) => halved(response, None).await,
        Some(Fault::SlowBody(pause)) => halved(response, Some(pause)).await,
        _ => Ok(response),
    }
}

fn refusal(code: u16, word: &str) -> Response<s3s::Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{word}</Code><Message>injected, with \
         {} in it</Message></Error>",
        S3Server::SECRET_KEY
    );
    Response::builder().status(code).body(body.into()).expect("a valid status")
}

/// The same headers with half of the body, then a pause or a broken connection.
async fn halved(
    response: Response<s3s::Body>,
    pause: Option<std::time::Duration>,
) -> io::Result<Response<s3s::Body>> {
    let (mut parts, body) = response.into_parts();
    let whole = BodyExt::collect(body).await.map_err(io::Error::other)?.to_bytes();
    parts.headers.insert(CONTENT_LENGTH, whole.len().into());
    let half = whole.slice(..whole.len() / 2);
    let end = stream::once(async move {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        Err::<Frame<Bytes>, io::Error>(io::ErrorKind::ConnectionReset.into())
    });
    let frames = stream::once(async move { Ok(Frame::data(half)) }).chain(end);
    Ok(Response::from_parts(parts, s3s::Body::http_body_unsync(StreamBody::new(frames))))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
