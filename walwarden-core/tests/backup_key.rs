//! Keys that must not sign: refused before anything is dumped or recorded.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use scene::programs::Program;
use scene::{Home, SHOP};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::MemoryCatalog;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Engine, Exit, Settings};
use walwarden_testkit::postgres::shared;

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_other_than_the_chains_is_refused_before_anything_is_dumped() {
    let source = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    let (rows, listed) = (home.rows().await, home.listed().await);
    drop(home);

    std::fs::rename(folder.path().join("key.pem"), folder.path().join("right.pem")).unwrap();
    let home = Home::open(folder.path()).await; // makes another key
    let program = Program::new("touch \"$HERE/ran\"; exec \"$REAL\" \"$@\"");
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::KeyOther, Exit::UserError), "{error:?}");
    assert!(error.message().contains("expected=sha256:") && error.message().contains("present=sha256:"));
    assert!(!program.file("ran").exists());
    assert_eq!(home.rows().await, rows, "nothing is recorded");
    assert_eq!(home.listed().await, listed, "nothing is stored");
    drop(home);

    std::fs::rename(folder.path().join("right.pem"), folder.path().join("key.pem")).unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 2);
    assert_eq!(home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let settings = Settings::new("acme".parse().unwrap(), "keyless", std::env::temp_dir());
    let engine = Engine::builder(settings).catalog(std::sync::Arc::new(MemoryCatalog::new())).build();
    let request = home.request(&shop().await).await;
    let error = engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::KeyMissing, Exit::UserError));
    assert_eq!(home.listed().await, Vec::<String>::new());
}
