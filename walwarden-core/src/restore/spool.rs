//! Archives for `pg_restore`, in private files whose bytes were compared with the manifest.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use futures::StreamExt;
use tokio::io::{AsyncWriteExt, BufWriter};
use walwarden_archive::{DataEntries, Kind, Section, Toc};
use walwarden_verify::manifest::ManifestBody;

use super::folder::{self, ARCHIVE, PrivateFolder};
use super::progress::Progress;
use super::stored::{Head, StoredDump, changed};
use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::storage::{ObjectName, Storage};
use crate::watch::{Cancel, Transfer, Watch};

/// A complete local copy, not compared yet.
#[derive(Debug)]
pub(super) struct SpooledDump(PrivateFolder);

/// A local archive of which every byte was compared with what the manifest speaks of: the dump itself, or what was cut out
/// of it. Only this module makes one.
#[derive(Debug)]
pub(super) struct VerifiedArchive {
    folder: PrivateFolder,
    /// The file with the definitions.
    definitions: &'static str,
}

/// Where a verified archive lies. Whatever starts `pg_restore` asks for one.
#[derive(Debug, Clone)]
pub(super) struct VerifiedPath(PathBuf);

impl VerifiedPath {
    pub(super) fn as_path(&self) -> &Path {
        &self.0
    }
}

impl VerifiedArchive {
    /// The archive.
    pub(super) fn path(&self) -> VerifiedPath {
        VerifiedPath(self.folder.archive_path())
    }

    /// An archive with the definitions, for the sections around the data.
    pub(super) fn definitions(&self) -> VerifiedPath {
        VerifiedPath(self.folder().join(self.definitions))
    }

    /// Header and table of contents.
    pub(super) async fn head(&self) -> Result<Head> {
        let path = self.folder.archive_path();
        let read = move || {
            let file = std::fs::File::open(&path).map_err(|error| {
                Error::new(Code::FileFailed, "the spooled dump cannot be read").with_source(error)
            })?;
            let (header, toc) = walwarden_archive::read_toc(file).map_err(|error| {
                Error::new(Code::ArchiveInvalid, "the dump's table of contents cannot be read")
                    .with_source(error)
            })?;
            Ok(Head { header, toc })
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| {
            Error::new(Code::Internal, "the thread that reads the dump broke down").with_source(error)
        })?
    }

    /// Makes [`definitions`](Self::definitions) of the dump.
    pub(super) async fn cut_definitions(&self, head: &Head) -> Result<()> {
        keep_definitions(&self.folder, head, &head.toc).await
    }

