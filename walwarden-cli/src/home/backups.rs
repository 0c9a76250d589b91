//! Where a backup lies, and who may have signed it.

use std::fs;
use std::path::PathBuf;

use walwarden_core::catalog::{JobKind, JobQuery};
use walwarden_core::engine::Engine;
use walwarden_core::manifest::ManifestSigner as _;
use walwarden_core::storage::Location;
use walwarden_core::verify::Sha256;
use walwarden_core::verify::key::PublicKey;
use walwarden_core::{Code, Error, Result};

use super::Home;
use crate::settings::DatabaseSettings;

/// The keys in the named files, or else the public parts of the own keys: the present one, its successor, former ones.
pub(crate) fn trusted_keys(files: &[PathBuf], home: &Home) -> Result<Vec<PublicKey>> {
    if files.is_empty() {
        let place = home.key_place();
        let (key, successor) = place.load()?;
        let mut keys = vec![*key.public_key()];
        keys.extend(successor.map(|successor| *successor.public_key()));
        keys.extend(place.retired()?);
        return Ok(keys);
    }
    let mut keys = Vec::new();
    for path in files {
        let text = fs::read_to_string(path).map_err(|error| {
            Error::new(Code::FileFailed, format!("public key cannot be read path={}", path.display()))
                .with_source(error)
        })?;
        keys.extend(PublicKey::several_from_pem(&text).map_err(|error| {
            Error::new(Code::KeyInvalid, format!("no Ed25519 public key path={}", path.display()))
                .with_source(error)
        })?);
    }
    Ok(keys)
}

/// Where a backup lies.
pub(crate) struct BackupPlace {
    pub(crate) url: String,
    /// It is where the backups of the database are configured to go.
    pub(crate) is_configured: bool,
}

/// Where the backup lies: as told, or where the database that made it is configured to go.
pub(crate) async fn backup_place(
    from: Option<&str>,
    manifest: Sha256,
    home: &Home,
    engine: &Engine,
) -> Result<BackupPlace> {
    let query = JobQuery::default().kind(JobKind::Backup).manifest(manifest);
    let job = engine.catalog().jobs(query).await?.pop();
    let name = job.and_then(|job| job.subject.database_id);
    let database = name.and_then(|name| home.database(&name).ok());
    match (from, database) {
        (Some(url), database) => {
            let given = Location::parse(url)?;
            let same =
                |database: &DatabaseSettings| Location::parse(&database.destination).ok() == Some(given);
            Ok(BackupPlace { url: url.to_owned(), is_configured: database.is_some_and(same) })
        }
        (None, Some(database)) => Ok(BackupPlace { url: database.destination.clone(), is_configured: true }),
        (None, None) => Err(Error::new(
            Code::ManifestMissing,
            format!(
                "no configured database made this manifest; say where it lies with --from manifest={manifest}"
            ),
        )),
    }
}
