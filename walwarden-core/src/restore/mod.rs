//! Conducts a restore: plan, verify everything, then apply.
//!
//! In: a [`RestoreRequest`]. Out: a [`Restored`]. What always holds: the target never sees a byte that was not verified,
//! and its DSN stays in this process and the `pg_restore` that it starts.
//!
//! Rows take one of two ways. Into a new database they go straight from the store over several connections, every piece
//! compared with the backup's index before it is decoded. Where one transaction of `pg_restore` is to replace what a database
//! holds, or where a backup has no index, the dump is first copied into a private file, and that compared.

mod apply;
mod check;
mod conductor;
mod contents;
mod decoding;
mod find;
mod folder;
mod inspect;
mod large_objects;
mod load;
mod pg_restore;
mod prepare;
mod progress;
mod properties;
mod spool;
mod stored;
mod target;
mod unfinished;
mod words;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use walwarden_verify::Sha256;
use walwarden_verify::key::PublicKey;
use walwarden_verify::manifest::VerifiedManifest;

use crate::error::Result;
use crate::source::{Client, ClientSet, Dsn};
use crate::storage::Storage;
use crate::watch::{Cancel, Watch};

use stored::StoredDump;

pub use check::{Check, CheckedTable};
pub use conductor::RestoreConductor;
pub use contents::BackupContents;
pub use walwarden_archive::Selection;

/// Into what a backup is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A database that does not exist yet.
    NewDatabase,
    /// The existing database that the target DSN names; its objects are dropped first.
    InPlace,
}

/// What of the selected entries is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Definitions and data.
    #[default]
    All,
    /// Definitions only, as `pg_restore --schema-only`.
    SchemaOnly,
    /// Data only, into tables that are there, as `pg_restore --data-only`; `InPlace` only.
    DataOnly,
}

/// Whether the dump is copied into a private file before it is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spooling {
    /// Where the way it is restored needs that.
    #[default]
    WhereNeeded,
    /// Always. The whole dump is compared before the target is touched, and no connection to the store is open while it is.
    Always,
    /// Never: a restore that needs it is refused.
    Never,
}

/// One restore to be planned.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// The manifest's hash.
    pub manifest_sha256: Sha256,
    /// Where the backup lies.
    pub from: Arc<dyn Storage>,
    /// Whether that is the database's own destination, so that the rows which tell of this restore are copied there at
    /// once. A copy of a destination is only read, and the rows follow with the next backup.
    pub from_destination: bool,
    /// Keys the caller trusts; one of them must have signed the manifest.
    pub trusted_keys: Vec<PublicKey>,
    /// The target: a maintenance database for `NewDatabase`, the database itself for `InPlace`.
    pub target: Dsn,
    /// Into what.
    pub mode: Mode,
    /// `NewDatabase` only: create and use this name instead of the source's.
    pub created_database: Option<String>,
    /// `InPlace` only: the caller knows that present contents are dropped.
    pub confirm_destructive: bool,
    /// Leave ownership to the restoring role.
    pub no_owner: bool,
    /// Leave privileges out.
    pub no_privileges: bool,
    /// Which tables or schemas of the backup: tables with their indexes, constraints, triggers, policies and own sequences, and into
    /// a new database with the definitions that all those depend on. It takes an index.
    pub selection: Selection,
    /// What of them.
    pub scope: Scope,
    /// How many connections to the target may be used, at least 1. An in-place restore is one transaction and takes 1.
    pub jobs: u32,
    /// How closely the restored tables are compared with the backup's index, where it has one.
    pub check: Check,
    /// The client programs to choose from.
    pub clients: ClientSet,
    /// Whether the dump is copied first.
    pub spooling: Spooling,
    /// Folder for what `pg_restore` reads, if not the engine's: a copy of the dump where it is copied, else an archive without
    /// rows.
    pub spool_dir: Option<PathBuf>,
    /// Stops the planning, and the restore unless [`RestorePlan::stopped_by`] names another.
    pub cancel: Cancel,
}

