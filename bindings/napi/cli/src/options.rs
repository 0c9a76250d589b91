//! Options as objects of JavaScript.

use napi_derive::napi;
use walwarden_bindings::engine;
use walwarden_core::Result;
use walwarden_core::source::DumpOptions;

/// Settings of an engine.
#[napi(object, object_to_js = false)]
pub struct EngineOptions {
    /// The file that remembers jobs and audit chains, made if absent; in memory unless given.
    pub catalog: Option<String>,
    /// Folder for temporary files; the system's unless given.
    pub spool_dir: Option<String>,
    /// Name of this worker, unique for each process.
    pub worker: Option<String>,
    /// How often a backup is tried before it fails for good; 3 unless given.
    pub attempts: Option<u32>,
    /// Pause after the first failed attempt; doubles with each further one. 2 unless given.
    pub backoff_seconds: Option<f64>,
    /// Folders with `pg_dump` and `pg_restore`, looked into before `PATH`.
    pub client_dirs: Option<Vec<String>>,
    /// A call of an own signer or storage that takes longer fails the job; 60 unless given.
    pub patience_seconds: Option<f64>,
}

impl EngineOptions {
    pub(crate) fn of(self, org_id: String) -> Result<engine::EngineOptions> {
        let EngineOptions {
            catalog,
            spool_dir,
            worker,
            attempts,
            backoff_seconds,
            client_dirs,
            patience_seconds,
        } = self;
        // It is given to each component; here it is only looked at, for there may be none yet.
        engine::patience(patience_seconds)?;
        Ok(engine::EngineOptions {
            org_id,
            catalog: catalog.map(Into::into),
            spool_dir: spool_dir.map(Into::into),
            worker,
            attempts,
            backoff_seconds,
            client_dirs: client_dirs.unwrap_or_default().into_iter().map(Into::into).collect(),
        })
    }
}

/// What to back up and how. Schemas and tables are patterns as `pg_dump` takes them.
#[napi(object, object_to_js = false)]
pub struct BackupOptions {
    /// Over how many connections tables are read; 1 unless given.
    pub jobs: Option<u32>,
    /// `zstd`, `gzip`, `lz4` or `none`, the first two with a level as in `zstd:9`.
    pub compression: Option<String>,
    /// Whether roles and tablespaces are stored beside the dump.
    pub roles: Option<bool>,
    pub no_owner: Option<bool>,
    pub no_privileges: Option<bool>,
    pub schemas: Option<Vec<String>>,
    pub exclude_schemas: Option<Vec<String>>,
    pub tables: Option<Vec<String>>,
    pub exclude_tables: Option<Vec<String>>,
    /// These tables without their rows.
    pub exclude_table_data: Option<Vec<String>>,
    /// How long to wait for a table that someone holds exclusively; for ever unless given.
    pub lock_timeout_seconds: Option<u32>,
}

impl BackupOptions {
    pub(crate) fn of(self, database_id: String, source: String) -> engine::BackupOptions {
        let mut dump = DumpOptions::default();
        dump.no_owner = self.no_owner.unwrap_or_default();
        dump.no_privileges = self.no_privileges.unwrap_or_default();
        dump.schemas = self.schemas.unwrap_or_default();
        dump.exclude_schemas = self.exclude_schemas.unwrap_or_default();
        dump.tables = self.tables.unwrap_or_default();
        dump.exclude_tables = self.exclude_tables.unwrap_or_default();
        dump.exclude_table_data = self.exclude_table_data.unwrap_or_default();
        dump.lock_timeout_seconds = self.lock_timeout_seconds;
        let BackupOptions { jobs, compression, roles, .. } = self;
        let globals = roles.unwrap_or_default();
        engine::BackupOptions { database_id, source, jobs, compression, globals, dump }
    }
}

/// A table by its name.
#[napi(object, object_to_js = false)]
pub struct TableName {
    /// Any schema unless given.
    pub schema: Option<String>,
    pub name: String,
}

/// What to restore, and how.
#[napi(object, object_to_js = false)]
pub struct RestoreOptions {
    /// Keys that are trusted, SPKI PEM; one of them must have signed the manifest.
    pub public_keys: Option<Vec<String>>,
    /// `new_database` only: the new database's name, if not the source's.
    pub created_database: Option<String>,
    /// `in_place` only: present contents may be dropped.
    pub confirm_destructive: Option<bool>,
    /// Whether it is read from the database's own destination, where the rows that tell of this restore are then copied.
    pub from_destination: Option<bool>,
    pub no_owner: Option<bool>,
    pub no_privileges: Option<bool>,
    /// These tables alone.
    pub tables: Option<Vec<TableName>>,
    /// These schemas alone.
    pub schemas: Option<Vec<String>>,
    #[napi(ts_type = "'all' | 'schema_only' | 'data_only'")]
    pub scope: Option<String>,
    /// How many connections to the target may be used; 1 unless given.
    pub jobs: Option<u32>,
    /// How closely restored tables are compared with the backup's index; `counts` unless given.
    #[napi(ts_type = "'none' | 'counts' | 'digests'")]
    pub check: Option<String>,
    /// Whether the dump is copied into a private file first.
    #[napi(ts_type = "'where_needed' | 'always' | 'never'")]
    pub spooling: Option<String>,
}

impl RestoreOptions {
    pub(crate) fn of(self, manifest_sha256: String, target: String, mode: String) -> engine::RestoreOptions {
        let tables = self.tables.unwrap_or_default().into_iter();
        engine::RestoreOptions {
            manifest_sha256,
            public_keys: self.public_keys.unwrap_or_default(),
            target,
            mode,
            created_database: self.created_database,
            confirm_destructive: self.confirm_destructive.unwrap_or_default(),
            from_destination: self.from_destination.unwrap_or_default(),
            no_owner: self.no_owner.unwrap_or_default(),
            no_privileges: self.no_privileges.unwrap_or_default(),
            tables: tables.map(|table| (table.schema, table.name)).collect(),
            schemas: self.schemas.unwrap_or_default(),
            scope: self.scope,
            jobs: self.jobs,
            check: self.check,
            spooling: self.spooling,
        }
    }
}

/// What a bundle should hold.
#[napi(object, object_to_js = false)]
pub struct ExportOptions {
    /// Whether the dumps are put into it, too.
    pub artifacts: Option<bool>,
    /// Whether it is written though objects are missing in the storage.
    pub allow_missing: Option<bool>,
}

/// Which chains come back into a catalogue.
#[napi(object, object_to_js = false)]
pub struct RebuildOptions {
    /// Keys that are trusted, SPKI PEM: a chain counts as far as one of them signed its checkpoints.
    pub public_keys: Vec<String>,
    /// Only this database's chain.
    pub database_id: Option<String>,
    /// Whether rows come back, too, that no such checkpoint covers; without, they are refused (`chain-uncovered`).
    pub accept_uncovered: Option<bool>,
}
