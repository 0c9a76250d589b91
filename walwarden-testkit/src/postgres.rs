//! Throwaway Postgres servers of a given major.
//!
//! The programs come from `scripts/install-postgres`. A server lives in a temporary folder, listens on a free
//! loopback port and a Unix socket, and ends with its value or, at the latest, with the test process: a small shell
//! watches a pipe that the process holds, so that even a killed test leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Majors that `scripts/install-postgres` installs.
pub const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];

/// The superuser of every throwaway server.
pub const USER: &str = "postgres";

/// Its password, asked for over TCP (SCRAM) and not over the socket. It needs escaping in a URL, on purpose.
pub const PASSWORD: &str = "p@ss word/'%";

/// A running throwaway server.
#[derive(Debug)]
pub struct Postgres {
    major: u32,
    port: u16,
    folder: TempDir,
    watcher: Option<Child>,
}

impl Postgres {
    /// Starts a new server.
    ///
    /// # Panics
    /// When the major is not installed, naming the command that installs it, or when the server does not start.
    pub fn start(major: u32) -> Postgres {
        Postgres::start_with(major, &[])
    }

    /// Starts a new server with settings such as `("max_locks_per_transaction", "10")`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(major: u32, settings: &[(&str, &str)]) -> Postgres {
        Postgres::start_prepared(major, settings, |_data| {})
    }

    /// Starts a new server after `prepare` has put further files into its data folder (certificates, for example).
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_prepared(major: u32, settings: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Postgres {
        let bin = bin_dir(major);
        let folder =
            tempfile::Builder::new().prefix("ww-pg-").tempdir().expect("a temporary folder can be made");
        give_to_server_user(folder.path());
        let data = folder.path().join("data");
        fs::write(folder.path().join("password"), PASSWORD).expect("the temporary folder is writable");
        give_to_server_user(&folder.path().join("password"));

        run(as_server_user(&bin.join("initdb"))
            .args(["--username", USER, "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--no-instructions", "--pwfile"])
            .arg(folder.path().join("password"))
            .arg("--pgdata")
            .arg(&data));
        prepare(&data);
        if let Ok(entries) = fs::read_dir(&data) {
            entries.flatten().for_each(|entry| give_to_server_user(&entry.path()));
        }

        let mut postgres = Postgres { major, port: 0, folder, watcher: None };
        for _attempt in 0..5 {
            if postgres.launch(&bin, settings) {
                return postgres;
            }
        }
        panic!("PostgreSQL {major} did not start: {}", postgres.log());
    }

    /// Its major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Its TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_dir(&self) -> &Path {
        self.folder.path()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// URL of a database, over TCP with password.
    pub fn dsn(&self, database: &str) -> String {
        self.dsn_as(USER, PASSWORD, database)
    }

    /// URL of a database for another role.
    pub fn dsn_as(&self, user: &str, password: &str, database: &str) -> String {
        let (user, password, database) = (percent(user), percent(password), percent(database));
        format!("postgresql://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Key=value connection string of a database over the Unix socket, without password.
    pub fn socket_dsn(&self, database: &str) -> String {
        let quoted = database.replace('\\', "\\\\").replace('\'', "\\'");
        format!("host={} port={} user={USER} dbname='{quoted}'", self.folder.path().display(), self.port)
    }

    /// Connects as superuser, over the socket. The connection ends with the client.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn connect(&self, database: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.folder.path())
            .port(self.port)
            .user(USER)
            .dbname(database)
            .connect(NoTls)
            .await
            .unwrap_or_else(|error| panic!("cannot connect to {database}: {error:?}\n{}", self.log()));
        tokio::spawn(connection);
        client
    }

    /// Runs SQL text, several statements allowed, as superuser.
    ///
    /// # Panics
    /// When a statement fails.
    pub async fn sql(&self, database: &str, text: &str) {
        let client = self.connect(database).await;
        client.batch_execute(text).await.unwrap_or_else(|error| panic!("{error:?} in: {text:.2000}"));
    }

    /// Creates an empty database.
    ///
    /// # Panics
    /// When it exists.
    pub async fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {}", quote_identifier(name))).await;
    }

    /// Creates an empty database under a name that no other call of this process gets.
    pub async fn fresh_database(&self, prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create_database(&name).await;
        name
    }

    /// Stops the server and removes its folder, as dropping the value does.
    pub fn stop(self) {}

    /// Ends the server without a shutdown, as a crash of the machine would: sessions break in mid-sentence.
    /// The data folder stays until the value is dropped.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.folder.path().join("data/postmaster.pid"))
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // Immediate shutdown: a SIGKILL would leave the sessions running until they next look up.
            let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
    }

    fn launch(&mut self, bin: &Path, settings: &[(&str, &str)]) -> bool {
        self.port = free_port();
        let folder = self.folder.path();
        let log = fs::File::create(folder.join("log")).expect("the temporary folder is writable");
        let mut command = as_server_user(Path::new("/bin/sh"));
        command.args(["-c", WATCHER, "watcher"]).arg(bin.join("postgres"));
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-F"]);
        for (name, value) in THROWAWAY_SETTINGS.iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("a file handle can be copied"))
            .stdout(log);
        let mut watcher = command.spawn().expect("/bin/sh starts");

        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
            if state.lines().nth(7).is_some_and(|status| status.trim() == "ready") {
                self.watcher = Some(watcher);
                return true;
            }
            if watcher.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        end(watcher);
        false
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.watcher.take().into_iter().for_each(end);
    }
}

