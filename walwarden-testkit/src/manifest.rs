//! The suite for [`ManifestSigner`].

use walwarden_core::manifest::{ManifestSigner, seal};
use walwarden_core::verify::key::PublicKey;
use walwarden_core::verify::manifest::{AuditAnchor, Compression, ManifestBody};
use walwarden_core::verify::{Head, Manifest, Sha256, layout};

/// Checks an implementation of [`ManifestSigner`] against its contract.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use walwarden_core::manifest::MemoryKey;
///
/// walwarden_testkit::manifest::suite(&MemoryKey::from_seed(&std::array::from_fn(|at| at as u8)).unwrap()).await;
/// # });
/// ```
///
/// # Panics
///
/// When the implementation breaks the contract; the message says which part.
pub async fn suite(signer: &dyn ManifestSigner) {
    signs_the_bytes_as_they_are(signer).await;
    names_its_key_truthfully(signer).await;
    seals_manifests(signer).await;
    shows_its_key_id_and_no_more(signer);
}

async fn signs_the_bytes_as_they_are(signer: &dyn ManifestSigner) {
    let key = signer.public_key();
    for message in [b"".as_slice(), b"statement", &[0xff; 5_000]] {
        let signature = signer.sign(message).await.expect("a signer signs");
        key.verify(message, &signature).expect("the signature is over the bytes as given");
        let longer = [message, b"\n"].concat();
        key.verify(&longer, &signature).expect_err("the signature is over these bytes alone");
    }
}

async fn names_its_key_truthfully(signer: &dyn ManifestSigner) {
    let named = signer.public_key();
    let read = PublicKey::from_pem(&named.to_pem()).expect("a public key survives its PEM form");
    assert_eq!(read, *named, "a public key survives its PEM form");
    assert_eq!(signer.public_key(), named, "a signer has one key");
}

async fn seals_manifests(signer: &dyn ManifestSigner) {
    let manifest = seal(body(signer), signer).await.expect("a sound body can be sealed");
    let read = Manifest::parse(manifest.as_bytes()).expect("a sealed manifest can be read");
    assert_eq!(read.hash(), Sha256::of(manifest.as_bytes()), "its hash is that of its bytes");
    assert_eq!(read.body().signer, signer.public_key().key_id(), "it names the key that signed it");
    read.verify(signer.public_key()).expect("a sealed manifest verifies");
}

fn shows_its_key_id_and_no_more(signer: &dyn ManifestSigner) {
    let shown = format!("{signer:?}");
    assert!(shown.contains(&signer.public_key().key_id().to_string()), "Debug names the key: {shown}");
    assert!(shown.len() < 150, "Debug names the key and no more: {shown}");
}

/// A manifest's body without contradictions, for tests.
pub fn body(signer: &dyn ManifestSigner) -> ManifestBody {
    let (org_id, database_id) = ("acme".parse().expect("an id"), "shop".parse().expect("an id"));
    let job_id = "019a9f3c-2b10-7c3d-8e4f-5a6b7c8d9e0f".parse().expect("a UUIDv7");
    let at = |second| format!("2026-11-21T02:06:{second:02}.000Z").parse().expect("a time");
    let artifact_key = layout::artifact_key(&org_id, &database_id, at(1), job_id, false);
    let chain_id = "019a9f3c-2b10-7c3d-8e4f-5a6b7c8d9e10".parse().expect("a UUIDv7");
    ManifestBody {
        org_id,
        database_id,
        job_id,
        database_name: "shop".to_owned(),
        queued_at: at(1),
        started_at: at(2),
        finished_at: at(3),
        server_version: "17.11".to_owned(),
        dump_version: "17.11".to_owned(),
        snapshot_lsn: None,
        artifact_key,
        size_bytes: 0,
        checksum_sha256: Sha256::of(b""),
        compression: Compression::None,
        encryption: None,
        index: None,
        globals: None,
        content_root: None,
        audit_anchor: AuditAnchor { chain_id, seq: 4, hash: Head::START.hash },
        signer: signer.public_key().key_id(),
    }
}
