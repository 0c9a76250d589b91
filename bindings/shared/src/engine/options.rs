//! What jobs are asked for, in plain values; what is not given is as `walwarden-core` has it.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use walwarden_core::backup::BackupRequest;
use walwarden_core::restore::{RestoreRequest, Selection};
use walwarden_core::source::{ClientSet, Dsn, DumpOptions};
use walwarden_core::storage::Storage;
use walwarden_core::verify::key::PublicKey;
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Result};

/// Settings of an [`Engine`](super::Engine).
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// The organisation whose backups these are.
    pub org_id: String,
    /// The catalogue's file, made if absent; in memory if not given.
    pub catalog: Option<PathBuf>,
    /// Folder for temporary files; the system's unless given.
    pub spool_dir: Option<PathBuf>,
    /// Name of this worker, unique for each process.
    pub worker: Option<String>,
    /// How often a backup is tried before it fails for good.
    pub attempts: Option<u32>,
    /// Pause after the first failed attempt, in seconds; doubles with each further one.
    pub backoff_seconds: Option<f64>,
    /// Folders with client programs, looked into before `PATH`.
    pub client_dirs: Vec<PathBuf>,
}

/// What to back up and how.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// The database's id, which names its chain and its folder in the destination.
    pub database_id: String,
    /// Connection string; what it leaves out is taken from libpq's environment variables.
    pub source: String,
    /// Over how many connections tables are read.
    pub jobs: Option<u32>,
    /// `METHOD` or `METHOD:LEVEL`.
    pub compression: Option<String>,
    /// Whether roles and tablespaces are stored beside the dump.
    pub globals: bool,
    /// What of the database; its compression is the one above.
    pub dump: DumpOptions,
}

impl BackupOptions {
    pub(super) fn request(
        self,
        to: Arc<dyn Storage>,
        clients: ClientSet,
        cancel: Cancel,
    ) -> Result<BackupRequest> {
        let database_id = parsed("database_id", &self.database_id)?;
        let mut request = BackupRequest::new(database_id, dsn("source", &self.source)?, clients, to);
        request.options = self.dump;
        request.options.compression = self.compression.as_deref().map(str::parse).transpose()?;
        request.globals = self.globals;
        request.jobs = self.jobs.map_or(request.jobs, |jobs| jobs as usize);
        request.cancel = cancel;
        Ok(request)
    }
}

/// What to restore, and into what.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// The manifest's hash.
    pub manifest_sha256: String,
    /// Keys that are trusted, SPKI PEM; one of them must have signed the manifest.
    pub public_keys: Vec<String>,
    /// Connection string of the target.
    pub target: String,
    /// A word for [`Mode`](walwarden_core::restore::Mode).
    pub mode: String,
    /// `new_database` only: the new database's name, if not the source's.
    pub created_database: Option<String>,
    /// `in_place` only: present contents may be dropped.
    pub confirm_destructive: bool,
    /// Whether it is read from the database's own destination, where the rows that tell of this restore are copied.
    pub from_destination: bool,
    /// Leave ownership to the restoring role.
    pub no_owner: bool,
    /// Leave privileges out.
    pub no_privileges: bool,
    /// These tables alone, as schema (none for any) and name.
    pub tables: Vec<(Option<String>, String)>,
    /// These schemas alone.
    pub schemas: Vec<String>,
    /// A word for [`Scope`](walwarden_core::restore::Scope).
    pub scope: Option<String>,
    /// How many connections to the target may be used.
    pub jobs: Option<u32>,
    /// A word for [`Check`](walwarden_core::restore::Check).
    pub check: Option<String>,
    /// A word for [`Spooling`](walwarden_core::restore::Spooling).
    pub spooling: Option<String>,
}

impl RestoreOptions {
    pub(super) fn request(
        self,
        from: Arc<dyn Storage>,
        clients: ClientSet,
        cancel: Cancel,
    ) -> Result<RestoreRequest> {
        let keys = keys(&self.public_keys)?;
        let mode = self.mode.parse()?;
        let manifest = parsed("manifest_sha256", &self.manifest_sha256)?;
        let mut request =
            RestoreRequest::new(manifest, from, keys, dsn("target", &self.target)?, mode, clients);
        request.from_destination = self.from_destination;
        request.created_database = self.created_database;
        request.confirm_destructive = self.confirm_destructive;
        request.no_owner = self.no_owner;
        request.no_privileges = self.no_privileges;
        let tables = self.tables.iter();
        let selection = tables.fold(Selection::everything(), |selection, (schema, name)| {
            selection.with_table(schema.as_deref(), name)
        });
        request.selection =
            self.schemas.iter().fold(selection, |selection, name| selection.with_schema(name));
        request.scope = word(self.scope, request.scope)?;
        request.check = word(self.check, request.check)?;
        request.spooling = word(self.spooling, request.spooling)?;
        request.jobs = self.jobs.unwrap_or(request.jobs);
        request.cancel = cancel;
        Ok(request)
    }
}

fn word<T: FromStr<Err = Error>>(given: Option<String>, default: T) -> Result<T> {
    given.map_or(Ok(default), |given| given.parse())
}

pub(super) fn parsed<T>(name: &str, text: &str) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| {
        Error::new(Code::ArgumentInvalid, format!("{name} has no meaning {name}={text:?}")).with_source(error)
    })
}

/// Keys from texts that may hold several.
pub(super) fn keys(texts: &[String]) -> Result<Vec<PublicKey>> {
    let read = texts.iter().map(|text| PublicKey::several_from_pem(text));
    let keys: std::result::Result<Vec<_>, _> = read.collect();
    let unreadable = |error| Error::new(Code::KeyInvalid, "a public key cannot be read").with_source(error);
    Ok(keys.map_err(unreadable)?.concat())
}

pub(super) fn positive(name: &str, number: u32) -> Result<NonZeroU32> {
    let none = || Error::new(Code::ArgumentInvalid, format!("{name} must be 1 or more"));
    NonZeroU32::new(number).ok_or_else(none)
}

pub(super) fn seconds(name: &str, seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        Error::new(Code::ArgumentInvalid, format!("{name} is no length of time")).with_source(error)
    })
}

fn dsn(name: &str, text: &str) -> Result<Dsn> {
    let variables = std::env::vars_os();
    let parsed =
        Dsn::parse(text).map_err(|error| error.with_message(|message| format!("{name}: {message}")))?;
    parsed.with_environment(
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}
