use ed25519_dalek::{Signer as _, SigningKey};

use super::*;

fn key(seed: u8) -> (SigningKey, PublicKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap();
    (key, public)
}

fn sign(key: &SigningKey, message: &[u8]) -> Signature {
    Signature::from_bytes(key.sign(message).to_bytes())
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "walwarden/acme/chain".to_owned(), size: 12, root: Sha256::of(b"root") }
}

#[test]
fn a_signed_note_is_read_back_and_verified() {
    let (signing, public) = key(1);
    let note = checkpoint().sign_with(&public, |message| sign(&signing, message));
    let read = SignedNote::parse(note.as_bytes()).unwrap();
    assert_eq!(Checkpoint::parse_body(read.body()), Ok(checkpoint()));
    assert_eq!(read.verify("walwarden/acme/chain", &public), Ok(true));
    assert_eq!(read.verify("walwarden/acme/chain", &key(2).1), Ok(false));
    let failing = note.replacen("\n12\n", "\n13\n", 1);
    assert!(SignedNote::parse(failing.as_bytes()).unwrap().verify("walwarden/acme/chain", &public).is_err());
}

#[test]
fn a_witness_cosigns_with_a_time() {
    let (signing, public) = key(1);
    let (witness, witness_public) = key(2);
    let vkey = Vkey::new("witness.example/w1", witness_public);
    assert_eq!(vkey.to_string().parse(), Ok(vkey.clone()));
    let mut note = checkpoint().sign_with(&public, |message| sign(&signing, message));
    let message = Vkey::message(1_795_226_789, &checkpoint().body());
    note.push_str(&vkey.line(1_795_226_789, &sign(&witness, message.as_bytes())));
    let read = SignedNote::parse(note.as_bytes()).unwrap();
    let cosignature = vkey.cosignature(&read).unwrap().unwrap();
    assert_eq!(cosignature.at.to_string(), "2026-11-21T02:06:29.000Z");
    assert_eq!(read.verify("walwarden/acme/chain", &public), Ok(true));
}

#[test]
fn other_shapes_of_a_body_are_refused() {
    for body in ["a\n1\n", "a\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "a\n1\n47DE\n"] {
        assert!(Checkpoint::parse_body(body).is_err(), "{body}");
    }
    let extended = format!("{}extension\n", checkpoint().body());
    assert!(Checkpoint::parse_body(&extended).is_err());
}

#[test]
fn a_request_has_one_spelling() {
    let hash = STANDARD.encode([7; 32]);
    for text in [
        "old 0\n\nnote".to_owned(),
        format!("old 12\n{hash}\n{hash}\n\nnote\n"),
        format!("old 12\n{}\nnote", format!("{hash}\n").repeat(63)),
    ] {
        assert_eq!(AddCheckpoint::parse(text.as_bytes()).unwrap().to_text(), text);
    }
    for text in [
        "".to_owned(),
        "old 0\nnote".to_owned(),
        "old 01\n\nnote".to_owned(),
        "old -1\n\nnote".to_owned(),
        "old  1\n\nnote".to_owned(),
        "old 1\nAAAA\n\nnote".to_owned(),
        format!("old 1\n{hash} \n\nnote"),
        format!("old 12\n{}\nnote", format!("{hash}\n").repeat(64)),
    ] {
        assert!(AddCheckpoint::parse(text.as_bytes()).is_err(), "{text:?}");
    }
}
