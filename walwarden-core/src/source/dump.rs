//! The `pg_dump` stream.

use std::os::fd::AsFd;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use super::program::Program;
use super::{Client, Codec, Dsn};
use crate::error::{Code, Error, Result};

/// What to dump and how; plain data for settings files.
///
/// Schemas and tables are `pg_dump` patterns: `*` and `?` are wildcards, upper case needs double quotes. One that
/// includes and matches nothing is an error, so that a misspelt name never makes a backup of nothing. A backup also refuses
/// an exclusion without wildcards that matches nothing, which would let a table in that was to stay out; one with
/// wildcards is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DumpOptions {
    /// Compression of the archive.
    pub compression: Compression,
    /// Leave out who owns what.
    pub no_owner: bool,
    /// Leave out `GRANT` and `REVOKE`.
    pub no_privileges: bool,
    /// Only these schemas; large objects are then left out, too.
    pub schemas: Vec<String>,
    /// Not these schemas.
    pub exclude_schemas: Vec<String>,
    /// Only these tables; large objects are then left out, too.
    pub tables: Vec<String>,
    /// Not these tables.
    pub exclude_tables: Vec<String>,
    /// These tables without their rows: job queues, session tokens.
    pub exclude_table_data: Vec<String>,
    /// How long to wait for a table that someone holds exclusively, in seconds; none waits for ever.
    pub lock_timeout_seconds: Option<u32>,
}

impl Default for DumpOptions {
    fn default() -> Self {
        DumpOptions {
            compression: Compression { codec: Codec::Gzip, level: None },
            no_owner: false,
            no_privileges: false,
            schemas: Vec::new(),
            exclude_schemas: Vec::new(),
            tables: Vec::new(),
            exclude_tables: Vec::new(),
            exclude_table_data: Vec::new(),
            lock_timeout_seconds: None,
        }
    }
}

/// Codec and level of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// Its level: gzip 1–9, lz4 1–12, zstd 1–22; none leaves it to `pg_dump`.
    #[serde(default)]
    pub level: Option<u8>,
}

impl Compression {
    /// The same, if the codec has such a level.
    ///
    /// # Errors
    /// `argument-invalid` when it has not.
    pub fn checked(self) -> Result<Compression> {
        let highest = match self.codec {
            Codec::None => 0,
            Codec::Gzip => 9,
            Codec::Lz4 => 12,
            Codec::Zstd => 22,
        };
        if self.level.is_some_and(|level| !(1..=highest).contains(&level)) {
            let (codec, level) = (self.codec, self.level.unwrap_or_default());
            return Err(Error::new(
                Code::ArgumentInvalid,
                format!("compression level is out of range codec={codec} level={level}"),
            ));
        }
        Ok(self)
    }

    /// # Errors
    /// As [`checked`](Self::checked); `client-missing` when the client cannot write this compression.
    fn argument(self, client: &Client) -> Result<String> {
        self.checked()?;
        if !client.supports(self.codec) {
            return Err(Error::new(
                Code::ClientMissing,
                format!(
                    "pg_dump cannot compress with {} version={} dir={:?}",
                    self.codec,
                    client.version(),
                    client.dir().display()
                ),
            ));
        }
        // Before 16 there was a level only.
        Ok(match (self.codec, self.level) {
            (Codec::None, _) => "--compress=0".to_owned(),
            (Codec::Gzip, Some(level)) => format!("--compress={level}"),
            (Codec::Gzip, None) => "--compress=6".to_owned(),
            (codec, Some(level)) => format!("--compress={codec}:{level}"),
            (codec, None) => format!("--compress={codec}"),
        })
    }
}

/// A running `pg_dump --format=custom`.
///
/// Read [`next`](Self::next) to its end, then ask [`finish`](Self::finish) whether the dump is whole: the end of the
/// bytes alone says nothing. Dropping the value kills the program.
#[derive(Debug)]
pub struct Dump {
    program: Program,
    stdout: ChildStdout,
    buffer: BytesMut,
    beginning: Vec<u8>,
    ended: bool,
    dump_version: String,
}

/// What a dump that ended well says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dumped {
    /// The version of `pg_dump`, e.g. `17.12`.
    pub dump_version: String,
    /// What it said on standard error all the same, with the password masked; mostly empty.
    pub warnings: String,
}

