//! A folder as a destination.
//!
//! Bytes go to a staged file below `.walwarden/staging`, are flushed to the disk, and get their name in one step that
//! never replaces an existing file (`renameat2(RENAME_NOREPLACE)`, or `link` where the file system lacks it). Files
//! and every folder above them are flushed before an upload reports success.

mod read;
mod write;

use std::fs;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::{
    Abilities, Fetched, Listed, ObjectName, RESERVED, Storage, StorageExt, Upload, UploadId, checked_prefix,
};
use crate::clock::Random;
use crate::error::{Code, Error, Result};

/// Keeps objects as files below a folder.
///
/// Memory: at most four chunks on the way in, three of 1 MiB on the way out. A dropped upload
/// removes its staged file; what a killed program left goes when the folder is next opened.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    folder: Arc<Folder>,
    random: Arc<dyn Random>,
    abilities: Arc<OnceCell<Abilities>>,
}

/// The folder, shared with the threads that work in it.
#[derive(Debug)]
struct Folder {
    root: PathBuf,
    /// The file system has neither `RENAME_NOREPLACE` nor hard links, as a publication has found out.
    looks_first: AtomicBool,
}

impl LocalStorage {
    /// Opens a folder that exists. A missing one is an error, for it may be on a disk that is not mounted.
    ///
    /// # Errors
    /// `destination-invalid` for a relative path or one that is no folder, `storage-missing` when there is none,
    /// `storage-denied` as the file system says.
    pub async fn open(root: impl Into<PathBuf>, random: Arc<dyn Random>) -> Result<Self> {
        LocalStorage::prepare(root.into(), random, Folder::present).await
    }

    /// Opens the folder; makes it when only its last part is missing. For a destination that never held anything.
    ///
    /// # Errors
    /// As [`open`](Self::open), `storage-missing` when the folder above is missing too, and `storage-full`.
    pub async fn create(root: impl Into<PathBuf>, random: Arc<dyn Random>) -> Result<Self> {
        LocalStorage::prepare(root.into(), random, Folder::create).await
    }

    async fn prepare(
        root: PathBuf,
        random: Arc<dyn Random>,
        when_missing: fn(&Folder) -> Result<()>,
    ) -> Result<Self> {
        if !root.is_absolute() {
            return Err(Error::new(
                Code::DestinationInvalid,
                format!("destination folder is not an absolute path path={}", root.display()),
            ));
        }
        let folder = Arc::new(Folder { root, looks_first: AtomicBool::new(false) });
        let opened = Arc::clone(&folder);
        blocking(move || opened.prepare(when_missing)).await?;
        Ok(LocalStorage { folder, random, abilities: Arc::default() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.folder.root
    }

    async fn begin(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let staged = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let upload = write::LocalUpload::begin(Arc::clone(&self.folder), name.clone(), staged).await?;
        Ok(Box::new(upload))
    }

    async fn probe(&self) -> Result<Abilities> {
        let mut id = [0; 8];
        self.random.fill(&mut id);
        let name = ObjectName::new(format!("{RESERVED}/probe-{:016x}", u64::from_be_bytes(id)))?;
        let winners = self.race_and_read_back(&name).await;
        let path = self.folder.path(&name);
        let _ = spawn_blocking(move || fs::remove_file(path)).await; // a probe left behind does no harm
        let winners = winners?;
        let looks_first = self.folder.looks_first.load(Ordering::Relaxed);
        let put_if_absent = winners == 1 && !looks_first;
        let note = (!put_if_absent).then(|| {
            "this file system can neither rename without replacing nor make hard links: each file is looked \
             up under a lock before it gets its name; keep other programs from writing to this folder"
                .to_owned()
        });
        Ok(Abilities::new(put_if_absent, note))
    }

    /// How many of three uploads to one name succeed, two of them at the same time. What is stored must be one winner's.
    async fn race_and_read_back(&self, name: &ObjectName) -> Result<usize> {
        let begin = async |body: &'static str| {
            let mut upload = self.begin(name).await?;
            upload.write(body.into()).await?;
            Ok::<_, Error>(upload)
        };
        let (one, two) = futures::future::try_join(begin("one"), begin("two")).await?;
        let (one, two) = futures::future::join(one.finish(), two.finish()).await;
        let three = match begin("three").await {
            Ok(upload) => upload.finish().await,
            Err(error) => Err(error),
        };
        let mut winners = Vec::new();
        for (body, outcome) in [("one", one), ("two", two), ("three", three)] {
            match outcome {
                Ok(_) => winners.push(body),
                Err(error) if error.code() == Code::ObjectExists => {}
                Err(error) => return Err(error),
            }
        }
        let stored = self.read(name, 16).await?;
        if winners.iter().any(|body| stored == *body) {
            return Ok(winners.len());
        }
        let message = format!("the destination returned something else than was stored name={name}");
        Err(Error::new(Code::ReadBackMismatch, message))
    }
}

#[async_trait]
impl Storage for LocalStorage {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        self.begin(name.unreserved()?).await
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        read::fetch(Arc::clone(&self.folder), name.clone(), range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let prefix = checked_prefix(prefix)?.to_owned();
        let folder = Arc::clone(&self.folder);
        blocking(move || read::list(&folder, &prefix)).await
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        let UploadId(staged) = upload;
        if staged.len() != 32 || !staged.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::new(
                Code::ArgumentInvalid,
                format!("not an upload of this storage name={name} upload={staged:?}"),
            ));
        }
        let folder = Arc::clone(&self.folder);
        let path = folder.staging().join(staged);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(folder.fault("remove", "upload", error)),
            _ => folder.present(),
        })
        .await
    }

    async fn abilities(&self) -> Result<Abilities> {
        self.abilities.get_or_try_init(|| self.probe()).await.cloned()
    }
}

impl Folder {
    fn prepare(&self, when_missing: fn(&Folder) -> Result<()>) -> Result<()> {
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => {
                // What cannot be removed, in a destination that may only be read for example, does no harm.
                let _swept = write::sweep(&self.staging());
                Ok(())
            }
            Ok(_) => Err(Error::new(
                Code::DestinationInvalid,
                format!("destination is not a folder path={}", self.root.display()),
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => when_missing(self),
            Err(error) => Err(self.fault("open", "folder", error)),
        }
    }

    fn create(&self) -> Result<()> {
        fs::create_dir(&self.root).map_err(|error| self.fault("create", "folder", error))?;
        let parent = self.root.parent().unwrap_or(&self.root);
        flush_folder(parent).map_err(|error| self.fault("flush", "folder above", error))
    }

    /// An error when the destination itself is gone, which must never look like a missing object.
    fn present(&self) -> Result<()> {
        fs::metadata(&self.root).map(drop).map_err(|error| self.fault("open", "folder", error))
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn staging(&self) -> PathBuf {
        self.root.join(RESERVED).join("staging")
    }

    fn fault(&self, action: &str, what: &str, error: io::Error) -> Error {
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::StorageDenied,
            ErrorKind::NotFound => Code::StorageMissing,
            ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::FileTooLarge => {
                Code::ArgumentInvalid
            }
            _ => Code::StorageUnavailable,
        };
        let root = self.root.display();
        Error::new(code, format!("could not {action} {what} destination={root}")).with_source(error)
    }
}

/// Makes a folder's new names durable.
fn flush_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

/// Runs file work where it may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|stopped| Err(interrupted(stopped)))
}

fn interrupted(stopped: tokio::task::JoinError) -> Error {
    let code = if stopped.is_cancelled() { Code::Cancelled } else { Code::Internal };
    Error::new(code, "file work was stopped before its end").with_source(stopped)
}
