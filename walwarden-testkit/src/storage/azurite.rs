//! Microsoft's emulator of Azure Blob Storage.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use walwarden_core::secret::Secret;
use walwarden_core::storage::{Location, Options};

use crate::skip::skipped;

/// An Azurite process on a free loopback port; ends when dropped.
///
/// The executable is `WALWARDEN_AZURITE` (the path of `azurite-blob`, from `npm install azurite`), else what `PATH`
/// has.
#[derive(Debug)]
pub struct Azurite {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// The container that exists from the start.
    pub const CONTAINER: &'static str = "backups";

    /// Starts the emulator with an empty container; `None`, said loudly, when it is not installed.
    ///
    /// # Panics
    /// When it is not installed and `WALWARDEN_TEST_FULL=1` asks for all tests, or when it does not start.
    pub async fn start() -> Option<Self> {
        let Some(program) = find() else {
            skipped(
                "Azure Blob Storage: azurite-blob is missing; npm install azurite, then set WALWARDEN_AZURITE",
            );
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new(&program)
            .args(["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {}: {error}", program.display()));
        let stdout = process.stdout.take().expect("stdout is a pipe");
        let port = tokio::task::spawn_blocking(move || port_in(stdout));
        let port = tokio::time::timeout(Duration::from_secs(60), port).await;
        let port = port.expect("Azurite tells its port in time").expect("reading its output");
        let azurite = Azurite { process, port: port.expect("Azurite tells its port"), _folder: folder };
        azurite.create_container().await;
        Some(azurite)
    }

    /// Where a storage below `prefix` of the container is.
    ///
    /// # Panics
    /// When the prefix makes no location.
    pub fn location(&self, prefix: &str) -> Location {
        self.location_of_container(Self::CONTAINER, prefix)
    }

    /// The same for a container of this name, which need not exist.
    ///
    /// # Panics
    /// When container and prefix make no location.
    pub fn location_of_container(&self, container: &str, prefix: &str) -> Location {
        let endpoint = format!("http://127.0.0.1:{}/{ACCOUNT}", self.port);
        let url = format!("az://{ACCOUNT}/{container}/{prefix}?endpoint={endpoint}");
        Location::parse(&url).expect("a location on this emulator")
    }

    /// The emulator's published credentials.
    pub fn options(&self) -> Options {
        Options::default().with_credential("azure_storage_account_key", Secret::new(KEY))
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn find() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods)] // a test kit may ask the machine what it has
    let (named, path) = (std::env::var_os("WALWARDEN_AZURITE"), std::env::var_os("PATH"));
    match named {
        Some(named) => Some(PathBuf::from(named)),
        None => {
            std::env::split_paths(&path?).map(|folder| folder.join("azurite-blob")).find(|file| file.exists())
        }
    }
}

/// Waits for the line that tells the port, then keeps the pipe drained.
fn port_in(stdout: std::process::ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("successfully listen"))?;
    let port = line.trim_end_matches(|last: char| !last.is_ascii_digit()).rsplit(':').next()?.parse().ok();
    std::thread::spawn(move || lines.for_each(drop));
    port
}

impl Azurite {
    /// `object_store` cannot create containers, so this speaks to the server itself.
    async fn create_container(&self) {
        let headers = format!("x-ms-date:{DATE}\nx-ms-version:{VERSION}");
        let resource = format!("/{ACCOUNT}/{ACCOUNT}/{}\nrestype:container", Self::CONTAINER);
        let signed = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}\n{resource}");
        let request = format!(
            "PUT /{ACCOUNT}/{}?restype=container HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nx-ms-date: {DATE}\r\n\
             x-ms-version: {VERSION}\r\nAuthorization: SharedKey {ACCOUNT}:{}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n",
            Self::CONTAINER,
            self.port,
            signature(&signed)
        );
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.expect("Azurite listens");
        socket.write_all(request.as_bytes()).await.expect("Azurite takes a request");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("Azurite answers");
        assert!(answer.starts_with("HTTP/1.1 201"), "Azurite creates a container: {answer}");
    }
}

fn signature(text: &str) -> String {
    let key = BASE64_STANDARD.decode(KEY).expect("the published key is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

const ACCOUNT: &str = "devstoreaccount1";
/// The emulator's own key, the same everywhere and published by Microsoft.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const VERSION: &str = "2021-08-06";