    /// The private folder around it, for lists that accompany the archive.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Fetches the dump. One byte more than the manifest names is enough to stop.
pub(super) async fn fetch(
    storage: &dyn Storage,
    manifest: &ManifestBody,
    spool_dir: &Path,
    cancel: &Cancel,
    watch: &dyn Watch,
) -> Result<SpooledDump> {
    let name = ObjectName::new(manifest.artifact_key.clone())?;
    let folder = PrivateFolder::begin(spool_dir).await?;
    let mut file = BufWriter::with_capacity(PIECE_BYTES, folder.archive()?);
    let mut body = storage.get(&name, None).await?.body;
    let mut done_bytes = 0;
    loop {
        // A store that has stopped sending must not keep a cancelled restore.
        let chunk = tokio::select! {
            chunk = body.next() => chunk,
            () = cancel.cancelled() => return Err(cancelled()),
        };
        let Some(chunk) = chunk.transpose().map_err(changed)? else { break };
        file.write_all(&chunk).await.map_err(|error| folder::failed(spool_dir, error))?;
        done_bytes += chunk.len() as u64;
        if done_bytes > manifest.size_bytes {
            break;
        }
        watch.transfer(Transfer { done_bytes, total_bytes: Some(manifest.size_bytes) });
    }
    file.flush().await.map_err(|error| folder::failed(spool_dir, error))?;
    Ok(SpooledDump(folder))
}

impl SpooledDump {
    /// Compares size and digest with the manifest.
    ///
    /// The digest is that of the file as it is read now, which is how `pg_restore` will read it, and not of the bytes as
    /// they came: what a full or failing disk made of them counts. The file is mostly still in memory, so that hashing
    /// it here takes hardly longer than hashing it on the way did.
    pub(super) async fn verify(self, manifest: &ManifestBody, cancel: &Cancel) -> Result<VerifiedArchive> {
        let found = measured(&self.0, cancel).await?;
        if found.size_bytes == manifest.size_bytes && found.sha256 == manifest.checksum_sha256 {
            return Ok(VerifiedArchive { folder: self.0, definitions: DEFINITIONS });
        }
        Err(Error::new(
            Code::ArtifactMismatch,
            format!(
                "the stored dump is not what the manifest names name={} expected={}:{} stored={}:{}",
                manifest.artifact_key,
                manifest.size_bytes,
                manifest.checksum_sha256,
                found.size_bytes,
                found.sha256
            ),
        ))
    }
}

/// A small archive with all of a dump but its rows and large objects, and another one with what else is in the data section.
pub(super) async fn without_rows(
    dump: &StoredDump,
    toc: &Toc,
    spool_dir: &Path,
) -> Result<(VerifiedArchive, VerifiedPath)> {
    let folder = PrivateFolder::begin(spool_dir).await?;
    let (header, toc) = (&dump.head.header, privileges_last(toc));
    keep(&folder, ARCHIVE, toc.without_data(DataEntries::Keep).to_bytes(header)).await?;
    keep(&folder, REST_OF_DATA, toc.without_data(DataEntries::Remove).to_bytes(header)).await?;
    let rest = VerifiedPath(folder.path().join(REST_OF_DATA));
    Ok((VerifiedArchive { folder, definitions: ARCHIVE }, rest))
}

async fn keep_definitions(folder: &PrivateFolder, head: &Head, toc: &Toc) -> Result<()> {
    let definitions = privileges_last(toc).without_data(DataEntries::Keep);
    keep(folder, DEFINITIONS, definitions.to_bytes(&head.header)).await
}

/// The same entries, privileges last and in the last section. They belong to none, and `pg_restore --section` would set a table's
/// with its definition, before its rows are there: an owner who has revoked its own rights could not write them.
fn privileges_last(toc: &Toc) -> Toc {
    let (mut privileges, others): (Vec<_>, Vec<_>) =
        toc.entries().iter().cloned().partition(|entry| entry.kind() == Kind::Acl);
    privileges.iter_mut().for_each(|entry| entry.section = Section::PostData);
    Toc::new([others, privileges].concat()).expect("the same entries in another order")
}

/// The same entries, but keys of tables that are in the archive, too, are not dropped by themselves: they go with the table, and
/// where a partition has inherited one Postgres refuses to drop it, which would end the transaction.
fn without_redundant_drops(toc: &Toc) -> Toc {
    let mut entries = toc.entries().to_vec();
    for entry in entries.iter_mut().filter(|entry| entry.kind() == Kind::Constraint) {
        let mut objects = entry.dependencies.iter().filter_map(|dump_id| toc.entry(*dump_id));
        if objects.any(|object| object.kind() == Kind::Table) {
            entry.drop_statement = None;
        }
    }
    Toc::new(entries).expect("the same entries")
}

/// Writes a small file, and looks whether the folder keeps it.
async fn keep(folder: &PrivateFolder, name: &str, bytes: Vec<u8>) -> Result<()> {
    let path = folder.path().join(name);
    let write_and_read = async {
        tokio::fs::write(&path, &bytes).await?;
        tokio::fs::read(&path).await
    };
    let kept = write_and_read.await.map_err(|error| folder::failed(folder.path(), error))?;
    if kept == bytes { Ok(()) } else { Err(not_kept(folder)) }
}

/// An archive with some of a dump's entries and their data, fetched block by block.
pub(super) async fn with_blocks(
    dump: &StoredDump,
    toc: &Toc,
    spool_dir: &Path,
    cancel: &Cancel,
    watch: &dyn Watch,
) -> Result<VerifiedArchive> {
    let folder = PrivateFolder::begin(spool_dir).await?;
    let mut file = BufWriter::with_capacity(PIECE_BYTES, folder.archive()?);
    let blocks = dump.blocks(toc)?;
    let progress = Progress::new(blocks.iter().map(|(_, block)| block.length).sum(), watch);
    let mut written = Measure::default();
    let head = without_redundant_drops(toc).without_offsets().to_bytes(&dump.head.header);
    written.update(&head);
    file.write_all(&head).await.map_err(|error| folder::failed(spool_dir, error))?;
    for mut reading in dump.readings(&blocks) {
        loop {
            let piece = tokio::select! {
                piece = reading.next() => piece?,
                () = cancel.cancelled() => return Err(cancelled()),
            };
            let Some(piece) = piece else { break };
            written.update(&piece);
            file.write_all(&piece).await.map_err(|error| folder::failed(spool_dir, error))?;
            progress.add(piece.len());
        }
    }
    file.flush().await.map_err(|error| folder::failed(spool_dir, error))?;
    keep_definitions(&folder, &dump.head, toc).await?;
    if measured(&folder, cancel).await? == written.finish() {
        return Ok(VerifiedArchive { folder, definitions: DEFINITIONS });
    }
    Err(not_kept(&folder))
}

fn not_kept(folder: &PrivateFolder) -> Error {
    let message =
        format!("the spool folder does not keep what is written to it folder={}", folder.path().display());
    Error::new(Code::FileFailed, message)
}

async fn measured(folder: &PrivateFolder, cancel: &Cancel) -> Result<Measured> {
    let (path, cancel) = (folder.archive_path(), cancel.clone());
    tokio::task::spawn_blocking(move || measure(&path, &cancel)).await.map_err(|error| {
        Error::new(Code::Internal, "the reader of the spooled dump panicked").with_source(error)
    })?
}

fn measure(path: &Path, cancel: &Cancel) -> Result<Measured> {
    let mut file = std::fs::File::open(path).map_err(|error| folder::failed(path, error))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut measure = Measure::default();
    loop {
        if cancel.is_cancelled() {
            return Err(cancelled());
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(measure.finish()),
            Ok(count) => measure.update(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(folder::failed(path, error)),
        }
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the restore was cancelled before the dump was verified")
}

const DEFINITIONS: &str = "definitions.dump";
const REST_OF_DATA: &str = "rest-of-data.dump";
const PIECE_BYTES: usize = 1 << 20;