impl Dump {
    /// Starts dumping the database of the connection string.
    ///
    /// # Errors
    /// `client-missing` when the program does not start or cannot compress as asked; `argument-invalid` for a level
    /// that the codec does not have. All else shows in [`finish`](Self::finish).
    pub fn start(client: &Client, dsn: &Dsn, options: &DumpOptions) -> Result<Dump> {
        let (program, stdout) = Program::start(client, "pg_dump", arguments(client, dsn, options)?, dsn)?;
        enlarge(&stdout);
        Ok(Dump {
            program,
            stdout,
            buffer: BytesMut::new(),
            beginning: Vec::new(),
            ended: false,
            dump_version: client.version().to_owned(),
        })
    }

    /// The next bytes, at least 256 KiB except at the end; none once the output has ended. Nothing is lost when the
    /// future is dropped.
    ///
    /// # Errors
    /// `dump-failed` when the pipe breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended && self.buffer.len() < CHUNK_BYTES {
            if self.buffer.capacity() - self.buffer.len() < CHUNK_BYTES {
                self.buffer.reserve(BUFFER_BYTES);
            }
            let count = self.stdout.read_buf(&mut self.buffer).await.map_err(|error| {
                Error::new(Code::DumpFailed, "output of pg_dump cannot be read").with_source(error)
            })?;
            self.ended = count == 0;
        }
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let chunk = self.buffer.split().freeze();
        if self.beginning.len() < MAGIC.len() {
            let missing = (MAGIC.len() - self.beginning.len()).min(chunk.len());
            self.beginning.extend_from_slice(&chunk[..missing]);
        }
        Ok(Some(chunk))
    }

    /// Waits for the exit status, after [`next`](Self::next) has returned none.
    ///
    /// # Errors
    /// The failure class of what `pg_dump` said, with its words as the cause; `dump-killed` when a signal ended it;
    /// `dump-failed` when it ended well but wrote no archive.
    pub async fn finish(self) -> Result<Dumped> {
        if !self.ended {
            self.kill().await;
            return Err(Error::new(Code::Internal, "dump was finished before all of its bytes were read"));
        }
        // The read end stays open until the program is gone, or its last write would kill it.
        let said = self.program.finish().await?;
        drop(self.stdout);
        match self.beginning.as_slice() {
            MAGIC => Ok(Dumped { dump_version: self.dump_version, warnings: said.text().to_owned() }),
            [] => Err(Program::bad_output("pg_dump", "wrote nothing", said)),
            _ => Err(Program::bad_output("pg_dump", "what it wrote is not a custom-format archive", said)),
        }
    }

    /// Ends the dump at once.
    pub async fn kill(self) {
        self.program.kill().await;
    }
}

fn arguments(client: &Client, dsn: &Dsn, options: &DumpOptions) -> Result<Vec<String>> {
    let mut arguments = vec![
        format!("--dbname={}", dsn.libpq_conninfo_without_password()),
        "--format=custom".to_owned(),
        "--no-password".to_owned(),
        "--encoding=UTF8".to_owned(),
        "--strict-names".to_owned(),
        options.compression.argument(client)?,
    ];
    arguments.extend(options.no_owner.then(|| "--no-owner".to_owned()));
    arguments.extend(options.no_privileges.then(|| "--no-privileges".to_owned()));
    for (option, patterns) in [
        ("schema", &options.schemas),
        ("exclude-schema", &options.exclude_schemas),
        ("table", &options.tables),
        ("exclude-table", &options.exclude_tables),
        ("exclude-table-data", &options.exclude_table_data),
    ] {
        arguments.extend(patterns.iter().map(|pattern| format!("--{option}={pattern}")));
    }
    let timeout = options.lock_timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()).as_millis());
    arguments.extend(timeout.map(|millis| format!("--lock-wait-timeout={millis}")));
    Ok(arguments)
}

// A larger pipe lets pg_dump go on while a chunk is being worked on. Where that is not allowed it is merely slower.
fn enlarge(stdout: &ChildStdout) {
    #[cfg(target_os = "linux")]
    let _smaller_is_fine = rustix::pipe::fcntl_setpipe_size(stdout.as_fd(), BUFFER_BYTES);
    #[cfg(not(target_os = "linux"))]
    let _ = stdout.as_fd();
}

const MAGIC: &[u8] = b"PGDMP";
const CHUNK_BYTES: usize = 256 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;
