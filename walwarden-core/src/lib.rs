//! Backups of Postgres that anyone can prove.
//!
//! [`Engine`] is the way in: give it [`Settings`] and components, then back up, restore or export evidence.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use walwarden_core::backup::{BackupRequest, BackupRunner};
//! use walwarden_core::catalog::SqliteCatalog;
//! use walwarden_core::clock::SystemRandom;
//! use walwarden_core::manifest::FileKey;
//! use walwarden_core::source::{ClientSearch, ClientSet, Dsn};
//! use walwarden_core::storage::LocalStorage;
//! use walwarden_core::watch::Unwatched;
//! use walwarden_core::{Engine, Settings};
//!
//! # async fn back_up() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder(Settings::new("acme".parse()?, "worker-1", "/var/tmp"))
//!     .catalog(Arc::new(SqliteCatalog::open("/srv/walwarden/catalog.db".as_ref()).await?))
//!     .signer(Arc::new(FileKey::load("/srv/walwarden/key.pem".as_ref())?))
//!     .build();
//!
//! let source = Dsn::parse("postgresql://ada@db.example.org/shop")?;
//! let clients = ClientSet::find(&ClientSearch::new(Vec::new(), None)).await;
//! let storage = LocalStorage::open("/srv/backups", Arc::new(SystemRandom)).await?;
//! let request = BackupRequest::new("shop".parse()?, source, clients, Arc::new(storage));
//!
//! let sealed = engine.backup().run(request, &Unwatched).await?;
//! println!("{}", sealed.manifest_sha256); // what a restore takes
//! # Ok(()) }
//! ```
//!
//! [`backup`](Engine::backup), [`restore`](Engine::restore) and [`evidence`](Engine::evidence) do the work. What
//! they work with comes through doors, traits that you may implement: [`Storage`](storage::Storage),
//! [`Catalog`](catalog::Catalog), [`ManifestSigner`](manifest::ManifestSigner), [`Clock`](clock::Clock).
//! [`verify`] judges the evidence and needs none of this.
//!
//! Each module is a room with one job; `ARCHITECTURE.md` draws the map.

pub mod backup;
pub mod catalog;
pub mod chain;
pub mod clock;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod export;
mod held;
pub mod keys;
pub mod manifest;
pub mod mirror;
pub mod new_file;
pub mod pipeline;
pub mod restore;
pub mod secret;
pub mod source;
pub mod storage;
pub mod watch;
pub mod witness;

pub use engine::{Engine, EngineBuilder, Settings};
pub use error::{Code, Error, Exit, Kind, Result, Retry};
pub use walwarden_verify as verify;

// The README's program compiles, or the documentation tests fail.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
