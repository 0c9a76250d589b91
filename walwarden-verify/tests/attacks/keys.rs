//! Attacks on keys and signatures.

use std::io::Cursor;

use walwarden_verify::EventKind;
use walwarden_verify::json::{Object, Value};

use crate::support::{Evidence, Key, expect, job};
use crate::{expect_among, manifest_path};

#[test]
fn a10_a_signature_used_again_for_another_purpose() {
    // The manifest's signature on a receipt of the same key, and the reverse.
    let mut evidence = Evidence::begin(Some("shop"));
    let manifest = evidence.backup(job(1), b"PGDMP first artifact", false);
    let path = manifest_path(1);
    let text = String::from_utf8(evidence.files[&path].clone()).unwrap();
    let signature = text.split("\"signature\":\"").nth(1).unwrap().split('"').next().unwrap();
    let stolen = signature.parse().unwrap();
    evidence.drill(job(3), manifest);
    let receipt = evidence.receipt_body(job(3), manifest).seal(stolen).unwrap();
    evidence.rows.pop();
    let payload = Object::from([("receiptSha256", receipt.hash())]);
    evidence.add(Some(job(3)), EventKind::DrillPassed, payload);
    evidence.files.insert(format!("drills/{}/receipt.json", job(3)), receipt.as_bytes().to_vec());
    evidence.close();
    expect(&evidence.report(), 1, &["receipt-signature"]);
}

#[test]
fn a10_a_document_of_another_type_in_place_of_a_manifest() {
    let mut evidence = Evidence::sound();
    let receipt = evidence.files[&format!("drills/{}/receipt.json", job(3))].clone();
    evidence.files.insert(manifest_path(1), receipt);
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
}

#[test]
fn a15_another_algorithm_or_signer() {
    let mut evidence = Evidence::sound();
    evidence.replace(&manifest_path(1), "\"alg\":\"ed25519\"", "\"alg\":\"none\"");
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);

    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| body.signer = Key::new(5).id());
    evidence.close();
    expect_among(&evidence.report(), 1, &["manifest-signer"]);
}

#[test]
fn a21_a_key_from_the_bundle() {
    // A whole bundle by another key, which comes with it.
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.key = Key::new(6);
    evidence.rows.clear();
    let payload = Object::from([
        ("chainId", Value::from(evidence.chain_id.to_string())),
        ("orgId", "acme".into()),
        ("databaseId", "shop".into()),
        ("formatVersion", 1_u64.into()),
        ("keyId", evidence.key.id().to_string().into()),
    ]);
    evidence.add(None, EventKind::ChainGenesis, payload);
    evidence.backup(job(1), b"PGDMP forged", false);
    let name = format!("keys/{}.pem", evidence.key.id().digest());
    evidence.files.insert(name, evidence.key.public().to_pem().into_bytes());
    evidence.close();
    expect(&evidence.report(), 1, &["key-pin"]);
    let unpinned = walwarden_verify::Verifier::new().verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&unpinned, 4, &["key-no-pin"]);
}

#[test]
fn a22_a_malleable_or_oddly_spelt_signature() {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let path = manifest_path(1);
    let mut evidence = Evidence::sound();
    let text = String::from_utf8(evidence.files[&path].clone()).unwrap();
    let signature =
        text.split("\"signature\":\"ed25519:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut bytes: [u8; 64] = base64.decode(&signature).unwrap().try_into().unwrap();
    // S plus the order of the group signs the same where S is not held below it.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    evidence.replace(&path, &signature, &base64.encode(bytes));
    evidence.seal_list();
    expect_among(&evidence.report(), 1, &["manifest-signature"]);

    let mut evidence = Evidence::sound();
    evidence.replace(&path, &signature, signature.trim_end_matches('='));
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
}

#[test]
fn a23_an_old_key_signs_after_its_rotation() {
    let mut evidence = Evidence::begin(Some("shop"));
    let old = evidence.key.clone();
    evidence.rotate(Key::new(2));
    let new = std::mem::replace(&mut evidence.key, old);
    evidence.backup(job(1), b"PGDMP backdated", false);
    evidence.key = new;
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-signer"]);
}

#[test]
fn a23_a_rotation_not_signed_by_both_keys() {
    for (old_signer, new_signer) in [(5, 2), (1, 5)] {
        let mut evidence = Evidence::begin(Some("shop"));
        let new = Key::new(2);
        let payload = evidence.rotation_payload(&new, &Key::new(old_signer), &Key::new(new_signer));
        evidence.add(None, EventKind::KeyRotated, payload);
        evidence.key = new;
        evidence.close();
        expect(&evidence.report(), 1, &["key-rotation"]);
    }
}

#[test]
fn a23_a_chain_goes_on_after_its_key_was_revoked() {
    let mut evidence = Evidence::begin(Some("shop"));
    let payload = Object::from([("keyId", evidence.key.id().to_string()), ("reason", "stolen".to_owned())]);
    evidence.add(None, EventKind::KeyRevoked, payload);
    evidence.close();
    expect(&evidence.report(), 1, &["key-revoked"]);
    evidence.backup(job(1), b"PGDMP after the theft", false);
    evidence.close();
    expect(&evidence.report(), 1, &["key-revoked"]);
}
