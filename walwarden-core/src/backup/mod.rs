//! Conducts a backup: from a queued job to a manifest that was read back from the store.
//!
//! In: a [`BackupRequest`]. Out: a [`SealedBackup`]. What always holds: nothing half-written is ever visible, and
//! after a crash at any instruction the next run carries on or fails the job honestly.

mod attempt;
mod conductor;
mod index;
mod origin;
mod read_back;
mod receipt;
mod recovery;
mod statement;
mod transfer;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use walwarden_verify::manifest::Manifest;
use walwarden_verify::{DatabaseId, JobId, Sha256};

use crate::error::Result;
use crate::source::{ClientSet, Dsn, DumpOptions};
use crate::storage::Storage;
use crate::watch::{Cancel, Watch};

pub use conductor::BackupConductor;

/// One backup to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupRequest {
    /// The database's id, which names its chain and its folder in the destination.
    pub database_id: DatabaseId,
    /// How to reach the source.
    pub source: Dsn,
    /// The client programs to choose from.
    pub clients: ClientSet,
    /// What to dump and how.
    pub options: DumpOptions,
    /// Whether roles and tablespaces are stored beside the dump.
    pub globals: bool,
    /// Over how many connections tables are read, at least 1; more than one where the server lets them share a snapshot.
    pub jobs: usize,
    /// Where to store.
    pub destination: Arc<dyn Storage>,
    /// Stops the job.
    pub cancel: Cancel,
}

impl BackupRequest {
    /// A backup of the whole database with default options, without roles.
    pub fn new(
        database_id: DatabaseId,
        source: Dsn,
        clients: ClientSet,
        destination: Arc<dyn Storage>,
    ) -> Self {
        BackupRequest {
            database_id,
            source,
            clients,
            options: DumpOptions::default(),
            globals: false,
            jobs: 1,
            destination,
            cancel: Cancel::default(),
        }
    }
}

/// A backup whose manifest and dump were read back and compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SealedBackup {
    /// The job.
    pub job_id: JobId,
    /// The manifest as stored.
    pub manifest: Manifest,
    /// Its hash, the handle that a restore takes.
    pub manifest_sha256: Sha256,
}

/// Makes backups.
///
/// - MUST return only when the manifest is stored, read back and recorded.
/// - MUST NOT leave anything visible in the destination that no manifest will name, once the job has ended, unless it
///   ended after the dump was stored whole: nothing is ever removed, and the chain says that this job did not complete.
///   The same goes for roles and tablespaces, which are stored just before the dump's last call: where that call fails
///   for good, they alone are left.
/// - MUST be safe to kill at any instruction and to run again: the next run takes an unfinished job of the same
///   database over before it begins a new one.
#[async_trait]
pub trait BackupRunner: Debug + Send + Sync + 'static {
    /// Runs one job to its end, tries again as the settings say, and returns the sealed backup.
    async fn run(&self, request: BackupRequest, watch: &dyn Watch) -> Result<SealedBackup>;
}
