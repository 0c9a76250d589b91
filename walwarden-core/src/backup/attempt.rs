//! One attempt at a backup: dump, store, sign, read back.
//!
//! The job's write-ahead notes make each step repeatable. What was sent is noted before the dump becomes visible,
//! and the signed manifest before it is stored; so a later attempt can tell a finished object from an unfinished
//! one, adopt the former and remove the latter.

use bytes::Bytes;
use walwarden_verify::index::Index;
use walwarden_verify::json::{Object, Value};
use walwarden_verify::layout::BackupObject;
use walwarden_verify::manifest::Manifest;
use walwarden_verify::{DatabaseId, Sha256};

use super::receipt::Receipt;
use super::{BackupRequest, SealedBackup};
use super::{index, origin, read_back, recovery, statement, transfer};
use crate::catalog::{Job, JobState};
use crate::chain::Subject;
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::held::HeldJob;
use crate::manifest;
use crate::mirror::Mirror;
use crate::storage::{ObjectName, Storage, StorageExt};
use crate::watch::Watch;

/// What one attempt works with.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) parts: &'a Parts,
    pub(super) request: &'a BackupRequest,
    pub(super) held: &'a HeldJob<'a>,
    pub(super) watch: &'a dyn Watch,
}

impl Attempt<'_> {
    /// Brings the claimed job to `completed`. Also says whether the dump was taken by this attempt.
    pub(super) async fn run(&self) -> Result<(SealedBackup, bool)> {
        let job = self.held.step(JobState::Running, Object::new()).await?;
        self.abandon_uploads(&job).await?;
        // Before anything is stored: a dump beside another history of the chain would be no backup.
        self.mirror(&job.subject).check(self.watch).await?;
        let (receipt, index) = match self.stored_already(&job).await? {
            Some(receipt) => (receipt, None),
            None => Box::pin(transfer::dump(self)).await.map(|(receipt, index)| (receipt, Some(index)))?,
        };
        let dumped_now = index.is_some();
        Box::pin(index::store(self, &job, &receipt, index)).await?;
        let mut stored = Object::new();
        if let Some(source) = &receipt.source_sha256 {
            stored.insert(origin::FIELD, source.as_str());
        }
        self.held.step(JobState::Finalizing, stored).await?;
        self.read_back(&receipt).await?;
        let sealed = self.seal(&receipt).await?;
        let body = sealed.manifest.body();
        let payload = Object::from([
            ("checksumSha256", Value::from(body.checksum_sha256)),
            ("manifestSha256", Value::from(sealed.manifest_sha256)),
            ("sizeBytes", Value::from(body.size_bytes)),
        ]);
        self.held.step(JobState::Completed, payload).await?;
        Ok((sealed, dumped_now))
    }

    /// After a failed attempt: removes what its uploads left behind. What cannot be removed now stays noted and is
    /// tried again by the next attempt.
    pub(super) async fn clean_up(&self) {
        let job = self.held.job().await;
        if let Err(error) = self.abandon_uploads(&job).await {
            self.watch
                .notice(&format!("an unfinished upload could not be removed yet: {}", error.with_causes()));
        }
    }

    async fn abandon_uploads(&self, job: &Job) -> Result<()> {
        if job.progress.uploads.is_empty() {
            return Ok(());
        }
        for (name, upload) in &job.progress.uploads {
            self.destination().abandon(name, upload).await?;
        }
        self.held.note(|progress| progress.uploads.clear()).await
    }

    /// The receipt of an earlier attempt whose dump became visible, if it did.
    async fn stored_already(&self, job: &Job) -> Result<Option<Receipt>> {
        let receipt = match &job.progress.receipt {
            Some(noted) => Receipt::from_bytes(noted)?,
            None if job.attempt > 1 => return recovery::receipt(self, job).await,
            None => return Ok(None),
        };
        let key = job.object_name(BackupObject::Artifact)?;
        Ok(self.holds(&key).await?.then_some(receipt))
    }

    /// Whether the destination has an object of this name.
    pub(super) async fn holds(&self, key: &ObjectName) -> Result<bool> {
        match self.destination().get(key, Some(0..1)).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Code::ObjectMissing => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_back(&self, receipt: &Receipt) -> Result<()> {
        let job = self.held.job().await;
        let artifact = job.object_name(BackupObject::Artifact)?;
        let sent = receipt.artifact.measured()?;
        match &receipt.index {
            Some(indexed) => {
                let key = job.object_name(BackupObject::Index)?;
                let bytes = read_back::read(self, &key, indexed.object.measured()?).await?;
                let index = Index::parse(&bytes).map_err(|error| {
                    Error::new(Code::Internal, format!("our own index does not parse key={key}"))
                        .with_source(error)
                })?;
                read_back::compare_chunks(self, &artifact, sent.size_bytes, index).await?;
            }
            None => read_back::compare(self, &artifact, sent).await?,
        }
        if let Some(globals) = &receipt.globals {
            let key = job.object_name(BackupObject::Globals)?;
            read_back::compare(self, &key, globals.measured()?).await?;
        }
        Ok(())
    }

    /// Signs and stores the manifest, and fetches it again.
    async fn seal(&self, receipt: &Receipt) -> Result<SealedBackup> {
        let job = self.held.job().await;
        let bytes = match &job.progress.manifest {
            Some(noted) => noted.clone(),
            None => self.sign(&job, receipt).await?,
        };
        let key = job.object_name(BackupObject::Manifest)?;
        match self.destination().put(&key, bytes.clone()).await {
            Ok(_) => {}
            // Ours, if it holds the noted bytes: an earlier attempt ended between storing and recording.
            Err(error) if error.code() == Code::ObjectExists => {
                if self.destination().read(&key, manifest::LIMIT_BYTES).await? != bytes {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        let stored = self.destination().read(&key, manifest::LIMIT_BYTES).await?;
        if stored != bytes {
            return Err(Error::new(
                Code::ReadBackMismatch,
                format!("the manifest came back changed key={key}"),
            ));
        }
        let manifest = Manifest::parse(&stored).map_err(|error| {
            Error::new(Code::Internal, format!("our own manifest does not parse key={key}"))
                .with_source(error)
        })?;
        Ok(SealedBackup { job_id: job.id, manifest, manifest_sha256: Sha256::of(&stored) })
    }

    async fn sign(&self, job: &Job, receipt: &Receipt) -> Result<Bytes> {
        // The anchor's rows lie in the destination before a manifest there speaks of them.
        let anchor = self.mirror(&job.subject).push_rows().await?;
        let bytes = statement::sign(self, job, receipt, anchor).await?;
        self.held.note(|progress| progress.manifest = Some(bytes.clone())).await?;
        Ok(bytes)
    }

    fn mirror<'a>(&'a self, subject: &'a Subject) -> Mirror<'a> {
        Mirror { parts: self.parts, storage: self.destination(), subject, may_begin: true }
    }

    pub(super) fn destination(&self) -> &dyn Storage {
        self.request.destination.as_ref()
    }

    pub(super) fn database_id(&self) -> &DatabaseId {
        &self.request.database_id
    }

    /// Does the work unless the job is cancelled first; what was begun ends with its future.
    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            outcome = work => outcome,
            () = self.request.cancel.cancelled() => Err(self.cancelled()),
        }
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        if self.request.cancel.is_cancelled() { Err(self.cancelled()) } else { Ok(()) }
    }

    pub(super) fn cancelled(&self) -> Error {
        Error::new(Code::Cancelled, format!("the backup was cancelled database={}", self.database_id()))
    }
}
