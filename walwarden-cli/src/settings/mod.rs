//! The settings file: one TOML file in the home folder, edited so that comments survive.

mod edit;
mod read;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use walwarden_core::secret::Secret;
use walwarden_core::source::Dsn;
use walwarden_core::verify::{DatabaseId, OrgId};
use walwarden_core::{Code, Error, Result};

pub(crate) use edit::{added, removed};
pub(crate) use read::parse;

/// Name of the file in the home folder.
pub(crate) const FILE_NAME: &str = "walwarden.toml";

/// What a fresh settings file says.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");

/// The settings file as understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SettingsFile {
    /// The organisation, `local` unless set.
    pub(crate) org: Option<OrgId>,
    /// The signing key; relative paths start at the home folder.
    pub(crate) key_file: Option<PathBuf>,
    /// Folders of PostgreSQL client programs, tried first.
    pub(crate) client_dirs: Vec<PathBuf>,
    /// Folder for the verified copies of dumps.
    pub(crate) spool_dir: Option<PathBuf>,
    /// The databases, in the file's order.
    pub(crate) databases: Vec<DatabaseSettings>,
}

/// One `[database.<name>]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseSettings {
    pub(crate) name: DatabaseId,
    pub(crate) source: SourceSettings,
    /// File that holds the source's password.
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) destination: String,
    pub(crate) dump: DumpSettings,
}

/// Where the source's DSN comes from.
#[derive(Debug, Clone)]
pub(crate) enum SourceSettings {
    /// It stands in the file.
    Dsn(Secret),
    /// It is in this environment variable.
    Environment(String),
}

/// What to dump and how, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DumpSettings {
    pub(crate) compression: Option<String>,
    pub(crate) schemas: Vec<String>,
    pub(crate) exclude_schemas: Vec<String>,
    pub(crate) tables: Vec<String>,
    pub(crate) exclude_tables: Vec<String>,
    pub(crate) exclude_table_data: Vec<String>,
    pub(crate) no_owner: bool,
    pub(crate) no_privileges: bool,
    pub(crate) lock_timeout_seconds: Option<u32>,
    pub(crate) jobs: Option<u32>,
    pub(crate) globals: bool,
}

impl PartialEq for SourceSettings {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (SourceSettings::Dsn(a), SourceSettings::Dsn(b)) => a.expose() == b.expose(),
            (SourceSettings::Environment(a), SourceSettings::Environment(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for SourceSettings {}

/// The file's text, or none where there is no file.
///
/// # Errors
/// `settings-invalid` when the file cannot be read.
pub(crate) fn load(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(
            Code::SettingsInvalid,
            format!("settings file cannot be read path={}", path.display()),
        )
        .with_source(error)),
    }
}

/// Changes the file: `change` makes the new text of the present one. Whoever else changes it meanwhile waits, so that no
/// change is lost.
///
/// # Errors
/// What `change` returns; `settings-invalid` or `file-failed` when the file cannot be read or written.
pub(crate) fn change(path: &Path, change: impl FnOnce(Option<String>) -> Result<String>) -> Result<()> {
    // A file of its own: the settings file itself is replaced, and a lock on it would go with it.
    let lock_path = path.with_extension("lock");
    let locked = fs::File::options().create(true).truncate(false).write(true).open(&lock_path);
    let _until_the_end = locked.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| {
        Error::new(Code::FileFailed, format!("settings cannot be locked path={}", lock_path.display()))
            .with_source(error)
    })?;
    store(path, &change(load(path)?)?)
}

/// Replaces the file in one step; only its owner may read it, because DSNs may hold passwords. A symbolic link stays one.
///
/// # Errors
/// `file-failed` when the file cannot be written.
pub(crate) fn store(path: &Path, text: &str) -> Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let written = (|| {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    })();
    written.map_err(|error| {
        Error::new(Code::FileFailed, format!("settings file cannot be written path={}", path.display()))
            .with_source(error)
    })
}

impl SettingsFile {
    /// Whether a password stands in the file.
    pub(crate) fn holds_password(&self) -> bool {
        self.databases.iter().any(|database| match &database.source {
            SourceSettings::Dsn(dsn) => Dsn::parse(dsn.expose()).is_ok_and(|dsn| dsn.password().is_some()),
            SourceSettings::Environment(_) => false,
        })
    }
}

impl From<crate::arguments::DumpArguments> for DumpSettings {
    fn from(given: crate::arguments::DumpArguments) -> Self {
        DumpSettings {
            compression: given.compression,
            schemas: given.schemas,
            exclude_schemas: given.exclude_schemas,
            tables: given.tables,
            exclude_tables: given.exclude_tables,
            exclude_table_data: given.exclude_table_data,
            no_owner: given.no_owner,
            no_privileges: given.no_privileges,
            lock_timeout_seconds: given.lock_timeout,
            jobs: given.jobs,
            globals: given.globals,
        }
    }
}

impl DumpSettings {
    /// These settings, with what `given` says coming first.
    pub(crate) fn overridden_by(&self, given: DumpSettings) -> DumpSettings {
        let list = |given: Vec<String>, own: &Vec<String>| if given.is_empty() { own.clone() } else { given };
        DumpSettings {
            compression: given.compression.or_else(|| self.compression.clone()),
            schemas: list(given.schemas, &self.schemas),
            exclude_schemas: list(given.exclude_schemas, &self.exclude_schemas),
            tables: list(given.tables, &self.tables),
            exclude_tables: list(given.exclude_tables, &self.exclude_tables),
            exclude_table_data: list(given.exclude_table_data, &self.exclude_table_data),
            no_owner: given.no_owner || self.no_owner,
            no_privileges: given.no_privileges || self.no_privileges,
            lock_timeout_seconds: given.lock_timeout_seconds.or(self.lock_timeout_seconds),
            jobs: given.jobs.or(self.jobs),
            globals: given.globals || self.globals,
        }
    }
}
