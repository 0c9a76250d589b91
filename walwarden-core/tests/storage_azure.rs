//! What Azure Blob Storage adds to the contract, shown on Azurite.

use std::sync::Arc;

use bytes::Bytes;
use walwarden_core::Code;
use walwarden_core::clock::SystemRandom;
use walwarden_core::secret::Secret;
use walwarden_core::storage::{ObjectName, StorageExt, open};
use walwarden_testkit::storage::Azurite;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_appears_during_a_large_upload_is_not_replaced() {
    let Some(azurite) = Azurite::start().await else { return };
    let storage = open(&azurite.location("a"), &azurite.options(), Arc::new(SystemRandom)).await.unwrap();
    let name = ObjectName::new("big").unwrap();
    let mut ours = storage.upload(&name).await.unwrap();
    for _ in 0..20 {
        ours.write(Bytes::from(vec![1; 1 << 20])).await.unwrap();
    }
    storage.put(&name, "theirs".into()).await.unwrap();
    assert_eq!(ours.finish().await.unwrap_err().code(), Code::ObjectExists);
    assert_eq!(storage.read(&name, 100).await.unwrap(), "theirs");
}

/// To Azurite a name with uncommitted blocks is taken, to Azure it is free; the probe does not vouch for the former.
#[tokio::test(flavor = "multi_thread")]
async fn the_probe_does_not_vouch_for_large_uploads_to_the_emulator() {
    let Some(azurite) = Azurite::start().await else { return };
    let storage = open(&azurite.location("a"), &azurite.options(), Arc::new(SystemRandom)).await.unwrap();
    let abilities = storage.abilities().await.unwrap();
    assert!(!abilities.put_if_absent);
    assert!(abilities.note.unwrap().contains("small objects once"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_denied_and_a_missing_container_is_missing() {
    let Some(azurite) = Azurite::start().await else { return };
    let name = ObjectName::new("object").unwrap();
    let wrong = azurite.options().with_credential("azure_storage_account_key", Secret::new("aHVudGVyMg=="));
    let storage = open(&azurite.location(""), &wrong, Arc::new(SystemRandom)).await.unwrap();
    assert_eq!(storage.get(&name, None).await.unwrap_err().code(), Code::StorageDenied);

    let location = azurite.location_of_container("absent", "");
    let storage = open(&location, &azurite.options(), Arc::new(SystemRandom)).await.unwrap();
    assert_eq!(storage.put(&name, "x".into()).await.unwrap_err().code(), Code::StorageMissing);
    assert_eq!(storage.get(&name, None).await.unwrap_err().code(), Code::StorageMissing);
    assert_eq!(storage.list("").await.unwrap_err().code(), Code::StorageMissing);
}
