//! The way in: settings and components go into one builder, runners come out.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use walwarden_verify::OrgId;

use crate::backup::BackupConductor;
use crate::catalog::{Catalog, MemoryCatalog};
use crate::chain::AuditChain;
use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::error::{Code, Error, Result};
use crate::export::Exporter;
use crate::manifest::ManifestSigner;
use crate::mirror::Rebuilder;
use crate::restore::RestoreConductor;

/// How an engine works: plain data that can be stored, shown and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The organisation whose backups these are.
    pub org_id: OrgId,
    /// Name of this worker, unique for each process.
    pub worker: String,
    /// How long a claim on a job lasts unless renewed; a worker that died is taken over after this.
    pub lease: Duration,
    /// How often a backup is tried before it fails for good.
    pub attempts: u32,
    /// Pause after the first failed attempt; doubles with each further one.
    pub backoff: Duration,
    /// Folder for temporary files, which must hold the largest dump to be restored.
    pub spool_dir: PathBuf,
    /// Threads that compress.
    pub threads: NonZeroUsize,
}

impl Settings {
    /// How long a claim lasts unless set otherwise.
    pub const LEASE: Duration = Duration::from_secs(15);

    /// Settings with the published defaults: 15 s lease, 3 attempts, 2 s back-off, a thread for each core.
    pub fn new(org_id: OrgId, worker: impl Into<String>, spool_dir: impl Into<PathBuf>) -> Self {
        Settings {
            org_id,
            worker: worker.into(),
            lease: Settings::LEASE,
            attempts: 3,
            backoff: Duration::from_secs(2),
            spool_dir: spool_dir.into(),
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// What every conductor works with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) signer: Option<Arc<dyn ManifestSigner>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Parts {
    /// A random number for a name.
    pub(crate) fn random_number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// Random bytes for an id.
    pub(crate) fn random_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        bytes
    }

    /// The signer, if its key is the one that the chain goes on with.
    pub(crate) async fn signer_of(&self, chain: &dyn AuditChain) -> Result<&Arc<dyn ManifestSigner>> {
        let signer = self.signer()?;
        let present = signer.public_key().key_id();
        let first = chain.rows(1, 1).await?;
        let begun_with = first.first().and_then(|row| row.payload.get("keyId")?.as_str()).unwrap_or("none");
        if begun_with == present.to_string() {
            return Ok(signer);
        }
        let message =
            format!("the audit chain goes on with another key expected={begun_with} present={present}");
        Err(Error::new(Code::KeyOther, message))
    }

    pub(crate) fn signer(&self) -> Result<&Arc<dyn ManifestSigner>> {
        self.signer
            .as_ref()
            .ok_or_else(|| Error::new(Code::KeyMissing, "this needs a signing key and the engine has none"))
    }
}

/// Backs up, restores and exports evidence; cheap to clone, safe to share.
#[derive(Debug, Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

impl Engine {
    /// Starts from settings; everything else has a default.
    pub fn builder(settings: Settings) -> EngineBuilder {
        EngineBuilder { settings, catalog: None, signer: None, clock: None, random: None }
    }

    /// Runs backups.
    pub fn backup(&self) -> BackupConductor {
        BackupConductor::new(Arc::clone(&self.parts))
    }

    /// Plans and applies restores.
    pub fn restore(&self) -> RestoreConductor {
        RestoreConductor::new(Arc::clone(&self.parts))
    }

    /// Makes evidence bundles.
    pub fn evidence(&self) -> Exporter {
        Exporter::new(Arc::clone(&self.parts))
    }

    /// Rebuilds the catalogue from a destination.
    pub fn rebuild(&self) -> Rebuilder {
        Rebuilder::new(Arc::clone(&self.parts))
    }

    /// The catalogue in use.
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.parts.catalog
    }
}

/// Takes the components of an [`Engine`].
#[derive(Debug)]
pub struct EngineBuilder {
    settings: Settings,
    catalog: Option<Arc<dyn Catalog>>,
    signer: Option<Arc<dyn ManifestSigner>>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
}

impl EngineBuilder {
    /// Where jobs and chains are remembered; in memory unless given.
    #[must_use]
    pub fn catalog(mut self, catalog: Arc<dyn Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Who signs manifests and checkpoints; needed for backups, not for restores.
    #[must_use]
    pub fn signer(mut self, signer: Arc<dyn ManifestSigner>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// The clock; the machine's unless given.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The generator of ids; the operating system's unless given.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// The finished engine.
    pub fn build(self) -> Engine {
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let random = self.random.unwrap_or_else(|| Arc::new(SystemRandom));
        let catalog = self.catalog.unwrap_or_else(|| Arc::new(MemoryCatalog::new()));
        Engine {
            parts: Arc::new(Parts { settings: self.settings, catalog, signer: self.signer, clock, random }),
        }
    }
}
