//! A database with everything in it, dumped in every way.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, OnceLock};

use memchr::{memchr, memmem};
use tempfile::TempDir;
use walwarden_testkit::postgres::{self, MAJORS, Postgres, USER};
use walwarden_testkit::torture::Torture;

/// Where the output of `pg_dump` goes: the archive differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// No offsets.
    Pipe,
    /// `--file`: offsets.
    File,
    /// A file as standard output: offsets, or a second table of contents at the end.
    Stdout,
}

/// One archive of the database.
#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) major: u32,
    pub(crate) args: Vec<&'static str>,
    pub(crate) into: Into,
    pub(crate) path: PathBuf,
}

impl Dump {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    pub(crate) fn has(&self, arg: &str) -> bool {
        self.args.contains(&arg)
    }
}

/// The database of this major.
pub(crate) fn database(major: u32) -> (&'static Postgres, &'static str) {
    static FILLED: [OnceLock<()>; MAJORS.len()] = [const { OnceLock::new() }; MAJORS.len()];
    let server = postgres::shared(major);
    let place = MAJORS.iter().position(|known| *known == major).unwrap();
    FILLED[place].get_or_init(|| {
        psql(server, "postgres", "CREATE DATABASE torture");
        psql(server, "torture", &Torture::default().sql());
        psql(server, "torture", "ALTER DATABASE torture SET timezone = 'UTC'");
    });
    (server, "torture")
}

/// Every layout that this major's `pg_dump` writes.
fn dumps(major: u32) -> Vec<Dump> {
    let mut layouts: Vec<(&[&'static str], Into)> = vec![
        (&[], Into::Pipe),
        (&[], Into::File),
        (&[], Into::Stdout),
        (&["--compress=0"], Into::Pipe),
        (&["--compress=0"], Into::File),
        (&["--compress=9"], Into::Pipe),
        (&["--inserts"], Into::Pipe),
        (&["--column-inserts", "--rows-per-insert=50", "--compress=0"], Into::Pipe),
        (&["--schema-only"], Into::Pipe),
        (&["--schema-only"], Into::Stdout),
        (&["--schema-only", "--blobs"], Into::File),
        (&["--data-only"], Into::Pipe),
        (&["--data-only", "--exclude-table-data=shop.o*", "--disable-triggers"], Into::Stdout),
        (&["--no-owner", "--no-privileges", "--no-comments", "--create", "--clean"], Into::Pipe),
        (&["--section=pre-data"], Into::File),
        (&["--section=data"], Into::Pipe),
        (&["--section=post-data"], Into::Stdout),
        (&["--load-via-partition-root", "--quote-all-identifiers"], Into::Pipe),
        (&["--no-blobs", "--schema=shop"], Into::File),
        (&["--encoding=SQL_ASCII"], Into::Pipe),
    ];
    if has_modern_codecs(major) {
        layouts.push((&["--compress=lz4"], Into::Pipe));
        layouts.push((&["--compress=zstd"], Into::Pipe));
        layouts.push((&["--compress=zstd:level=19,long"], Into::File));
    }
    if major >= 18 {
        layouts.push((&["--statistics"], Into::File));
        layouts.push((&["--statistics-only"], Into::Pipe));
        layouts.push((&["--schema-only", "--sequence-data"], Into::Pipe));
    }
    layouts.into_iter().map(|(args, into)| dump(major, args, into)).collect()
}

/// Dumps of all majors.
pub(crate) fn all_dumps() -> &'static [Dump] {
    static DUMPS: LazyLock<Vec<Dump>> = LazyLock::new(|| MAJORS.into_iter().flat_map(dumps).collect());
    &DUMPS
}

pub(crate) fn dump(major: u32, args: &[&'static str], into: Into) -> Dump {
    let (server, database) = database(major);
    let path = fresh_path("dump");
    let mut command = client(server, "pg_dump");
    command.arg("--format=custom").args(args).arg("--dbname").arg(server.socket_dsn(database));
    if into == Into::File {
        command.arg("--file").arg(&path);
    }
    if into == Into::Stdout {
        command.stdout(File::create(&path).unwrap());
    }
    let output = run(&mut command);
    if into == Into::Pipe {
        fs::write(&path, output.stdout).unwrap();
    }
    Dump { major, args: args.to_vec(), into, path }
}

/// Whether this major's programs here know LZ4 and Zstandard. They might be built without.
pub(crate) fn has_modern_codecs(major: u32) -> bool {
    let probe = |codec: &str| {
        let mut command = Command::new(postgres::bin_dir(major).join("pg_dump"));
        // Options are checked before the connection fails.
        let refused = command.args(["-Fc", codec, "--dbname=host=/nowhere"]).output().unwrap();
        !String::from_utf8_lossy(&refused.stderr).contains("compress")
    };
    static KNOWN: LazyLock<Mutex<BTreeMap<u32, bool>>> = LazyLock::new(Default::default);
    *KNOWN.lock().unwrap().entry(major).or_insert_with(|| probe("--compress=lz4") && probe("--compress=zstd"))
}

/// Majors whose `pg_restore` reads archives with this header.
pub(crate) fn readers(header: &walwarden_archive::Header) -> Vec<u32> {
    use walwarden_archive::Compression::{Lz4, Zstd};
    let oldest = match header.version().minor {
        ..=14 => 14,
        15 => 16,
        _ => 17,
    };
    let knows_codec = |major: u32| match header.compression() {
        Lz4 | Zstd => has_modern_codecs(major),
        _ => true,
    };
    MAJORS.into_iter().filter(|major| *major >= oldest && knows_codec(*major)).collect()
}

/// Puts the bytes into a file of their own.
pub(crate) fn file_of(bytes: &[u8]) -> PathBuf {
    let path = fresh_path("archive");
    fs::write(&path, bytes).unwrap();
    path
}

/// A path where nothing is yet.
pub(crate) fn fresh_path(what: &str) -> PathBuf {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    FOLDER.path().join(format!("{what}-{number}"))
}

/// The SQL this major's `pg_restore` makes of an archive. Its random token is left out.
pub(crate) fn sql(major: u32, archive: &Path, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(postgres::bin_dir(major).join("pg_restore"));
    let mut sql = run(command.args(["--file=-"]).args(args).arg(archive)).stdout;
    // Not line by line: to look at each of many million bytes takes an unoptimised test longer than all else.
    for word in [&b"\n\\restrict "[..], b"\n\\unrestrict "] {
        while let Some(at) = memmem::find(&sql, word) {
            let length = memchr(b'\n', &sql[at + 1..]).unwrap_or(sql.len() - at - 1);
            sql.drain(at..=at + length);
        }
    }
    sql
}

/// The list that this major's `pg_restore` makes of an archive, without its comments.
pub(crate) fn list(major: u32, archive: &Path, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(postgres::bin_dir(major).join("pg_restore"));
    let output = run(command.arg("--list").args(args).arg(archive));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| !line.starts_with(';')).map(str::to_owned).collect()
}

pub(crate) fn client(server: &Postgres, program: &str) -> Command {
    let mut command = Command::new(postgres::bin_dir(server.major()).join(program));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("PGUSER", USER);
    command
}

pub(crate) fn psql(server: &Postgres, database: &str, sql: &str) -> Vec<u8> {
    let mut command = client(server, "psql");
    command.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d"]).arg(server.socket_dsn(database));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = sql.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _broken_pipe_shows_in_the_status = writer.join().unwrap();
    succeeded(&command, output).stdout
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    succeeded(command, output)
}

fn succeeded(command: &Command, output: Output) -> Output {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {stderr}", output.status);
    output
}
