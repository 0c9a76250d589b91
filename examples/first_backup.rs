//! Backs a database up into a folder and prints the hash of the signed manifest, the handle that a restore takes:
//! `cargo run -p walwarden-examples --bin first_backup -- postgresql://ada@localhost/shop backups`
//!
//! The password comes from `PGPASSWORD`, so that no other user of the machine can read it in the list of processes.
#![allow(clippy::print_stdout, reason = "the hash is the result")]

use std::sync::Arc;
use std::{env, error::Error, fs, path};

use walwarden_core::backup::{BackupRequest, BackupRunner};
use walwarden_core::catalog::SqliteCatalog;
use walwarden_core::clock::SystemRandom;
use walwarden_core::manifest::FileKey;
use walwarden_core::source::{ClientSearch, ClientSet, Dsn};
use walwarden_core::storage::LocalStorage;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Engine, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dsn, folder] = arguments.as_slice() else {
        return Err("usage: first_backup <dsn> <folder>".into());
    };
    let source = Dsn::parse(dsn)?.with_environment(env::vars())?;
    let folder = path::absolute(folder)?;
    fs::create_dir_all(&folder)?;

    // The key signs every manifest. Whoever is to trust the backups gets its public half.
    let key = folder.join("key.pem");
    let key = if key.exists() { FileKey::load(&key)? } else { FileKey::generate(&key, &SystemRandom)? };
    let catalog = SqliteCatalog::open(&folder.join("catalog.db")).await?;
    let storage = LocalStorage::create(folder.join("store"), Arc::new(SystemRandom)).await?;

    let settings = Settings::new("acme".parse()?, format!("worker-{}", std::process::id()), env::temp_dir());
    let engine = Engine::builder(settings).catalog(Arc::new(catalog)).signer(Arc::new(key)).build();

    #[allow(clippy::disallowed_methods, reason = "a program may look where pg_dump is; a library may not")]
    let clients = ClientSet::find(&ClientSearch::new(Vec::new(), env::var_os("PATH"))).await;
    let request = BackupRequest::new("shop".parse()?, source, clients, Arc::new(storage));
    let sealed = engine.backup().run(request, &Unwatched).await?;
    println!("{}", sealed.manifest_sha256);
    Ok(())
}