/// One server of this major for the whole test process, started at first use; tests that change nothing beyond their
/// own databases share it.
///
/// # Panics
/// As [`Postgres::start`].
pub fn shared(major: u32) -> &'static Postgres {
    static SERVERS: [Mutex<BTreeMap<u32, &'static Postgres>>; MAJORS.len()] =
        [const { Mutex::new(BTreeMap::new()) }; MAJORS.len()];
    let slot = MAJORS.iter().position(|known| *known == major).unwrap_or_default();
    let mut servers = SERVERS[slot].lock().unwrap_or_else(PoisonError::into_inner);
    servers.entry(major).or_insert_with(|| Box::leak(Box::new(Postgres::start(major))))
}

/// The folder with the programs of this major.
///
/// # Panics
/// When it is not there, naming the command that installs it.
pub fn bin_dir(major: u32) -> PathBuf {
    let bin = tools().join(format!("pg/{major}/bin"));
    assert!(
        bin.join("postgres").exists(),
        "PostgreSQL {major} is not installed for the tests: run scripts/install-postgres {major} (looked in {})",
        bin.display()
    );
    bin
}

/// SQL identifier, quoted.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[allow(clippy::disallowed_methods)] // where the tests' tools lie is the one thing taken from the environment
fn tools() -> PathBuf {
    use std::env::var_os;
    if let Some(tools) = var_os("WALWARDEN_TOOLS") {
        return tools.into();
    }
    if is_root() {
        return "/var/cache/walwarden".into();
    }
    let cache = var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .expect("HOME or XDG_CACHE_HOME is set");
    cache.join("walwarden")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

// Servers refuse to run as root.
fn as_server_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
    command
}

fn give_to_server_user(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres:").arg(path));
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
}

// Closing the pipe tells the watcher to stop the server and remove its files.
fn end(mut watcher: Child) {
    drop(watcher.stdin.take());
    let _status: io::Result<_> = watcher.wait();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

// $1 is the server, $5 its folder. Only a closed pipe removes the files: a server that ends by itself leaves its log.
const WATCHER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(read -r _ <&3; kill -QUIT $server) & reader=$!
wait $server; status=$?
kill $reader 2>/dev/null
if wait $reader; then rm -rf "$5"; fi
exit $status
"#;

const THROWAWAY_SETTINGS: [(&str, &str); 8] = [
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("shared_buffers", "32MB"),
    ("max_connections", "40"),
    ("max_locks_per_transaction", "256"),
    ("autovacuum", "off"),
    ("log_line_prefix", "%m [%p] %u@%d "),
    ("timezone", "Asia/Kathmandu"),
];
