//! The engine with records in the place of its builders.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use walwarden_core::backup::{BackupRequest, BackupRunner as _};
use walwarden_core::catalog::SqliteCatalog;
use walwarden_core::chain::Subject;
use walwarden_core::clock::SystemRandom;
use walwarden_core::export::ExportRequest;
use walwarden_core::manifest::{FileKey, ManifestSigner};
use walwarden_core::restore::{
    Check, Mode, RestorePlan, RestoreRequest, RestoreSession as _, Scope, Selection, Spooling,
};
use walwarden_core::secret::Secret;
use walwarden_core::source::{ClientSearch, ClientSet, Dsn, DumpOptions};
use walwarden_core::storage::{self, Location, Options, Storage};
use walwarden_core::verify::key::PublicKey;
use walwarden_core::verify::{OrgId, Row, canonical};
use walwarden_core::watch::{Cancel, StateChange, Transfer, Watch};
use walwarden_core::{Code, Error, Result, Settings, new_file};

/// The runtime on which everything of the engine runs, beside the host's own threads.
///
/// # Errors
/// `internal` when it cannot be started.
pub fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    RUNTIME
        .get_or_init(Runtime::new)
        .as_ref()
        .map_err(|error| Error::new(Code::Internal, format!("cannot start the runtime: {error}")))
}

/// Settings of an [`Engine`]; what is not given is as `walwarden_core::Settings` has it.
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
    /// Leave out who owns what.
    pub no_owner: bool,
    /// Leave out `GRANT` and `REVOKE`.
    pub no_privileges: bool,
    /// Patterns, as in [`DumpOptions`].
    pub schemas: Vec<String>,
    /// Patterns, as in [`DumpOptions`].
    pub exclude_schemas: Vec<String>,
    /// Patterns, as in [`DumpOptions`].
    pub tables: Vec<String>,
    /// Patterns, as in [`DumpOptions`].
    pub exclude_tables: Vec<String>,
    /// Patterns, as in [`DumpOptions`].
    pub exclude_table_data: Vec<String>,
    /// How long to wait for a table that someone holds exclusively, in seconds.
    pub lock_timeout_seconds: Option<u32>,
}

/// A backup that was read back.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The job.
    pub job_id: String,
    /// What a restore takes.
    pub manifest_sha256: String,
    /// The manifest's own bytes.
    pub manifest: Vec<u8>,
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
    /// `new_database` or `in_place`.
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
    /// `all`, `schema_only` or `data_only`.
    pub scope: Option<String>,
    /// How many connections to the target may be used.
    pub jobs: Option<u32>,
    /// `none`, `counts` or `digests`.
    pub check: Option<String>,
    /// `where_needed`, `always` or `never`.
    pub spooling: Option<String>,
}

/// What a restore did.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The database that holds the data.
    pub database: String,
    /// What the operator should know.
    pub notices: Vec<String>,
    /// Every table that was compared with the backup's index; none where nothing was compared.
    pub checked: Option<Vec<CheckedTable>>,
}

/// A table that agrees with the backup's index.
#[derive(Debug, Clone)]
pub struct CheckedTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Their digest, where that was compared.
    pub digest: Option<String>,
}

/// What a bundle holds.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The file's size.
    pub size_bytes: u64,
    /// Rows of the chain that it shows.
    pub rows: u64,
    /// Manifests, one for each completed backup.
    pub manifests: u64,
    /// Dumps.
    pub artifacts: u64,
    /// Hash of the last row.
    pub head: String,
    /// Objects that should be in it and are not, with the code that says why.
    pub missing: Vec<(String, &'static str)>,
}

/// What a job does.
#[derive(Debug, Clone)]
pub enum Event {
    /// A state was reached.
    State {
        /// The job.
        job_id: String,
        /// The state.
        state: &'static str,
        /// When, as recorded in the chain.
        at: String,
        /// The row's payload, canonical JSON.
        payload: Vec<u8>,
    },
    /// Something the operator should know that does not stop the job.
    Notice(String),
    /// Bytes have moved; told ten times a second at most.
    Transfer {
        /// So many so far.
        done_bytes: u64,
        /// Of so many, where that is known.
        total_bytes: Option<u64>,
    },
}

/// Is told what a job does; returns at once.
pub type Listener = Box<dyn Fn(Event) + Send + Sync>;

