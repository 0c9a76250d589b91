//! The home folder: where settings, key and catalogue lie, and which environment variables come before them.

mod backups;
mod open;

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use walwarden_core::verify::{DatabaseId, OrgId};
use walwarden_core::{Code, Error, Result};

use crate::environment::Environment;
use crate::settings::{self, DatabaseSettings, SettingsFile};

pub(crate) use backups::{backup_place, trusted_keys};
pub(crate) use open::dump_options;

/// A home folder, which need not exist, and the settings in force.
#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    environment: Environment,
    settings: SettingsFile,
    org: OrgId,
}

impl Home {
    /// Reads the settings in `dir`, or in the platform's data directory. Nothing is created.
    ///
    /// # Errors
    /// `settings-invalid` when the file or a variable cannot be understood.
    pub(crate) fn open(dir: Option<&Path>, environment: Environment) -> Result<Self> {
        let dir = match dir {
            Some(dir) => std::path::absolute(dir).map_err(|error| {
                Error::new(Code::FileFailed, format!("home folder is no path path={}", dir.display()))
                    .with_source(error)
            })?,
            None => data_dir()?.join("walwarden"),
        };
        let settings = match settings::load(&dir.join(settings::FILE_NAME))? {
            Some(text) => settings::parse(&text)?,
            None => SettingsFile::default(),
        };
        let org = match environment.text("WALWARDEN_ORG")? {
            Some(text) => text.parse().map_err(|error| {
                Error::new(Code::SettingsInvalid, format!("WALWARDEN_ORG is no organisation id: {error}"))
            })?,
            None => settings.org.clone().unwrap_or_else(default_org),
        };
        Ok(Home { dir, environment, settings, org })
    }

    /// What is wrong where other users can read passwords in the settings file.
    pub(crate) fn exposed_password(&self) -> Option<String> {
        let path = self.settings_file();
        let readable = fs::metadata(&path).is_ok_and(|file| readable_by_others(&file));
        (readable && self.settings.holds_password())
            .then(|| format!("other users can read the passwords in {0}; run chmod 600 {0}", path.display()))
    }

    /// Makes the folder for its owner only, unless it exists.
    ///
    /// # Errors
    /// `file-failed` when it cannot be made.
    pub(crate) fn create(&self) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir).map_err(|error| {
            Error::new(Code::FileFailed, format!("home folder cannot be made path={}", self.dir.display()))
                .with_source(error)
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.dir.join(settings::FILE_NAME)
    }

    pub(crate) fn catalog_file(&self) -> PathBuf {
        self.dir.join("catalog.sqlite")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        let given = self.environment.path("WALWARDEN_KEY_FILE").or_else(|| self.settings.key_file.clone());
        self.dir.join(given.unwrap_or_else(|| PathBuf::from("signing-key.pem")))
    }

    pub(crate) fn spool_dir(&self) -> PathBuf {
        let given = self.environment.path("WALWARDEN_SPOOL_DIR").or_else(|| self.settings.spool_dir.clone());
        self.dir.join(given.unwrap_or_else(|| PathBuf::from("spool")))
    }

    /// Folders of PostgreSQL programs to try before `PATH` and the usual ones.
    pub(crate) fn client_dirs(&self) -> Vec<PathBuf> {
        self.environment.paths("WALWARDEN_CLIENT_DIRS").unwrap_or_else(|| self.settings.client_dirs.clone())
    }

    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }

    pub(crate) fn databases(&self) -> &[DatabaseSettings] {
        &self.settings.databases
    }

    /// The configured database of that name.
    ///
    /// # Errors
    /// `database-unknown` when there is none.
    pub(crate) fn database(&self, name: &DatabaseId) -> Result<&DatabaseSettings> {
        self.settings.databases.iter().find(|database| database.name == *name).ok_or_else(|| {
            Error::new(Code::DatabaseUnknown, format!("no database of that name is configured name={name}"))
        })
    }
}

#[cfg(unix)]
fn readable_by_others(file: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o044 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_file: &fs::Metadata) -> bool {
    false
}

fn default_org() -> OrgId {
    "local".parse().expect("`local` is a well-formed id")
}

fn data_dir() -> Result<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|error| {
        Error::new(
            Code::SettingsInvalid,
            "no home folder: neither --home nor WALWARDEN_HOME is given, and the user has none",
        )
        .with_source(error)
    })?;
    Ok(strategy.data_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(settings: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Result<Home>) {
        let folder = tempfile::tempdir().unwrap();
        settings::store(&folder.path().join(settings::FILE_NAME), settings).unwrap();
        let home = Home::open(Some(folder.path()), Environment::of(variables));
        (folder, home)
    }

    #[test]
    fn an_absent_home_has_defaults_and_is_not_created() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("none");
        let home = Home::open(Some(&dir), Environment::of(&[])).unwrap();
        assert_eq!(home.org().as_str(), "local");
        assert_eq!(home.key_file(), dir.join("signing-key.pem"));
        assert!(!dir.exists());
    }

    #[test]
    fn variables_come_before_the_file() {
        let file = "org = \"acme\"\nkey_file = \"a.pem\"\nclient_dirs = [\"/x\"]\nspool_dir = \"/y\"\n";
        let variables = [
            ("WALWARDEN_ORG", "other"),
            ("WALWARDEN_KEY_FILE", "/keys/b.pem"),
            ("WALWARDEN_CLIENT_DIRS", "/p:/q"),
            ("WALWARDEN_SPOOL_DIR", ""),
        ];
        let (_folder, home) = home(file, &variables);
        let home = home.unwrap();
        assert_eq!(home.org().as_str(), "other");
        assert_eq!(home.key_file(), Path::new("/keys/b.pem"));
        assert_eq!(home.client_dirs(), [Path::new("/p"), Path::new("/q")]);
        assert_eq!(home.spool_dir(), Path::new("/y"));
    }

    #[test]
    fn the_file_comes_before_the_defaults() {
        let (folder, home) = home("org = \"acme\"\nkey_file = \"a.pem\"\n", &[]);
        let home = home.unwrap();
        assert_eq!(home.org().as_str(), "acme");
        assert_eq!(home.key_file(), folder.path().join("a.pem"));
    }

    #[test]
    fn a_variable_of_the_wrong_form_is_refused() {
        let (_folder, home) = home("", &[("WALWARDEN_ORG", "No Spaces")]);
        assert_eq!(home.unwrap_err().code(), Code::SettingsInvalid);
    }
}
