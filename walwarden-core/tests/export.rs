//! Bundles that an export makes are bundles that the verifier takes.
#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use scene::Home;
use scene::bucket::UNCOMPRESSED;
use walwarden_core::backup::BackupRunner;
use walwarden_core::watch::Unwatched;
use walwarden_testkit::postgres::shared;

/// 40 MB of one letter, dumped without compression: gzip makes a thousandth of it, and verifiers stop at a four hundredth.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_compresses_a_thousandfold_makes_a_bundle_that_verifies() {
    let source = shared(17).fresh_database("monotonous").await;
    let sql = "create table blank as select repeat('a', 1000000) from generate_series(1, 40)";
    shared(17).sql(&source, sql).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut request = home.request(&shared(17).dsn(&source)).await;
    request.options.compression = Some(UNCOMPRESSED);
    let sealed = home.engine.backup().run(request, &Unwatched).await.unwrap();
    assert!(sealed.manifest.body().size_bytes > 40_000_000);
    assert_eq!(home.assert_provable().await, 1);
}