struct Told {
    listener: Option<Listener>,
    last_transfer: Mutex<Option<Instant>>,
}

const BETWEEN_TRANSFERS: Duration = Duration::from_millis(100);

impl Told {
    fn new(listener: Option<Listener>) -> Self {
        Told { listener, last_transfer: Mutex::default() }
    }

    fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.listener {
            listener(event());
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl Watch for Told {
    fn state(&self, change: &StateChange) {
        self.tell(|| Event::State {
            job_id: change.job_id.to_string(),
            state: change.state.text(),
            at: change.at.to_string(),
            payload: canonical::to_vec(&change.payload.clone().into()),
        });
    }

    fn notice(&self, text: &str) {
        self.tell(|| Event::Notice(text.to_owned()));
    }

    fn transfer(&self, transfer: Transfer) {
        let mut last = self.last_transfer.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= BETWEEN_TRANSFERS) {
            *last = Some(Instant::now());
            let Transfer { done_bytes, total_bytes, .. } = transfer;
            self.tell(|| Event::Transfer { done_bytes, total_bytes });
        }
    }
}

/// Backs up, restores and exports evidence.
#[derive(Debug, Clone)]
pub struct Engine {
    engine: walwarden_core::Engine,
    org_id: OrgId,
    clients: ClientSearch,
}

/// What a restore will do.
#[derive(Debug, Clone)]
pub struct Plan(RestorePlan);

impl Plan {
    /// The plan in the engine's words.
    pub fn as_core(&self) -> &RestorePlan {
        &self.0
    }
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
        settings.attempts = options.attempts.unwrap_or(settings.attempts);
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
        Ok(Engine { engine: builder.build(), org_id, clients })
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
    ) -> Result<Sealed> {
        let mut dump = DumpOptions::default();
        dump.compression = options.compression.as_deref().map(str::parse).transpose()?;
        dump.no_owner = options.no_owner;
        dump.no_privileges = options.no_privileges;
        dump.schemas = options.schemas;
        dump.exclude_schemas = options.exclude_schemas;
        dump.tables = options.tables;
        dump.exclude_tables = options.exclude_tables;
        dump.exclude_table_data = options.exclude_table_data;
        dump.lock_timeout_seconds = options.lock_timeout_seconds;
        let database_id = parsed("database_id", &options.database_id)?;
        let source = dsn(&options.source)?;
        let clients = ClientSet::find(&self.clients).await;
        let mut request = BackupRequest::new(database_id, source, clients, to);
        request.options = dump;
        request.globals = options.globals;
        request.jobs = options.jobs.map_or(request.jobs, |jobs| jobs as usize);
        request.cancel = cancel;
        let sealed = self.engine.backup().run(request, &Told::new(listener)).await?;
        Ok(Sealed {
            job_id: sealed.job_id.to_string(),
            manifest_sha256: sealed.manifest_sha256.to_string(),
            manifest: sealed.manifest.as_bytes().to_vec(),
        })
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
    ) -> Result<Plan> {
        let keys = options.public_keys.iter().map(|text| PublicKey::several_from_pem(text));
        let keys: std::result::Result<Vec<_>, _> = keys.collect();
        let keys = keys.map_err(|error| {
            Error::new(Code::KeyInvalid, "a public key cannot be read").with_source(error)
        })?;
        let mode = choice(
            "mode",
            &options.mode,
            &[("new_database", Mode::NewDatabase), ("in_place", Mode::InPlace)],
        )?;
        let manifest = parsed("manifest_sha256", &options.manifest_sha256)?;
        let clients = ClientSet::find(&self.clients).await;
        let keys = keys.into_iter().flatten().collect();
        let mut request = RestoreRequest::new(manifest, from, keys, dsn(&options.target)?, mode, clients);
        request.from_destination = options.from_destination;
        request.created_database = options.created_database;
        request.confirm_destructive = options.confirm_destructive;
        request.no_owner = options.no_owner;
        request.no_privileges = options.no_privileges;
        request.selection = Selection::everything();
        for (schema, name) in &options.tables {
            request.selection = request.selection.with_table(schema.as_deref(), name);
        }
        for schema in &options.schemas {
            request.selection = request.selection.with_schema(schema);
        }
        if let Some(scope) = &options.scope {
            let known =
                [("all", Scope::All), ("schema_only", Scope::SchemaOnly), ("data_only", Scope::DataOnly)];
            request.scope = choice("scope", scope, &known)?;
        }
        if let Some(check) = &options.check {
            let known = [("none", Check::None), ("counts", Check::Counts), ("digests", Check::Digests)];
            request.check = choice("check", check, &known)?;
        }
        if let Some(spooling) = &options.spooling {
            let known = [
                ("where_needed", Spooling::WhereNeeded),
                ("always", Spooling::Always),
                ("never", Spooling::Never),
            ];
            request.spooling = choice("spooling", spooling, &known)?;
        }
        request.jobs = options.jobs.unwrap_or(request.jobs);
        request.cancel = cancel;
        self.engine.restore().plan(request).await.map(Plan)
    }

