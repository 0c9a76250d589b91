//! The engine with records in the place of its builders.

mod events;
mod options;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use walwarden_core::backup::{BackupRunner as _, SealedBackup};
use walwarden_core::catalog::SqliteCatalog;
use walwarden_core::chain::Subject;
use walwarden_core::clock::SystemRandom;
use walwarden_core::export::{ExportRequest, Exported};
use walwarden_core::manifest::{FileKey, ManifestSigner};
use walwarden_core::mirror::{RebuildOptions, Rebuilt};
use walwarden_core::restore::{RestorePlan, RestoreSession as _, Restored};
use walwarden_core::secret::Secret;
use walwarden_core::source::{ClientSearch, ClientSet};
use walwarden_core::storage::{self, Location, Options, Storage};
use walwarden_core::verify::{OrgId, Row};
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Result, Settings, new_file};

use crate::process::{PerProcess, standing_back};
use events::Told;
pub use events::{Event, Listener};
pub use options::{BackupOptions, EngineOptions, RestoreOptions};
use options::{keys, parsed, positive, seconds};

/// The runtime on which everything of the engine runs, beside the host's own threads and after them.
///
/// # Errors
/// `internal` when it cannot be started.
pub fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: PerProcess<Runtime> = PerProcess::new();
    RUNTIME
        .get(|| Builder::new_multi_thread().enable_all().on_thread_start(standing_back()).build())
        .map_err(|error| Error::new(Code::Internal, "cannot start the runtime").with_source(error))
}

/// Backs up, restores and exports evidence.
#[derive(Debug, Clone)]
pub struct Engine {
    engine: walwarden_core::Engine,
    org_id: OrgId,
    clients: ClientSearch,
    process: u32,
}

impl Engine {
    /// Opens one.
    ///
    /// # Errors
    /// `argument-invalid` for an organisation's id without meaning; as [`SqliteCatalog::open`].
    pub async fn open(options: EngineOptions, signer: Option<Arc<dyn ManifestSigner>>) -> Result<Self> {
        let org_id: OrgId = parsed("org_id", &options.org_id)?;
        let worker = options.worker.unwrap_or_else(|| Settings::worker_of("binding", &SystemRandom));
        let spool_dir = options.spool_dir.unwrap_or_else(std::env::temp_dir);
        let mut settings = Settings::new(org_id.clone(), worker, spool_dir);
        if let Some(given) = options.attempts {
            settings.attempts = positive("attempts", given)?;
        }
        if let Some(given) = options.backoff_seconds {
            settings.backoff = seconds("backoff_seconds", given)?;
        }
        let mut builder = walwarden_core::Engine::builder(settings);
        if let Some(path) = &options.catalog {
            builder = builder.catalog(Arc::new(SqliteCatalog::open(path).await?));
        }
        if let Some(signer) = signer {
            builder = builder.signer(signer);
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "a binding looks for programs where its user's shell does"
        )]
        let clients = ClientSearch::new(options.client_dirs, std::env::var_os("PATH"));
        Ok(Engine { engine: builder.build(), org_id, clients, process: std::process::id() })
    }

    /// A forked child has neither the threads of its parent nor a right to its open catalogue.
    fn of_this_process(&self) -> Result<&walwarden_core::Engine> {
        if self.process == std::process::id() {
            return Ok(&self.engine);
        }
        let message = format!(
            "this engine was opened by the process that forked this one pid={}; open it here",
            self.process
        );
        Err(Error::new(Code::ArgumentInvalid, message))
    }

    /// Backs one database up.
    ///
    /// # Errors
    /// As [`walwarden_core::backup::BackupRunner::run`].
    pub async fn backup(
        &self,
        options: BackupOptions,
        to: Arc<dyn Storage>,
        listener: Option<Listener>,
        cancel: Cancel,
    ) -> Result<SealedBackup> {
        let engine = self.of_this_process()?;
        let request = options.request(to, ClientSet::find(&self.clients).await, cancel)?;
        engine.backup().run(request, &Told::new(listener)).await
    }

    /// Says what a restore would do.
    ///
    /// # Errors
    /// As [`walwarden_core::restore::RestoreSession::plan`].
    pub async fn plan(
        &self,
        options: RestoreOptions,
        from: Arc<dyn Storage>,
        cancel: Cancel,
    ) -> Result<RestorePlan> {
        let engine = self.of_this_process()?;
        let request = options.request(from, ClientSet::find(&self.clients).await, cancel)?;
        engine.restore().plan(request).await
    }

    /// Does what was planned.
    ///
    /// # Errors
    /// As [`walwarden_core::restore::RestoreSession::apply`].
    pub async fn restore(
        &self,
        plan: RestorePlan,
        listener: Option<Listener>,
        cancel: Cancel,
    ) -> Result<Restored> {
        self.of_this_process()?.restore().apply(plan.stopped_by(cancel), &Told::new(listener)).await
    }

    /// Writes a bundle of one database's evidence into a new file; also returns its size in bytes.
    ///
    /// # Errors
    /// As [`walwarden_core::export::Exporter::export`] and [`new_file::staged`].
    pub async fn export(
        &self,
        database_id: &str,
        from: Vec<Arc<dyn Storage>>,
        out: PathBuf,
        artifacts: bool,
        allow_missing: bool,
        cancel: &Cancel,
    ) -> Result<(Exported, u64)> {
        let engine = self.of_this_process()?;
        let staged = new_file::staged(&out)?;
        let mut from = from.into_iter();
        let first = from
            .next()
            .ok_or_else(|| Error::new(Code::ArgumentInvalid, "name the storage where the backups lie"))?;
        let mut request = ExportRequest::new(parsed("database_id", database_id)?, first);
        request = from.fold(request, ExportRequest::and_from);
        (request.artifacts, request.allow_missing) = (artifacts, allow_missing);
        let exporter = engine.evidence();
        let (staged, exported) =
            cancel.or_drop(exporter.export(&request, staged)).await.unwrap_or_else(stopped)?;
        Ok((exported, new_file::publish(staged, &out)?))
    }

    /// Enters the chains of a destination that the catalogue does not have, of one database alone if it is named, and returns them.
    ///
    /// # Errors
    /// As [`walwarden_core::mirror::Rebuilder::rebuild`].
    pub async fn rebuild(
        &self,
        from: Arc<dyn Storage>,
        public_keys: &[String],
        database_id: Option<&str>,
        accept_uncovered: bool,
        cancel: &Cancel,
    ) -> Result<Vec<Rebuilt>> {
        let mut options = RebuildOptions::new(keys(public_keys)?);
        options.only = database_id.map(|id| parsed("database_id", id)).transpose()?;
        options.accept_uncovered = accept_uncovered;
        let rebuilder = self.of_this_process()?.rebuild();
        cancel.or_drop(rebuilder.rebuild(from.as_ref(), &options)).await.unwrap_or_else(stopped)
    }

    /// Up to `limit` rows of a database's audit chain from `first_seq` on, each in its own canonical bytes.
    ///
    /// # Errors
    /// `database-unknown` when there is no chain; as [`walwarden_core::chain::AuditChain::rows`].
    pub async fn rows(&self, database_id: &str, first_seq: u64, limit: u32) -> Result<Vec<Vec<u8>>> {
        let subject =
            Subject { org_id: self.org_id.clone(), database_id: Some(parsed("database_id", database_id)?) };
        let found = self.of_this_process()?.catalog().chain(&subject).await?;
        let record = found.ok_or_else(|| {
            Error::new(Code::DatabaseUnknown, format!("nothing is recorded of this database {subject}"))
        })?;
        let rows = record.audit.rows(first_seq, limit as usize).await?;
        Ok(rows.iter().map(Row::to_canonical).collect())
    }
}

