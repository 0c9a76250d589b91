use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::{ChainId, JobId, layout};

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn public_key() -> PublicKey {
    PublicKey::from_bytes(signing_key().verifying_key().as_bytes()).unwrap()
}

fn body() -> ManifestBody {
    let (org_id, database_id) = ("acme".parse().unwrap(), "shop".parse().unwrap());
    let job_id = JobId::from_parts(1_795_226_789_123, [9; 10]);
    let at = "2026-11-21T02:06:29.123Z".parse().unwrap();
    ManifestBody {
        artifact_key: layout::artifact_key(&org_id, &database_id, at, job_id, false),
        org_id,
        database_id,
        job_id,
        database_name: "shop".to_owned(),
        queued_at: at,
        started_at: at,
        finished_at: at,
        server_version: "17.11".to_owned(),
        dump_version: "17.11".to_owned(),
        snapshot_lsn: None,
        size_bytes: 5,
        checksum_sha256: Sha256::of(b"bytes"),
        compression: Compression::Gzip,
        encryption: None,
        index: None,
        globals: None,
        content_root: None,
        audit_anchor: AuditAnchor {
            chain_id: ChainId::from_parts(0, [1; 10]),
            seq: 5,
            hash: Sha256::of(b""),
        },
        signer: public_key().key_id(),
    }
}

fn seal(body: ManifestBody) -> Manifest {
    body.sign_with(|message| Signature::from_bytes(signing_key().sign(message).to_bytes())).unwrap()
}

#[test]
fn a_sealed_manifest_is_read_back_and_verified() {
    let manifest = seal(body());
    let read = Manifest::parse(manifest.as_bytes()).unwrap();
    assert_eq!(read, manifest);
    assert_eq!(read.hash(), Sha256::of(manifest.as_bytes()));
    assert!(read.verify(&public_key()).is_ok());
}

#[test]
fn a_changed_byte_breaks_form_or_signature() {
    let manifest = seal(body());
    for at in 0..manifest.as_bytes().len() {
        let mut bytes = manifest.as_bytes().to_vec();
        bytes[at] ^= 1;
        let verified = Manifest::parse(&bytes).ok().is_some_and(|m| m.verify(&public_key()).is_ok());
        assert!(!verified, "byte {at}");
    }
}

#[test]
fn contradictions_are_told_by_their_rule() {
    type Change = fn(&mut ManifestBody);
    let cases: [(Reason, Change); 4] = [
        (Reason::ManifestTimes, |body| body.finished_at = crate::Timestamp::MIN),
        (Reason::ManifestLayout, |body| body.artifact_key.push_str(".age")),
        (Reason::ManifestLayout, |body| body.org_id = "other".parse().unwrap()),
        (Reason::ManifestContentRoot, |body| body.content_root = Some(Sha256::of(b""))),
    ];
    for (reason, change) in cases {
        let mut body = body();
        change(&mut body);
        assert_eq!(seal(body).verify(&public_key()).unwrap_err().reason, reason);
    }
}

#[test]
fn text_outside_the_writing_profile_is_not_signed() {
    let mut body = body();
    body.database_name = "del\u{7f}".to_owned();
    assert!(body.sign_with(|_| panic!("must not be asked to sign")).is_err());
}
