//! Signals while the destination does not answer: the command ends soon, and says so honestly.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use walwarden_testkit::storage::S3Server;

use crate::scene::{Ended, Scene, ended, files_below};
use crate::shop::Shop;

/// A way to a server that falls silent after so many bytes, in both directions and for every connection.
struct Way {
    address: SocketAddr,
    left: Arc<AtomicU64>,
}

impl Way {
    async fn to(server: SocketAddr, bytes: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicU64::new(bytes));
        let shared = Arc::clone(&left);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (client_in, client_out) = client.into_split();
                let (server_in, server_out) = TcpStream::connect(server).await.unwrap().into_split();
                tokio::spawn(carry(client_in, server_out, Arc::clone(&shared)));
                tokio::spawn(carry(server_in, client_out, Arc::clone(&shared)));
            }
        });
        Way { address, left }
    }

    fn is_silent(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    fn open_up(&self) {
        self.left.store(u64::MAX, Ordering::SeqCst);
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, left: Arc<AtomicU64>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while left.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let less = |left: u64| Some(left.saturating_sub(count as u64));
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).unwrap();
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", S3Server::ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", S3Server::SECRET_KEY)];

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut process = scene.process(arguments);
    process.envs(CREDENTIALS).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends SIGTERM and returns the status, if there is one within five seconds.
async fn stopped(mut child: Child) -> Option<i32> {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    None
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..1000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came so far");
}

fn with_credentials(scene: &Scene, arguments: &[&str]) -> Ended {
    ended(scene.walwarden(arguments).envs(CREDENTIALS))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_into_a_bucket_that_falls_silent_stops_soon_and_is_tidied_up_later() {
    let shop = Shop::open().await;
    shop.server
        .sql(&shop.name, "CREATE TABLE pages AS SELECT n, repeat(md5(n::text), 40) AS body FROM generate_series(1, 30000) n")
        .await;
    let server = S3Server::start().await;
    let real = server.location("prod").to_string().replace("%3A", ":").replace("%2F", "/");
    let address = real.split("http://").nth(1).unwrap().trim_end_matches('/');
    // Enough for the probe and for the first parts of the dump.
    let way = Way::to(address.parse().unwrap(), 12 << 20).await;
    let url = real.replace(address, &way.address.to_string());
    let scene = shop.configured();
    let add =
        ["database", "add", "bucket", "--dsn", &shop.dsn, "--destination", &url, "--compression", "none"];
    scene.run(&add).succeeds();

    let run = ["backup", "run", "--database", "bucket"];
    let child = start(&scene, &run);
    until(|| way.is_silent()).await;
    assert_eq!(stopped(child).await, Some(4));
    assert_eq!(scene.json(&["backup", "list"])["backups"][0]["state"], "cancelled");
    assert_eq!(server.unfinished_uploads(), 1, "the bucket did not answer, so nothing could be removed");

    way.open_up();
    with_credentials(&scene, &run).succeeds();
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_never_answers_keeps_nobody_waiting() {
    let shop = Shop::open().await;
    // Takes connections and says nothing.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("s3://backups?endpoint=http://{}", listener.local_addr().unwrap());
    let scene = shop.configured();
    scene.run(&["database", "add", "bucket", "--dsn", &shop.dsn, "--destination", &url]).succeeds();
    let bundle = scene.text("x.evidence.tgz");
    let (hash, target) = ("0".repeat(64), shop.target());
    let commands: [&[&str]; 4] = [
        &["backup", "run", "--database", "bucket"],
        &["database", "check", "bucket"],
        &["catalog", "rebuild", "--from", &url],
        &["restore", "--manifest", &hash, "--from", &url, "--target", &target, "--mode", "new_database"],
    ];
    for command in commands {
        let child = start(&scene, command);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(stopped(child).await, Some(4), "{command:?}");
    }
    assert!(!std::path::Path::new(&bundle).exists());
    let listed = scene.json(&["backup", "list", "--database", "bucket"]);
    for job in listed["backups"].as_array().unwrap() {
        assert_eq!(job["state"], "cancelled", "{job}");
    }
}

/// Opening a pipe that nobody writes to waits in the kernel, as a dead network disk or a name server does.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_in_the_kernel_keeps_nobody_waiting() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let hash = completed["payload"]["manifestSha256"].as_str().unwrap();
    let stored = files_below(&scene.path("backups"));
    let manifest = stored.iter().find(|path| path.to_string_lossy().ends_with(".manifest.json")).unwrap();
    std::fs::remove_file(manifest).unwrap();
    assert!(Command::new("mkfifo").arg(manifest).status().unwrap().success());

    let target = shop.target();
    let child =
        start(&scene, &["restore", "--manifest", hash, "--target", &target, "--mode", "new_database"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(stopped(child).await, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_bucket_that_refuses_connections_is_told() {
    let shop = Shop::open().await;
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let scene = shop.configured();
    let url = format!("s3://backups?endpoint=http://{closed}");
    let mut child = start(&scene, &["backup", "run", "--dsn", &shop.dsn, "--to", &url]);
    let mut told = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !told.contains("it is repeated") {
        assert_ne!(lines.read_line(&mut told).unwrap(), 0, "ended without a word: {told}");
    }
    assert!(told.contains("refused") && child.try_wait().unwrap().is_none(), "{told}");
    assert_eq!(stopped(child).await, Some(4));
}
