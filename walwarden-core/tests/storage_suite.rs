//! Every storage keeps the contract of `Storage`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use walwarden_core::clock::SystemRandom;
use walwarden_core::storage::{LocalStorage, MemoryStorage, open};
use walwarden_testkit::storage::{Azurite, FaultyStorage, S3Server, suite};

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    suite(async || Arc::new(MemoryStorage::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faulty_storage_keeps_the_contract_while_it_behaves() {
    suite(async || Arc::new(FaultyStorage::new(Arc::new(MemoryStorage::new())))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_folder_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let next = AtomicU32::new(0);
    suite(async || {
        let folder = root.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(LocalStorage::create(folder, Arc::new(SystemRandom)).await.unwrap())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_bucket_keeps_the_contract_and_no_upload_stays_open() {
    let server = S3Server::start().await;
    let next = AtomicU32::new(0);
    suite(async || {
        let location = server.location(&format!("suite/{}", next.fetch_add(1, Ordering::Relaxed)));
        open(&location, &server.options(), Arc::new(SystemRandom)).await.unwrap()
    })
    .await;
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_s3_bucket_without_a_prefix_keeps_the_contract() {
    suite(async || {
        let server = Box::leak(Box::new(S3Server::start().await)); // one fresh bucket each, until the test ends
        open(&server.location(""), &server.options(), Arc::new(SystemRandom)).await.unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_azure_container_keeps_the_contract() {
    let Some(azurite) = Azurite::start().await else { return };
    let next = AtomicU32::new(0);
    suite(async || {
        let location = azurite.location(&format!("suite/{}", next.fetch_add(1, Ordering::Relaxed)));
        open(&location, &azurite.options(), Arc::new(SystemRandom)).await.unwrap()
    })
    .await;
}
