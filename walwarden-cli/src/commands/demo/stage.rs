//! What the demo's steps stand on: a server with a shop in it, a home of their own, and one engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use walwarden_core::backup::SealedBackup;
use walwarden_core::clock::SystemRandom;
use walwarden_core::engine::Engine;
use walwarden_core::manifest::{FileKey, ManifestSigner as _};
use walwarden_core::restore::{Mode, RestoreRequest, RestoreSession as _, Restored};
use walwarden_core::secret::Secret;
use walwarden_core::source::{Dsn, TableContent, TableName, connect, fingerprint};
use walwarden_core::storage::Location;
use walwarden_core::verify::key::PublicKey;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Error, Result};

use super::cluster::Cluster;
use super::file_failed;
use super::tally::Tally;
use crate::environment::Environment;
use crate::exit::Stop;
use crate::home::Home;
use crate::output::{bytes, elapsed};
use crate::settings::{self, DatabaseSettings, DumpSettings, SourceSettings};

/// The demonstration as far as it has come.
pub(super) struct Demo {
    cluster: Cluster,
    pub(super) home: Home,
    pub(super) engine: Engine,
    pub(super) folder: PathBuf,
    pub(super) public_key: PublicKey,
    pub(super) sealed: Option<SealedBackup>,
}

impl Demo {
    /// Starts a server and fills it with a shop.
    pub(super) async fn start(
        programs: &Path,
        folder: &Path,
        orders: u32,
        environment: &Environment,
        tally: &mut Tally,
    ) -> std::result::Result<Self, Stop> {
        tally.step("A Postgres with a shop in it")?;
        tally.say(format_args!("programs from {}, files in {}", programs.display(), folder.display()))?;
        let began = Instant::now();
        let cluster = Cluster::start(programs).await?;
        let version = cluster.psql("postgres", "SHOW server_version", &[]).await?;
        let runs_as = cluster.account().name().map(|name| format!(", as user {name}")).unwrap_or_default();
        tally.say(format_args!(
            "Postgres {} on 127.0.0.1:{}{runs_as}, started in {}",
            version.split_whitespace().next().unwrap_or("?"),
            cluster.port(),
            elapsed(began.elapsed())
        ))?;
        let began = Instant::now();
        cluster.psql("postgres", "CREATE DATABASE shop", &[]).await?;
        cluster.psql(DATABASE, include_str!("shop.sql"), &[("orders", orders.to_string())]).await?;
        let size = cluster.psql(DATABASE, "SELECT pg_database_size('shop')", &[]).await?;
        tally.say(format_args!(
            "filled with customers, products, pictures, orders (partitioned), items and events: {} in {}",
            size.trim().parse().map_or_else(|_| size.clone(), bytes),
            elapsed(began.elapsed())
        ))?;

        let home = home(folder, programs, environment, &cluster)?;
        let key = FileKey::generate(&home.key_file(), &SystemRandom)?;
        let public_key = *key.public_key();
        let public_file = folder.join(PUBLIC_KEY);
        fs::write(&public_file, public_key.to_pem()).map_err(file_failed(&public_file))?;
        fs::create_dir(folder.join(BACKUPS)).map_err(file_failed(folder))?;
        let engine = home.signing_engine().await?;
        Ok(Demo { cluster, home, engine, folder: folder.to_owned(), public_key, sealed: None })
    }

    /// A restore out of one of the demo's folders: into `postgres` as maintenance database, or into the database itself.
    pub(super) async fn request(&self, folder: &str, database: &str, mode: Mode) -> Result<RestoreRequest> {
        let from = self.home.destination(&self.url(folder)).await?;
        let keys = vec![self.public_key];
        let target = self.dsn(database)?;
        let clients = self.home.clients().await;
        let manifest = self.sealed()?.manifest_sha256;
        let mut request = RestoreRequest::new(manifest, from, keys, target, mode, clients);
        request.from_destination = folder == BACKUPS;
        Ok(request)
    }

    pub(super) async fn carry_out(&self, request: RestoreRequest) -> Result<Restored> {
        let plan = self.engine.restore().plan(request).await?;
        self.engine.restore().apply(plan, &Unwatched).await
    }

    pub(super) async fn contents(&self, database: &str) -> Result<BTreeMap<TableName, TableContent>> {
        let dsn = self.dsn(database)?;
        fingerprint(&mut connect(&dsn).await?, &dsn).await
    }

    pub(super) fn sealed(&self) -> Result<&SealedBackup> {
        self.sealed.as_ref().ok_or_else(|| Error::new(Code::Internal, "the demo has no backup yet"))
    }

    pub(super) fn dsn(&self, database: &str) -> Result<Dsn> {
        self.home.dsn(&self.cluster.dsn(database))
    }

    pub(super) fn url(&self, folder: &str) -> String {
        self.folder.join(folder).display().to_string()
    }

    pub(super) fn stored(&self, folder: &str, key: &str) -> PathBuf {
        self.folder.join(folder).join(key)
    }
}

/// A home of the demo's own, in which the shop is configured, so that every command can be tried on it afterwards.
fn home(folder: &Path, programs: &Path, environment: &Environment, cluster: &Cluster) -> Result<Home> {
    let dir = folder.join("home");
    let first = Home::open(Some(&dir), environment.only(&[]))?;
    first.create()?;
    let shop = DatabaseSettings {
        name: DATABASE.parse().expect("`shop` is a well-formed id"),
        source: SourceSettings::Dsn(Secret::new(format!(
            "postgres://postgres@127.0.0.1:{}/{DATABASE}",
            cluster.port()
        ))),
        password_file: None,
        destination: Location::parse(&folder.join(BACKUPS).display().to_string())?.to_string(),
        dump: DumpSettings::default(),
    };
    let mut text = toml_edit::DocumentMut::new();
    text["client_dirs"] = toml_edit::value(toml_edit::Array::from_iter([programs.display().to_string()]));
    settings::store(&first.settings_file(), &settings::added(&text.to_string(), &shop)?)?;
    Home::open(Some(&dir), environment.only(&["PATH", "HOME"]))
}

pub(super) const DATABASE: &str = "shop";
pub(super) const RESTORED: &str = "shop_restored";
pub(super) const BACKUPS: &str = "backups";
pub(super) const DAMAGED: &str = "damaged-copy";
pub(super) const PUBLIC_KEY: &str = "public-key.pem";
pub(super) const BUNDLE: &str = "shop.evidence.tgz";
