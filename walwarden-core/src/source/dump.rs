//! The `pg_dump` stream.

use std::os::fd::AsFd;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use walwarden_archive::{Event, Header, Reader, Toc};

use super::program::Program;
use super::{Client, Compression, Dsn};
use crate::error::{Code, Error, Result};

/// What to dump and how; plain data for settings files.
///
/// Schemas and tables are `pg_dump` patterns: `*` and `?` are wildcards, upper case needs double quotes. One that
/// includes and matches nothing is an error, so that a misspelt name never makes a backup of nothing. A backup also refuses
/// an exclusion without wildcards that matches nothing, which would let a table in that was to stay out; one with
/// wildcards is told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DumpOptions {
    /// Compression of the archive; none leaves the choice to [`Compression::of_choice`].
    pub compression: Option<Compression>,
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

/// A running `pg_dump --format=custom`, its archive not compressed: that is for whoever reads it.
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
    /// `client-missing` when the program does not start. All else shows in [`finish`](Self::finish).
    pub fn start(client: &Client, dsn: &Dsn, options: &DumpOptions) -> Result<Dump> {
        Dump::start_with(client, dsn, options, &[])
    }

    /// The same with further arguments.
    pub(super) fn start_with(
        client: &Client,
        dsn: &Dsn,
        options: &DumpOptions,
        further: &[String],
    ) -> Result<Dump> {
        let mut arguments = arguments(dsn, options);
        arguments.extend_from_slice(further);
        let (program, stdout) = Program::start(client, "pg_dump", arguments, dsn)?;
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

    /// Header and table of contents. The data after them is left in the pipe, so that the program waits, and its locks
    /// with it.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) async fn head(mut self) -> Result<(Header, Toc, Dump)> {
        let mut reader = Reader::new();
        loop {
            let Some(chunk) = self.next().await? else {
                self.finish().await?;
                return Err(Error::new(Code::DumpFailed, "what pg_dump wrote has no table of contents"));
            };
            let mut input = &chunk[..];
            loop {
                let event = reader.read(&mut input).map_err(|error| {
                    Error::new(Code::DumpFailed, "what pg_dump wrote is not an archive that can be read")
                        .with_source(error)
                })?;
                match event {
                    Some(Event::Toc) => {
                        let head = reader.header().cloned().zip(reader.toc().cloned());
                        let (header, toc) = head.expect("both have passed");
                        return Ok((header, toc, self));
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
    }

    /// Ends the program, whose data nobody wants. It must not have failed until now.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) async fn release(mut self) -> Result<Dumped> {
        if self.program.has_ended() {
            while self.next().await?.is_some() {}
            return self.finish().await;
        }
        let dump_version = self.dump_version.clone();
        self.kill().await;
        Ok(Dumped { dump_version, warnings: String::new() })
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

fn arguments(dsn: &Dsn, options: &DumpOptions) -> Vec<String> {
    let mut arguments = vec![
        format!("--dbname={}", dsn.libpq_conninfo_without_password()),
        "--format=custom".to_owned(),
        "--no-password".to_owned(),
        "--encoding=UTF8".to_owned(),
        "--strict-names".to_owned(),
        // Whoever reads this compresses, on several cores; no version of pg_dump does.
        "--compress=0".to_owned(),
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
    arguments
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
