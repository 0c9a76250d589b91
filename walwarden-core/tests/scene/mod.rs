//! What the conductors' tests share: a source server with data, an installation in a folder, and ways to judge it.
#![allow(clippy::unwrap_used, unreachable_pub)] // a test's own module
#![allow(dead_code)] // each test binary uses its own part

pub mod bucket;
pub mod programs;
pub mod record;
pub mod restore;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walwarden_core::backup::{BackupRequest, BackupRunner, SealedBackup};
use walwarden_core::catalog::{Catalog, JobState, SqliteCatalog};
use walwarden_core::clock::{Clock, SystemClock, SystemRandom};
use walwarden_core::export::ExportRequest;
use walwarden_core::manifest::{FileKey, ManifestSigner};
use walwarden_core::restore::{Mode, RestoreRequest};
use walwarden_core::source::{ClientSearch, ClientSet, Dsn};
use walwarden_core::storage::{LocalStorage, Storage};
use walwarden_core::verify::{self, Verifier};
use walwarden_core::watch::{StateChange, Transfer, Unwatched, Watch};
use walwarden_core::{Engine, Result, Settings};
use walwarden_testkit::postgres::{MAJORS, bin_dir};

/// An installation: key, catalogue and destination in one folder.
pub struct Home {
    pub folder: PathBuf,
    pub storage: Arc<dyn Storage>,
    pub catalog: Arc<SqliteCatalog>,
    pub signer: Arc<FileKey>,
    pub engine: Engine,
}

/// What an installation is opened with instead of the usual.
#[derive(Default)]
pub struct Setup {
    pub storage: Option<Arc<dyn Storage>>,
    pub clock: Option<Arc<dyn Clock>>,
    pub worker: Option<String>,
    pub lease: Option<Duration>,
    pub wrap_catalog: Option<WrapCatalog>,
}

pub type WrapCatalog = Box<dyn FnOnce(Arc<dyn Catalog>) -> Arc<dyn Catalog>>;

async fn local(folder: &Path) -> Arc<dyn Storage> {
    Arc::new(LocalStorage::create(folder.join("store"), Arc::new(SystemRandom)).await.unwrap())
}

impl Home {
    /// Opens the installation in `folder`, made when it is not there.
    pub async fn open(folder: &Path) -> Home {
        Home::set_up(folder, Setup::default()).await
    }

    /// The same, with storage and catalogue wrapped before the engine gets them.
    pub async fn open_with(
        folder: &Path,
        wrap_storage: impl FnOnce(Arc<dyn Storage>) -> Arc<dyn Storage>,
        wrap_catalog: impl FnOnce(Arc<dyn Catalog>) -> Arc<dyn Catalog> + 'static,
    ) -> Home {
        let storage = wrap_storage(local(folder).await);
        let setup =
            Setup { storage: Some(storage), wrap_catalog: Some(Box::new(wrap_catalog)), ..Setup::default() };
        Home::set_up(folder, setup).await
    }

    /// Opens the installation with some parts of the caller's.
    pub async fn set_up(folder: &Path, setup: Setup) -> Home {
        let key = folder.join("key.pem");
        if !key.exists() {
            FileKey::generate(&key, &SystemRandom).unwrap();
        }
        let signer = Arc::new(FileKey::load(&key).unwrap());
        let catalog = Arc::new(SqliteCatalog::open(&folder.join("catalog.db")).await.unwrap());
        let storage = match setup.storage {
            Some(storage) => storage,
            None => local(folder).await,
        };
        let worker = setup.worker.unwrap_or_else(|| format!("worker-{}", std::process::id()));
        let mut settings = Settings::new("acme".parse().unwrap(), worker, std::env::temp_dir());
        settings.lease = setup.lease.unwrap_or(Duration::from_millis(600));
        settings.backoff = Duration::from_millis(20);
        let known: Arc<dyn Catalog> = catalog.clone();
        let known = setup.wrap_catalog.map_or(Arc::clone(&known), |wrap| wrap(known));
        let engine = Engine::builder(settings)
            .catalog(known)
            .signer(signer.clone())
            .clock(setup.clock.unwrap_or_else(|| Arc::new(SystemClock)))
            .build();
        Home { folder: folder.to_owned(), storage, catalog, signer, engine }
    }

