//! Opens what the settings name: key, catalogue, source, destination, engine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use walwarden_core::catalog::{Catalog, SqliteCatalog};
use walwarden_core::chain::Subject;
use walwarden_core::clock::SystemRandom;
use walwarden_core::engine::{Engine, Settings};
use walwarden_core::manifest::{FileKey, KeyPlace};
use walwarden_core::secret::Secret;
use walwarden_core::source::{ClientSearch, ClientSet, Dsn, DumpOptions};
use walwarden_core::storage::{self, Location, Options, Patience, Scheme, Storage};
use walwarden_core::verify::DatabaseId;
use walwarden_core::{Code, Error, Result};

use super::Home;
use crate::output::Output;
use crate::settings::{DatabaseSettings, DumpSettings, SourceSettings};

impl Home {
    /// The signing key.
    ///
    /// # Errors
    /// As [`FileKey::load`].
    pub(crate) fn key(&self) -> Result<FileKey> {
        FileKey::load(&self.key_file())
    }

    /// The key's file and what stands beside it.
    pub(crate) fn key_place(&self) -> KeyPlace {
        KeyPlace::new(self.key_file())
    }

    /// The catalogue, made if absent.
    ///
    /// # Errors
    /// `file-failed` when the home folder cannot be made, otherwise as [`SqliteCatalog::open`].
    pub(crate) async fn catalog(&self) -> Result<Arc<dyn Catalog>> {
        self.create()?;
        Ok(Arc::new(SqliteCatalog::open(&self.catalog_file()).await?))
    }

    /// An engine that signs with the key.
    ///
    /// # Errors
    /// When key or catalogue cannot be opened.
    pub(crate) async fn signing_engine(&self) -> Result<Engine> {
        let (key, successor) = self.key_place().load()?;
        let mut builder = Engine::builder(self.engine_settings()?).catalog(self.catalog().await?);
        if let Some(successor) = successor {
            builder = builder.successor(Arc::new(successor));
        }
        Ok(builder.signer(Arc::new(key)).build())
    }

    /// An engine that signs where there is a key, and does without where there is none.
    ///
    /// # Errors
    /// When key or catalogue cannot be opened.
    pub(crate) async fn engine(&self) -> Result<Engine> {
        match self.key() {
            Ok(_) => self.signing_engine().await,
            Err(error) if error.code() == Code::KeyMissing => {
                Ok(Engine::builder(self.engine_settings()?).catalog(self.catalog().await?).build())
            }
            Err(error) => Err(error),
        }
    }

    /// A DSN, with what libpq would take from the environment.
    ///
    /// # Errors
    /// `dsn-invalid`.
    pub(crate) fn dsn(&self, text: &str) -> Result<Dsn> {
        Dsn::parse(text)?.with_environment(self.environment.all())
    }

    /// The DSN in an environment variable.
    ///
    /// # Errors
    /// `argument-invalid` when the variable is not set; `dsn-invalid`.
    pub(crate) fn dsn_in(&self, variable: &str) -> Result<Dsn> {
        let text = self.environment.text(variable)?.ok_or_else(|| {
            let message = format!("environment variable with the DSN is not set name={variable}");
            Error::new(Code::ArgumentInvalid, message)
        })?;
        self.dsn(&text)
    }

    /// The DSN given with a command: itself, or the variable that holds it. A password that every user of the machine
    /// can read is warned of.
    ///
    /// # Errors
    /// As [`dsn`](Self::dsn) and [`dsn_in`](Self::dsn_in); `argument-invalid` when neither is given.
    pub(crate) fn dsn_given(
        &self,
        flag: &str,
        dsn: Option<&str>,
        variable: Option<&str>,
        output: Output,
    ) -> Result<Dsn> {
        match (dsn, variable) {
            (Some(text), _) => {
                if Dsn::parse(text)?.password().is_some() {
                    output.note(format_args!(
                        "warning: other users of this machine can read a password given with {flag}; {flag}-env or \
                         PGPASSWORD keep it from them"
                    ));
                }
                self.dsn(text)
            }
            (None, Some(variable)) => self.dsn_in(variable),
            (None, None) => Err(Error::new(Code::ArgumentInvalid, format!("give {flag} or {flag}-env"))),
        }
    }

