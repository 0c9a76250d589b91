//! A Postgres server that lives for one demonstration.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use tempfile::TempDir;
use tokio::process::{Child, Command};
use walwarden_core::clock::{Random, SystemRandom};
use walwarden_core::secret::Secret;
use walwarden_core::{Code, Error, Result};

use super::account::Account;

/// A running server. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: PathBuf,
    account: Account,
    // Dropped after the server was stopped.
    dir: TempDir,
    server: Child,
    port: u16,
    password: Secret,
}

impl Cluster {
    /// Makes a cluster with the programs of one folder and starts its server on a free port of 127.0.0.1.
    pub(super) async fn start(programs: &Path) -> Result<Self> {
        let account = Account::for_postgres().await?;
        let dir = tempfile::Builder::new().prefix("walwarden-demo-pg-").tempdir().map_err(|error| {
            Error::new(Code::FileFailed, "no temporary folder for the demo's server").with_source(error)
        })?;
        let password = random_password();
        prepare(&account, dir.path(), &password).map_err(|error| {
            Error::new(Code::FileFailed, format!("cannot prepare folder path={}", dir.path().display()))
                .with_source(error)
        })?;
        let mut initdb = account.command(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(dir.path().join("data")).arg("--pwfile").arg(dir.path().join("pw"));
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]);
        initdb.args(["--no-sync", "--no-instructions"]).current_dir(dir.path());
        finish("initdb", initdb).await?;

        let port = free_port()?;
        let log = fs::File::create(dir.path().join("log")).map_err(|error| {
            Error::new(Code::FileFailed, "the demo server's log cannot be written").with_source(error)
        })?;
        let mut postgres = account.command(&programs.join("postgres"));
        postgres.arg("-D").arg(dir.path().join("data")).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        // No Unix socket: its path would have to be short.
        postgres.args(["-c", "unix_socket_directories="]).current_dir(dir.path());
        for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=1GB"] {
            postgres.args(["-c", setting]);
        }
        // A group of its own, so that ctrl-c at the terminal reaches us only and we stop it in order.
        postgres.process_group(0).stdout(Stdio::null()).stderr(log);
        let server = spawn("postgres", &mut postgres)?;
        let mut cluster = Cluster { programs: programs.to_owned(), account, dir, server, port, password };
        cluster.ready().await?;
        Ok(cluster)
    }

    /// Who the server runs as, where that is not the caller.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The DSN of one of its databases, password included.
    pub(super) fn dsn(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password.expose(), self.port)
    }

    /// Runs a script with psql and returns what it printed.
    pub(super) async fn psql(
        &self,
        database: &str,
        script: &str,
        variables: &[(&str, String)],
    ) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        psql.args(["-p", &self.port.to_string(), "-d", database, "-f", "-"]);
        for (name, value) in variables {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        // Nothing of the caller's: PGOPTIONS or PGSERVICE would lead it elsewhere.
        psql.env_clear().env("PGPASSWORD", self.password.expose()).env("PGCLIENTENCODING", "UTF8");
        super::process::output_of("psql", psql, script.as_bytes()).await
    }

    async fn ready(&mut self) -> Result<()> {
        for _ in 0..300 {
            if self.psql("postgres", "SELECT 1", &[]).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.server.try_wait() {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("nothing in its log").to_owned();
                return Err(Error::new(
                    Code::TargetUnreachable,
                    format!("the demo's server ended: {status}"),
                )
                .with_source(last));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::new(Code::TargetUnreachable, "the demo's server did not answer within 30 s"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.account.command(&self.programs.join("pg_ctl")).into_std();
        stop.arg("stop").args(["-m", "immediate", "-s", "-D"]).arg(self.dir.path().join("data"));
        let stopped = stop.current_dir(self.dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.server.start_kill();
        }
    }
}

/// A folder of the account's own with the password file in it.
fn prepare(account: &Account, dir: &Path, password: &Secret) -> io::Result<()> {
    let password_file = dir.join("pw");
    fs::write(&password_file, password.expose())?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600))?;
    for path in [dir, &password_file] {
        if let Some((uid, gid)) = account.ids()
            && fs::metadata(path)?.uid() != uid
        {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

fn random_password() -> Secret {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::new(Code::TargetUnreachable, "no free port on 127.0.0.1").with_source(error))
}

async fn finish(name: &str, command: Command) -> Result<()> {
    super::process::output_of(name, command, b"").await.map(drop)
}

fn spawn(name: &str, command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).kill_on_drop(true).spawn().map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        Error::new(Code::ClientMissing, format!("{name} cannot be started program={program}"))
            .with_source(error)
    })
}