    pub async fn request(&self, dsn: &str) -> BackupRequest {
        BackupRequest::new(
            "shop".parse().unwrap(),
            Dsn::parse(dsn).unwrap(),
            clients().await,
            Arc::clone(&self.storage),
        )
    }

    /// To restore one of its backups.
    pub async fn restore_request(&self, sealed: &SealedBackup, target: &str, mode: Mode) -> RestoreRequest {
        RestoreRequest::new(
            sealed.manifest_sha256,
            Arc::clone(&self.storage),
            vec![*self.signer.public_key()],
            Dsn::parse(target).unwrap(),
            mode,
            clients().await,
        )
    }

    pub async fn backup(&self, dsn: &str) -> Result<SealedBackup> {
        self.engine.backup().run(self.request(dsn).await, &Unwatched).await
    }

    /// Exports a bundle with dumps and has the verifier judge it; panics unless it reaches level 2.
    pub async fn assert_provable(&self) -> u64 {
        let mut request = ExportRequest::new("shop".parse().unwrap(), Arc::clone(&self.storage));
        request.artifacts = true;
        let (bundle, exported) = self.engine.evidence().export(&request, Vec::new()).await.unwrap();
        let report =
            Verifier::new().with_key(*self.signer.public_key()).verify(std::io::Cursor::new(bundle)).unwrap();
        assert_eq!(report.exit(), verify::Exit::Reached, "{report}");
        assert_eq!(report.artifacts_checked, exported.artifacts);
        exported.manifests
    }

    /// Every file below the destination, as paths relative to it.
    pub fn stored(&self) -> Vec<String> {
        let root = self.folder.join("store");
        let mut found = Vec::new();
        let mut open = vec![root.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// The client programs of every installed major.
pub async fn clients() -> ClientSet {
    let folders: Vec<PathBuf> = MAJORS.iter().map(|major| bin_dir(*major)).collect();
    ClientSet::find(&ClientSearch { dirs: folders, path: None, well_known: false }).await
}

/// Notes what it is told.
#[derive(Debug, Default)]
pub struct Diary {
    pub states: Mutex<Vec<JobState>>,
    pub notices: Mutex<Vec<String>>,
    pub bytes: Mutex<u64>,
}

impl Diary {
    pub fn states(&self) -> Vec<JobState> {
        self.states.lock().unwrap().clone()
    }

    pub fn notices(&self) -> String {
        self.notices.lock().unwrap().join("\n")
    }
}

impl Watch for Diary {
    fn state(&self, change: &StateChange) {
        self.states.lock().unwrap().push(change.state);
    }

    fn transfer(&self, transfer: Transfer) {
        *self.bytes.lock().unwrap() = transfer.done_bytes;
    }

    fn notice(&self, text: &str) {
        self.notices.lock().unwrap().push(text.to_owned());
    }
}

/// A few tables of every common kind.
pub const SHOP: &str = "
    create table customers (id int primary key, name text not null, email text unique);
    insert into customers select i, 'Customer ' || i, 'c' || i || '@example.org' from generate_series(1, 500) i;
    create table orders (id bigserial primary key, customer int references customers, total numeric(12,2), at timestamptz);
    insert into orders (customer, total, at)
      select 1 + i % 500, i * 1.25, timestamptz '2026-01-01' + i * interval '1 minute' from generate_series(1, 2000) i;
    create table pictures (id int primary key, image bytea);
    insert into pictures select i, sha256(i::text::bytea) from generate_series(1, 200) i;
    create view totals as select customer, sum(total) from orders group by 1;
    create index on orders (customer);
";
