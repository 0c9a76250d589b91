//! The way in: settings and components go into one builder, runners come out.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use walwarden_verify::OrgId;

use crate::backup::BackupConductor;
use crate::catalog::{Catalog, MemoryCatalog};
use crate::chain::{AuditChain, ChainKeys};
use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::error::{Code, Error, Result};
use crate::export::Exporter;
use crate::keys::Keys;
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
    pub attempts: NonZeroU32,
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

    /// A name for a worker that is a process of this program: its process id and a random part, since ids are used again.
    pub fn worker_of(program: &str, random: &dyn Random) -> String {
        let mut part = [0; 4];
        random.fill(&mut part);
        format!("{program}-{}-{:08x}", std::process::id(), u32::from_be_bytes(part))
    }

    /// Settings with the published defaults: 15 s lease, 3 attempts, 2 s back-off, a thread for each core.
    pub fn new(org_id: OrgId, worker: impl Into<String>, spool_dir: impl Into<PathBuf>) -> Self {
        Settings {
            org_id,
            worker: worker.into(),
            lease: Settings::LEASE,
            attempts: const { NonZeroU32::new(3).unwrap() },
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
    pub(crate) successor: Option<Arc<dyn ManifestSigner>>,
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

    /// The signer that has the chain's key at row `seq`: while keys are rotated some chains go on with the old one and some
    /// with the new one.
    pub(crate) async fn signer_at(
        &self,
        chain: &dyn AuditChain,
        seq: u64,
    ) -> Result<&Arc<dyn ManifestSigner>> {
        let signer = self.signer()?;
        let expected = ChainKeys::of(chain).await?.at(seq);
        let mut ours = [Some(signer), self.successor.as_ref()].into_iter().flatten();
        ours.find(|signer| signer.public_key().key_id() == expected).ok_or_else(|| {
            let present = signer.public_key().key_id();
            let message =
                format!("the audit chain goes on with another key expected={expected} present={present}");
            Error::new(Code::KeyOther, message)
        })
    }

    /// The signer that has the key with which the chain goes on.
    pub(crate) async fn signer_of(&self, chain: &dyn AuditChain) -> Result<&Arc<dyn ManifestSigner>> {
        self.signer_at(chain, u64::MAX).await
    }

    pub(crate) fn successor(&self) -> Result<&Arc<dyn ManifestSigner>> {
        self.successor
            .as_ref()
            .ok_or_else(|| Error::new(Code::KeyMissing, "this needs a new key and the engine has none"))
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
        EngineBuilder { settings, catalog: None, signer: None, successor: None, clock: None, random: None }
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

    /// Rotates and revokes keys.
    pub fn keys(&self) -> Keys {
        Keys::new(Arc::clone(&self.parts))
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
    successor: Option<Arc<dyn ManifestSigner>>,
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

    /// Who signs in the place of the signer for chains that were rotated already, and for the others once they are.
    #[must_use]
    pub fn successor(mut self, successor: Arc<dyn ManifestSigner>) -> Self {
        self.successor = Some(successor);
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
            parts: Arc::new(Parts {
                settings: self.settings,
                catalog,
                signer: self.signer,
                successor: self.successor,
                clock,
                random,
            }),
        }
    }
}