impl RestoreRequest {
    /// A restore with one connection and everything the dump holds.
    pub fn new(
        manifest_sha256: Sha256,
        from: Arc<dyn Storage>,
        trusted_keys: Vec<PublicKey>,
        target: Dsn,
        mode: Mode,
        clients: ClientSet,
    ) -> Self {
        RestoreRequest {
            manifest_sha256,
            from,
            from_destination: false,
            trusted_keys,
            target,
            mode,
            created_database: None,
            confirm_destructive: false,
            no_owner: false,
            no_privileges: false,
            selection: Selection::everything(),
            scope: Scope::default(),
            jobs: 1,
            check: Check::default(),
            clients,
            spooling: Spooling::default(),
            spool_dir: None,
            cancel: Cancel::default(),
        }
    }
}

/// What a restore will do, to be shown before it is done. Only [`RestoreSession::plan`] makes one, and it cannot be
/// changed: what was shown is what is applied.
#[derive(Debug, Clone)]
pub struct RestorePlan {
    request: RestoreRequest,
    manifest: VerifiedManifest,
    target_version: String,
    database: String,
    client: Client,
    in_one_transaction: bool,
    spools: bool,
    /// The stored dump, where the plan had to look into it already.
    stored: Option<StoredDump>,
    /// The target's major is below that of the backup's server.
    target_is_older: bool,
    dropped: Vec<String>,
    notices: Vec<String>,
}

impl RestorePlan {
    /// The request as planned.
    pub fn request(&self) -> &RestoreRequest {
        &self.request
    }

    /// The manifest, its signature checked.
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// Version of the target server.
    pub fn target_version(&self) -> &str {
        &self.target_version
    }

    /// The database that will hold the data.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The client programs whose `pg_restore` is used.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// In place: whether everything happens in one transaction, so that a failure leaves the old contents as they were.
    /// Not so where the target has partitions with inherited primary keys, which `pg_restore` cannot drop in one, nor where
    /// `pg_restore` is newer than the server, which refuses one of its settings and thereby would end the transaction.
    pub fn in_one_transaction(&self) -> bool {
        self.in_one_transaction
    }

    /// Whether what is restored is first copied into the spool folder; else rows go straight from the store into the target.
    pub fn spools(&self) -> bool {
        self.spools
    }

    /// In place: the tables, views and sequences now in the target, as `schema.name`. Those that the dump holds too are
    /// dropped and made anew; others stay.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// What the operator should know.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The same, stopped by this when it is applied, and no longer by what stopped the planning.
    #[must_use]
    pub fn stopped_by(mut self, cancel: Cancel) -> Self {
        self.request.cancel = cancel;
        self
    }

    /// What may be left in the target by a restore that was cut off at a moment that nobody knows.
    fn left_when_cut_off(&self) -> String {
        let database = &self.database;
        match (self.request.mode, self.in_one_transaction) {
            (Mode::NewDatabase, _) => "a database walwarden_restore_… may be left".to_owned(),
            (Mode::InPlace, true) => format!(
                "whether the contents of {database:?} were replaced is not known: either all of them were, or none"
            ),
            (Mode::InPlace, false) => format!("the contents of {database:?} may be half replaced"),
        }
    }
}

/// A finished restore.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Restored {
    /// The database that holds the data.
    pub database: String,
    /// What the operator should know, e.g. errors of `pg_restore` known to be harmless.
    pub notices: Vec<String>,
    /// Every table that was compared with the backup's index; all agree. None where nothing was compared.
    pub checked: Option<Vec<CheckedTable>>,
}

/// Restores backups.
///
/// - [`plan`](Self::plan) MUST NOT change the target.
/// - [`apply`](Self::apply) MUST verify every byte of the dump before it reaches the target, and all that is restored before
///   it drops or replaces anything there.
/// - A failed restore into a new database MUST leave no database of that name behind.
#[async_trait]
pub trait RestoreSession: Debug + Send + Sync + 'static {
    /// Finds and checks the manifest, looks at the target, and says what would be done.
    async fn plan(&self, request: RestoreRequest) -> Result<RestorePlan>;

    /// Does it.
    async fn apply(&self, plan: RestorePlan, watch: &dyn Watch) -> Result<Restored>;
}
