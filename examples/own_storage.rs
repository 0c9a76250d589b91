//! A storage of one's own: another one does the keeping, this one remembers what was stored, in order.
//! `cargo run -p walwarden-examples --bin own_storage -- postgresql://ada@localhost/shop`
#![allow(clippy::print_stdout, reason = "the names are the result")]

use std::sync::{Arc, Mutex, PoisonError};
use std::{env, error::Error, ops::Range};

use walwarden_core::backup::{BackupRequest, BackupRunner};
use walwarden_core::clock::{Random, SystemRandom};
use walwarden_core::source::{ClientSearch, ClientSet, Dsn};
use walwarden_core::storage::{
    Abilities, Fetched, Listed, MemoryStorage, ObjectName, Storage, Upload, UploadId,
};
use walwarden_core::{Engine, Result, Settings, manifest::MemoryKey, watch::Unwatched};

#[derive(Debug, Default)]
pub(crate) struct Remembering {
    inner: MemoryStorage,
    names: Mutex<Vec<ObjectName>>,
}

#[async_trait::async_trait]
impl Storage for Remembering {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let upload = self.inner.upload(name).await?;
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        Ok(upload)
    }
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        self.inner.get(name, range).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        self.inner.list(prefix).await
    }
    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        self.inner.abandon(name, upload).await
    }
    async fn abilities(&self) -> Result<Abilities> {
        self.inner.abilities().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dsn = env::args().nth(1).ok_or("usage: own_storage <dsn>")?;
    let source = Dsn::parse(&dsn)?.with_environment(env::vars())?;
    let mut seed = [0; 32];
    SystemRandom.fill(&mut seed); // a key for this run only; the catalogue lives in memory too
    let settings = Settings::new("acme".parse()?, "worker-1", env::temp_dir());
    let engine = Engine::builder(settings).signer(Arc::new(MemoryKey::from_seed(&seed)?)).build();
    #[allow(clippy::disallowed_methods, reason = "a program may look where pg_dump is; a library may not")]
    let clients = ClientSet::find(&ClientSearch::new(Vec::new(), env::var_os("PATH"))).await;
    let storage = Arc::new(Remembering::default());
    let request = BackupRequest::new("shop".parse()?, source, clients, storage.clone());
    engine.backup().run(request, &Unwatched).await?;
    let names = storage.names.lock().unwrap_or_else(PoisonError::into_inner);
    names.iter().for_each(|name| println!("{name}"));
    Ok(())
}