fn stopped<T>() -> Result<T> {
    Err(Error::new(Code::Cancelled, "stopped as asked"))
}

/// Opens a destination by its URL. Credentials that are not given are taken from the environment variables of the
/// provider's own tools.
///
/// # Errors
/// As [`Location::parse`] and [`storage::open`].
pub async fn open_storage(
    url: &str,
    credentials: Option<BTreeMap<String, String>>,
    make_folder: bool,
) -> Result<Arc<dyn Storage>> {
    let location = Location::parse(url)?;
    let mut options = Options::default();
    options = match credentials {
        Some(given) => given
            .into_iter()
            .fold(options, |options, (name, value)| options.with_credential(name, Secret::new(value))),
        None => options.with_environment(&location, variable)?,
    };
    options.make_folder = make_folder;
    storage::open(&location, &options, Arc::new(SystemRandom)).await
}

/// A signing key in a file, made there if that is asked for.
///
/// # Errors
/// As [`FileKey::load`] and [`FileKey::generate`].
pub fn file_key(path: &Path, generate: bool) -> Result<FileKey> {
    if generate { FileKey::generate(path, &SystemRandom) } else { FileKey::load(path) }
}

/// How long a call of a component of the host's own may take, in seconds; a minute unless given.
///
/// # Errors
/// `argument-invalid` for one that is not a length of time.
pub fn patience(given: Option<f64>) -> Result<Duration> {
    given.map_or(Ok(PATIENCE), |given| seconds("patience_seconds", given))
}

const PATIENCE: Duration = Duration::from_secs(60);

#[allow(clippy::disallowed_methods, reason = "a binding reads what its user's tools read")]
fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            let message = format!("environment variable is not UTF-8 name={name}");
            Err(Error::new(Code::ArgumentInvalid, message))
        }
    }
}
