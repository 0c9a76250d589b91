//! From chunks to a durable file: one thread writes, one flushes behind it, the last step gives the name.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempPath;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Folder, flush_folder, interrupted};
use crate::error::{Code, Error, Result};
use crate::storage::{ObjectName, RESERVED, Stored, Upload, UploadId, exists, locked};

enum Step {
    Write(Bytes),
    Publish,
}

/// An upload; dropping it closes the channel, upon which the thread removes the staged file.
#[derive(Debug)]
pub(super) struct LocalUpload {
    name: ObjectName,
    staged: String,
    steps: Option<mpsc::Sender<Step>>,
    thread: tokio::task::JoinHandle<Result<Option<Stored>>>,
}

impl LocalUpload {
    pub(super) async fn begin(folder: Arc<Folder>, name: ObjectName, staged: String) -> Result<Self> {
        let (opened_folder, opened_name, opened_staged) = (Arc::clone(&folder), name.clone(), staged.clone());
        let mut file =
            super::blocking(move || StagedFile::create(opened_folder, opened_name, &opened_staged)).await?;
        let (steps, mut received) = mpsc::channel(QUEUED_CHUNKS);
        let thread = spawn_blocking(move || {
            while let Some(step) = received.blocking_recv() {
                match step {
                    Step::Write(chunk) => file.write(&chunk)?,
                    Step::Publish => return file.publish().map(Some),
                }
            }
            Ok(None)
        });
        Ok(LocalUpload { name, staged, steps: Some(steps), thread })
    }

    async fn send(&mut self, step: Step) -> Result<()> {
        let delivered = match &self.steps {
            Some(steps) => steps.send(step).await.is_ok(),
            None => false,
        };
        if delivered {
            return Ok(());
        }
        if self.steps.take().is_none() {
            let message = format!("upload has failed before name={}", self.name);
            return Err(Error::new(Code::StorageUnavailable, message));
        }
        match (&mut self.thread).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) => Err(Error::new(Code::Internal, "the writing thread ended by itself")),
            Err(stopped) => Err(interrupted(stopped)),
        }
    }
}

#[async_trait]
impl Upload for LocalUpload {
    fn id(&self) -> Option<UploadId> {
        Some(UploadId(self.staged.clone()))
    }

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.send(Step::Write(chunk)).await
    }

    async fn finish(mut self: Box<Self>) -> Result<Stored> {
        self.send(Step::Publish).await?;
        match self.thread.await {
            Ok(Ok(Some(stored))) => Ok(stored),
            Ok(Ok(None)) => Err(Error::new(Code::Internal, "the writing thread ended by itself")),
            Ok(Err(error)) => Err(error),
            Err(stopped) => Err(interrupted(stopped)),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        if self.steps.take().is_some() {
            let _ = self.thread.await; // whatever went wrong before, the staged file is gone now
        }
        Ok(())
    }
}

/// The file under its staged name; the name goes away with the value.
struct StagedFile {
    folder: Arc<Folder>,
    name: ObjectName,
    file: File,
    path: TempPath,
    size_bytes: u64,
    flushed_bytes: u64,
    flusher: Option<Flusher>,
}

