//! A sealed backup and what restores of it are judged by.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use walwarden_core::Result;
use walwarden_core::backup::SealedBackup;
use walwarden_core::restore::{Mode, RestoreRequest, RestoreSession, Restored};
use walwarden_core::source::{Dsn, TableContent, TableName, fingerprint};
use walwarden_testkit::postgres::{Postgres, shared};

use super::{Diary, Home, SHOP};

/// A sealed backup of a small shop, and a fresh target database name.
pub struct Scene {
    pub folder: tempfile::TempDir,
    pub home: Home,
    pub source: String,
    pub sealed: SealedBackup,
    pub postgres: &'static Postgres,
}

impl Scene {
    pub async fn new(major: u32) -> Scene {
        Scene::of(major, SHOP).await
    }

    /// The same with another database.
    pub async fn of(major: u32, sql: &str) -> Scene {
        let postgres = shared(major);
        let source = postgres.fresh_database("shop").await;
        postgres.sql(&source, sql).await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let sealed = home.backup(&postgres.dsn(&source)).await.unwrap();
        Scene { folder, home, source, sealed, postgres }
    }

    pub async fn request(&self, target: &str, mode: Mode) -> RestoreRequest {
        self.home.restore_request(&self.sealed, &self.postgres.dsn(target), mode).await
    }

    pub async fn named(&self, name: &str) -> RestoreRequest {
        let mut request = self.request("postgres", Mode::NewDatabase).await;
        request.created_database = Some(name.to_owned());
        request
    }

    pub async fn run(&self, request: RestoreRequest) -> Result<Restored> {
        let plan = self.home.engine.restore().plan(request).await?;
        self.home.engine.restore().apply(plan, &Diary::default()).await
    }

    /// Overwrites a stored file, as someone with access to the folder could.
    pub fn tamper(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.home.folder.join("store").join(key);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        let writable = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, writable).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }

    /// The databases of a server.
    pub async fn databases(server: &Postgres) -> Vec<String> {
        let client = server.connect("postgres").await;
        let rows = client.query("select datname::text from pg_database order by 1", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

pub async fn content(postgres: &Postgres, database: &str) -> BTreeMap<TableName, TableContent> {
    let dsn = Dsn::parse(&postgres.dsn(database)).unwrap();
    fingerprint(&mut postgres.connect(database).await, &dsn).await.unwrap()
}

pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