    /// How to reach a configured source.
    ///
    /// # Errors
    /// `dsn-invalid`; `argument-invalid` when the named variable is not set; `file-failed` when the password file
    /// cannot be read.
    pub(crate) fn source(&self, database: &DatabaseSettings) -> Result<Dsn> {
        let dsn = match &database.source {
            SourceSettings::Dsn(dsn) => self.dsn(dsn.expose())?,
            SourceSettings::Environment(variable) => self.dsn_in(variable)?,
        };
        match &database.password_file {
            Some(path) => Ok(dsn.with_password(password_in(&self.dir.join(path))?)),
            None => Ok(dsn),
        }
    }

    /// Opens a destination with the credentials that its provider's own tools would read from the environment. A folder
    /// that does not exist is a mistyped one, or its disk is not mounted.
    ///
    /// # Errors
    /// As [`Location::parse`] and [`storage::open`].
    pub(crate) async fn destination(&self, url: &str) -> Result<Arc<dyn Storage>> {
        self.open_destination(&Location::parse(url)?, Options::default()).await
    }

    /// Opens the destination that a database's backups are to go to. A folder that does not exist is made for the first
    /// of them only: later, what was copied there is on a disk that is not mounted.
    ///
    /// # Errors
    /// As [`destination`](Self::destination); the catalogue's.
    pub(crate) async fn backup_destination(
        &self,
        database: &DatabaseId,
        url: &str,
        patience: Patience,
    ) -> Result<Arc<dyn Storage>> {
        let location = Location::parse(url)?;
        let mut options = Options::default().with_patience(patience);
        if let Some(folder) = location.folder().filter(|folder| !folder.exists()) {
            let subject = Subject { org_id: self.org.clone(), database_id: Some(database.clone()) };
            let chain = self.catalog().await?.chain(&subject).await?;
            if let Some(copied) = chain.map(|chain| chain.mirrored_through).filter(|rows| *rows > 0) {
                let message = format!(
                    "the destination's folder is not there, though {copied} rows of the audit chain were copied to the \
                     destination before; is its disk mounted? path={}",
                    folder.display()
                );
                return Err(Error::new(Code::StorageMissing, message));
            }
            options = options.with_new_folder();
        }
        self.open_destination(&location, options).await
    }

    async fn open_destination(&self, location: &Location, options: Options) -> Result<Arc<dyn Storage>> {
        if location.scheme() == Scheme::Memory {
            let message = "a destination in memory is gone with this command destination=memory://";
            return Err(Error::new(Code::DestinationInvalid, message));
        }
        let options = options.with_environment(location, |name| self.environment.text(name))?;
        storage::open(location, &options, Arc::new(SystemRandom)).await
    }

    /// The PostgreSQL client programs of this machine.
    pub(crate) async fn clients(&self) -> ClientSet {
        let path = self.environment.value("PATH").cloned();
        ClientSet::find(&ClientSearch::new(self.client_dirs(), path)).await
    }

    fn engine_settings(&self) -> Result<Settings> {
        let spool = self.spool_dir();
        fs::create_dir_all(&spool).map_err(|error| {
            Error::new(Code::FileFailed, format!("spool folder cannot be made path={}", spool.display()))
                .with_source(error)
        })?;
        Ok(Settings::new(self.org.clone(), Settings::worker_of("cli", &SystemRandom), spool))
    }
}

/// What to dump, in the engine's words.
///
/// # Errors
/// `argument-invalid` when the compression has no meaning.
pub(crate) fn dump_options(dump: &DumpSettings) -> Result<DumpOptions> {
    let mut options = DumpOptions::default();
    if let Some(text) = &dump.compression {
        options.compression = Some(text.parse()?);
    }
    options.no_owner = dump.no_owner;
    options.no_privileges = dump.no_privileges;
    options.schemas.clone_from(&dump.schemas);
    options.exclude_schemas.clone_from(&dump.exclude_schemas);
    options.tables.clone_from(&dump.tables);
    options.exclude_tables.clone_from(&dump.exclude_tables);
    options.exclude_table_data.clone_from(&dump.exclude_table_data);
    options.lock_timeout_seconds = dump.lock_timeout_seconds;
    Ok(options)
}

/// As with libpq's own password file, others who may read it are warned of. It is read all the same: containers hand
/// secrets out in files that anyone inside may read.
fn password_in(path: &Path) -> Result<Secret> {
    if fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %path.display(), "others may read the password file (chmod 600)");
    }
    let text = fs::read_to_string(path).map_err(|error| {
        Error::new(Code::FileFailed, format!("password file cannot be read path={}", path.display()))
            .with_source(error)
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}
