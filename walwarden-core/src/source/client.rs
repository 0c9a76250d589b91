//! PostgreSQL's client programs on this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use walwarden_verify::manifest::Compression;

mod choose;
#[cfg(test)]
mod tests;

pub use choose::RestoreChoice;

/// How the data of an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    None,
    /// zlib; every client can.
    Gzip,
    /// LZ4: clients of major 16 and later, if built with it.
    Lz4,
    /// Zstandard: clients of major 16 and later, if built with it.
    Zstd,
}

impl Codec {
    /// The word that settings, manifests and `pg_dump` use.
    pub const fn text(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }

    /// The same, as `walwarden-archive` has it.
    pub(crate) const fn in_archives(self) -> walwarden_archive::Compression {
        match self {
            Codec::None => walwarden_archive::Compression::None,
            Codec::Gzip => walwarden_archive::Compression::Gzip,
            Codec::Lz4 => walwarden_archive::Compression::Lz4,
            Codec::Zstd => walwarden_archive::Compression::Zstd,
        }
    }
}

impl From<Compression> for Codec {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Lz4 => Codec::Lz4,
            Compression::Zstd => Codec::Zstd,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Client programs of one major, side by side in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    dir: PathBuf,
    version: String,
    major: u32,
    codecs: BTreeSet<Codec>,
}

impl Client {
    /// Asks the `pg_dump` in `dir` what it is; none when there is none that runs.
    pub async fn at(dir: &Path) -> Option<Client> {
        let dir = dir.canonicalize().ok()?;
        let program = dir.join("pg_dump");
        // Debian's /usr/bin/pg_dump is a script that picks another one by the local clusters.
        if program.canonicalize().ok()?.file_name()? == "pg_wrapper" {
            return None;
        }
        let answer = run(&program, &["--version"]).await?;
        // pg_dump (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)
        let version = answer.0.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?.to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        let mut codecs = BTreeSet::from([Codec::None, Codec::Gzip]);
        if major >= FIRST_WITH_CODEC_NAMES {
            let (lz4, zstd) = tokio::join!(can_write(&program, Codec::Lz4), can_write(&program, Codec::Zstd));
            codecs.extend(lz4?.then_some(Codec::Lz4));
            codecs.extend(zstd?.then_some(Codec::Zstd));
        }
        Some(Client { dir, version, major, codecs })
    }

    /// The folder of the programs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of `pg_dump`, `pg_restore`, `pg_dumpall`, …
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The version as the programs print it, e.g. `17.12`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version, e.g. 17.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Whether it was built with this compression, for `pg_dump` to write and `pg_restore` to read.
    pub fn supports(&self, codec: Codec) -> bool {
        self.codecs.contains(&codec)
    }
}

/// Where to look for client programs, in order.
#[derive(Debug, Clone, Default)]
pub struct ClientSearch {
    /// Folders named in the settings.
    pub dirs: Vec<PathBuf>,
    /// The value of `PATH`, as the caller has it.
    pub path: Option<OsString>,
    /// Whether to look where packages put them, too.
    pub well_known: bool,
}

impl ClientSearch {
    /// Looks in these folders first, then in `path`, then where Debian's, PostgreSQL's own and Homebrew's packages put
    /// client programs.
    pub fn new(dirs: Vec<PathBuf>, path: Option<OsString>) -> Self {
        ClientSearch { dirs, path, well_known: true }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = self.dirs.clone();
        folders.extend(self.path.iter().flat_map(std::env::split_paths));
        if self.well_known {
            let below = WELL_KNOWN.iter().flat_map(|(parent, prefix)| matching(Path::new(parent), prefix));
            folders.extend(below.map(|folder| folder.join("bin")));
        }
        folders
    }
}

/// All client programs found, one for each major; the first folder of the search wins.
#[derive(Debug, Clone, Default)]
pub struct ClientSet {
    clients: Vec<Client>,
}

impl ClientSet {
    /// Looks for client programs and asks each for its version. Folders without any are passed over.
    pub async fn find(search: &ClientSearch) -> ClientSet {
        let mut seen = BTreeSet::new();
        let mut folders = search.folders();
        folders.retain(|folder| folder.canonicalize().is_ok_and(|folder| seen.insert(folder)));
        let answers = join_all(folders.iter().map(|folder| Client::at(folder))).await;
        let mut clients: Vec<Client> = Vec::new();
        for client in answers.into_iter().flatten() {
            if !clients.iter().any(|known| known.major == client.major) {
                clients.push(client);
            }
        }
        ClientSet::from_iter(clients)
    }

    /// The clients, lowest major first.
    pub fn iter(&self) -> std::slice::Iter<'_, Client> {
        self.clients.iter()
    }
}

impl FromIterator<Client> for ClientSet {
    fn from_iter<I: IntoIterator<Item = Client>>(clients: I) -> Self {
        let mut clients: Vec<Client> = clients.into_iter().collect();
        clients.sort_by_key(|client| client.major);
        ClientSet { clients }
    }
}

/// Whether this `pg_dump` was built with the codec's library; one without it says so before it looks for a server.
async fn can_write(program: &Path, codec: Codec) -> Option<bool> {
    let compress = format!("--compress={codec}");
    let answer = run(program, &[&compress, "--format=custom", "--no-password", NOWHERE]).await?;
    Some(!answer.1.contains("does not support compression"))
}

// Standard output and error of a short run with an empty environment.
async fn run(program: &Path, args: &[&str]) -> Option<(String, String)> {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(20), command.output()).await.ok()?.ok()?;
    Some((
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

fn matching(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

const FIRST_WITH_CODEC_NAMES: u32 = 16;

/// A socket folder that cannot exist: below a file.
const NOWHERE: &str = "--host=/dev/null/nowhere";

/// Parents of version folders, and how those begin.
const WELL_KNOWN: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/opt/homebrew/opt", "libpq"),
];