    /// Does what was planned.
    ///
    /// # Errors
    /// As [`walwarden_core::restore::RestoreSession::apply`].
    pub async fn restore(&self, plan: Plan, listener: Option<Listener>) -> Result<Restored> {
        let restored = self.engine.restore().apply(plan.0, &Told::new(listener)).await?;
        let table = |table: walwarden_core::restore::CheckedTable| CheckedTable {
            schema: table.table.schema,
            name: table.table.name,
            rows: table.actual_rows,
            digest: table.actual_digest.map(|digest| digest.to_string()),
        };
        Ok(Restored {
            database: restored.database,
            notices: restored.notices,
            checked: restored.checked.map(|tables| tables.into_iter().map(table).collect()),
        })
    }

    /// Writes a bundle of one database's evidence into a new file.
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
    ) -> Result<Exported> {
        let staged = new_file::staged(&out)?;
        let mut from = from.into_iter();
        let first = from
            .next()
            .ok_or_else(|| Error::new(Code::ArgumentInvalid, "name the storage where the backups lie"))?;
        let mut request = ExportRequest::new(parsed("database_id", database_id)?, first);
        request = from.fold(request, ExportRequest::and_from);
        (request.artifacts, request.allow_missing) = (artifacts, allow_missing);
        let (staged, exported) = self.engine.evidence().export(&request, staged).await?;
        let missing = exported.missing.iter();
        Ok(Exported {
            size_bytes: new_file::publish(staged, &out)?,
            rows: exported.rows,
            manifests: exported.manifests,
            artifacts: exported.artifacts,
            head: exported.head.to_string(),
            missing: missing.map(|missing| (missing.name.to_string(), missing.why.text())).collect(),
        })
    }

    /// Up to `limit` rows of a database's audit chain from `first_seq` on, each in its own canonical bytes.
    ///
    /// # Errors
    /// `database-unknown` when there is no chain; as [`walwarden_core::chain::AuditChain::rows`].
    pub async fn rows(&self, database_id: &str, first_seq: u64, limit: u32) -> Result<Vec<Vec<u8>>> {
        let subject =
            Subject { org_id: self.org_id.clone(), database_id: Some(parsed("database_id", database_id)?) };
        let found = self.engine.catalog().chain(&subject).await?;
        let record = found.ok_or_else(|| {
            Error::new(Code::DatabaseUnknown, format!("nothing is recorded of this database {subject}"))
        })?;
        let rows = record.audit.rows(first_seq, limit as usize).await?;
        Ok(rows.iter().map(Row::to_canonical).collect())
    }
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
pub fn file_key(path: &std::path::Path, generate: bool) -> Result<FileKey> {
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

fn seconds(name: &str, seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        Error::new(Code::ArgumentInvalid, format!("{name} is no length of time")).with_source(error)
    })
}

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

fn dsn(text: &str) -> Result<Dsn> {
    let text_variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Dsn::parse(text)?.with_environment(text_variables)
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
    text: &str,
) -> Result<T> {
    text.parse().map_err(|error| {
        Error::new(Code::ArgumentInvalid, format!("{name} has no meaning {name}={text:?}")).with_source(error)
    })
}

fn choice<T: Copy>(name: &str, text: &str, known: &[(&str, T)]) -> Result<T> {
    known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        Error::new(Code::ArgumentInvalid, format!("{name} is one of {} {name}={text:?}", words.join(", ")))
    })
}