impl StagedFile {
    fn create(folder: Arc<Folder>, name: ObjectName, staged: &str) -> Result<Self> {
        folder.present()?;
        let stage = || {
            let staging = folder.staging();
            fs::create_dir_all(&staging)?;
            let path = staging.join(staged);
            Ok((create_staged(&path)?, TempPath::try_from_path(path)?))
        };
        let (file, path) = stage().map_err(|error| folder.fault("stage", name.as_str(), error))?;
        match fs::symlink_metadata(folder.path(&name)) {
            Ok(_) => Err(exists(&name)), // early, so that nobody sends a terabyte in vain
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(StagedFile { folder, name, file, path, size_bytes: 0, flushed_bytes: 0, flusher: None })
            }
            Err(error) => Err(folder.fault("look up", name.as_str(), error)),
        }
    }

    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let written = self.file.write_all(chunk).and_then(|()| {
            self.size_bytes += chunk.len() as u64;
            self.flush_behind()
        });
        written.map_err(|error| self.folder.fault("write", self.name.as_str(), error))
    }

    /// Starts a flush each [`FLUSH_BYTES`], so that the last one has little left to do.
    fn flush_behind(&mut self) -> io::Result<()> {
        if self.size_bytes - self.flushed_bytes < FLUSH_BYTES {
            return Ok(());
        }
        self.flushed_bytes = self.size_bytes;
        let flusher = match self.flusher.take() {
            Some(flusher) => flusher,
            None => Flusher::start(self.file.try_clone()?)?,
        };
        self.flusher.insert(flusher).request()
    }

    fn publish(mut self) -> Result<Stored> {
        let flushed = self.flusher.take().map_or(Ok(()), Flusher::join).and_then(|()| self.file.sync_all());
        let StagedFile { folder, name, path, size_bytes, .. } = self;
        flushed.map_err(|error| folder.fault("flush", name.as_str(), error))?;
        let fault = |error| folder.fault("store", name.as_str(), error);

        let target = folder.path(&name);
        let parent = target.parent().unwrap_or(&folder.root);
        fs::create_dir_all(parent).map_err(fault)?;
        let path = match path.persist_noclobber(&target) {
            Ok(()) => None,
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => return Err(exists(&name)),
            Err(refused) if lacks_put_once(&refused.error) => Some(refused.path),
            Err(refused) => return Err(fault(refused.error)),
        };
        if let Some(path) = path {
            folder.looks_first.store(true, Ordering::Relaxed);
            rename_under_lock(&folder.root, path, &target).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => exists(&name),
                _ => fault(error),
            })?;
        }
        for above in parent.ancestors().take_while(|above| above.starts_with(&folder.root)) {
            flush_folder(above).map_err(fault)?;
        }
        Ok(Stored::new(size_bytes))
    }
}

/// A new file of a living writer: [`sweep`] removes only those of dead ones. A dump is the whole database, so nobody else
/// may read it.
fn create_staged(path: &Path) -> io::Result<File> {
    loop {
        if let Some(file) = locked::create(path)? {
            return Ok(file);
        }
    }
}

/// Removes what killed writers left in the staging folder.
pub(super) fn sweep(staging: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(staging) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        // A writer may finish at this very moment, which moves the file away.
        let Some(_file) = locked::abandoned(&path) else { continue };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the error may mean that the file system has neither way to put once.
fn lacks_put_once(error: &io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), Unsupported | PermissionDenied | InvalidInput | TooManyLinks)
}

/// The second best: one writer at a time among those that keep the lock, looking before it renames.
fn rename_under_lock(root: &Path, staged: TempPath, target: &Path) -> io::Result<()> {
    let lock = File::create(root.join(RESERVED).join("lock"))?;
    match lock.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    match fs::symlink_metadata(target) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            staged.persist(target).map_err(|refused| refused.error)
        }
        Err(error) => Err(error),
    }
}

/// Flushes while the writer goes on. Its outcome counts: the system reports a failed flush only once.
struct Flusher {
    requests: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    fn start(file: File) -> io::Result<Self> {
        let (requests, received) = sync_channel(1);
        let flush = move || {
            while received.recv().is_ok() {
                file.sync_data()?;
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("walwarden-flush".into()).spawn(flush)?;
        Ok(Flusher { requests, thread })
    }

    fn request(&self) -> io::Result<()> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match self.requests.try_send(()) {
            Ok(()) | Err(Full(())) => Ok(()), // a waiting request covers this one too
            Err(Disconnected(())) => Ok(()),  // it failed; `join` tells how
        }
    }

    fn join(self) -> io::Result<()> {
        drop(self.requests);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the flushing thread panicked")))
    }
}

const QUEUED_CHUNKS: usize = 4;
const FLUSH_BYTES: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_removes_what_dead_writers_left_and_nothing_else() {
        let staging = tempfile::tempdir().unwrap();
        let (dead, alive) = (staging.path().join("dead"), staging.path().join("alive"));
        drop(create_staged(&dead).unwrap());
        let writer = create_staged(&alive).unwrap();
        sweep(staging.path()).unwrap();
        assert!(!dead.exists());
        assert!(alive.exists());
        drop(writer);
        sweep(staging.path()).unwrap();
        assert!(!alive.exists());
        sweep(&staging.path().join("missing")).unwrap();
    }

    #[test]
    fn second_best_publication_still_refuses_a_taken_name() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(RESERVED)).unwrap();
        let target = root.path().join("object");
        let stage = |body: &str| {
            let path = root.path().join(body);
            fs::write(&path, body).unwrap();
            TempPath::try_from_path(path).unwrap()
        };
        rename_under_lock(root.path(), stage("first"), &target).unwrap();
        let refused = rename_under_lock(root.path(), stage("second"), &target).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
        assert!(!root.path().join("second").exists(), "the loser's staged file goes away");
    }
}
