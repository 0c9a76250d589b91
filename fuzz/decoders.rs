//! One call for each decoder of `walwarden-verify`, with what must hold of everything it takes. The fuzz targets call
//! these with what libFuzzer makes up; `walwarden-verify/tests/fuzz_seeds.rs` calls them with the seeds.
//!
//! Each says whether the bytes were taken, so that a seed that no longer is one is noticed.

use std::io::{Cursor, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use walwarden_verify::checkpoint::{AddCheckpoint, Checkpoint, SignedNote, Vkey};
use walwarden_verify::disclosure::Disclosure;
use walwarden_verify::index::Index;
use walwarden_verify::key::PublicKey;
use walwarden_verify::receipt::Receipt;
use walwarden_verify::statement::Envelope;
#[cfg(feature = "timestamps")]
use walwarden_verify::timestamp::{self, Authorities};
use walwarden_verify::{
    Exit, Level, Manifest, Policy, Reason, Row, Sha256, Verifier, WitnessPolicy, canonical, json, merkle,
};

/// Whether the bytes were taken.
pub type Decoder = fn(&[u8]) -> bool;

/// Every decoder by the name of its target and of its folder of seeds.
#[allow(dead_code, reason = "a target uses its own function only")]
pub const ALL: &[(&str, Decoder)] = &[
    ("bundle", bundle),
    ("canonical", canonical),
    ("checkpoint", checkpoint),
    ("disclosure", disclosure),
    ("envelope", envelope),
    ("index", index),
    ("json", json),
    ("key", key),
    ("manifest", manifest),
    ("policy", policy),
    ("receipt", receipt),
    ("request", request),
    ("row", row),
    ("tar", tar),
    #[cfg(feature = "timestamps")]
    ("timestamp", timestamp),
    ("vkey", vkey),
    ("witness_policy", witness_policy),
];

/// The published test key `alpha`, which signed the seeds.
static ALPHA: LazyLock<PublicKey> = LazyLock::new(|| {
    PublicKey::from_pem(include_str!("../spec/vectors/keys/alpha.pub.pem"))
        .expect("the published key is sound")
});

/// Any JSON: what was taken is written in one spelling only.
pub fn json(data: &[u8]) -> bool {
    let Ok(value) = json::parse(data) else { return false };
    let written = canonical::to_vec(&value);
    let again = json::parse(&written).expect("what was written is read back");
    assert_eq!(canonical::to_vec(&again), written);
    true
}

/// Canonical JSON: the reader takes the writer's spelling and no other, and the lax reader agrees with it.
pub fn canonical(data: &[u8]) -> bool {
    let Ok(value) = canonical::parse(data) else { return false };
    assert_eq!(canonical::to_vec(&value), data);
    assert_eq!(canonical::check_profile(&value), Ok(()));
    assert_eq!(json::parse(data), Ok(value));
    true
}

/// A row of the chain.
pub fn row(data: &[u8]) -> bool {
    let Ok(row) = Row::parse(data) else { return false };
    assert_eq!(row.to_canonical(), data);
    let _ = row.expected_hash();
    true
}

/// A signed manifest: the bytes that were read are the only ones that say the same.
pub fn manifest(data: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(data) else { return false };
    let sealed = manifest.body().clone().seal(*manifest.signature()).expect("what was read can be written");
    assert_eq!(sealed.as_bytes(), data);
    let _ = manifest.contradictions();
    let _ = manifest.verify_signature(&ALPHA);
    true
}

/// A drill's signed receipt, as the manifest.
pub fn receipt(data: &[u8]) -> bool {
    let Ok(receipt) = Receipt::parse(data) else { return false };
    let sealed = receipt.body().clone().seal(*receipt.signature()).expect("what was read can be written");
    assert_eq!(sealed.as_bytes(), data);
    let _ = receipt.contradictions();
    let _ = receipt.verify_signature(&ALPHA);
    true
}

/// An archive index.
pub fn index(data: &[u8]) -> bool {
    let Ok(index) = Index::parse(data) else { return false };
    assert_eq!(index.to_canonical(), data);
    let _ = index.contradictions(data.len() as u64, u64::MAX);
    let _ = index.content_root();
    true
}

/// Part of a chain.
pub fn disclosure(data: &[u8]) -> bool {
    let Ok(disclosure) = Disclosure::parse(data) else { return false };
    assert_eq!(disclosure.to_canonical(), data);
    true
}

/// `bundle.json`: a signed statement. Sealed again, it says the same.
pub fn envelope(data: &[u8]) -> bool {
    let Ok(envelope) = Envelope::parse(data) else { return false };
    let statement = envelope.statement();
    let signature = walwarden_verify::key::Signature::from_bytes([0; 64]);
    let again =
        Envelope::parse(&statement.seal(ALPHA.key_id(), &signature)).expect("what was written is read back");
    assert_eq!(again.statement(), statement);
    let _ = envelope.is_signed_by(&ALPHA);
    true
}

/// A checkpoint in its signed note.
pub fn checkpoint(data: &[u8]) -> bool {
    let Ok(note) = SignedNote::parse(data) else { return false };
    assert!(data.starts_with(note.body().as_bytes()));
    assert!(!note.signatures().is_empty());
    let Ok(checkpoint) = Checkpoint::parse_body(note.body()) else { return false };
    assert_eq!(checkpoint.body(), note.body());
    let _ = note.verify(&checkpoint.origin, &ALPHA);
    let _ = Vkey::new(checkpoint.origin, *ALPHA).cosignature(&note);
    true
}

/// What a log sends to a witness: a consistency proof and a checkpoint.
pub fn request(data: &[u8]) -> bool {
    let Ok(request) = AddCheckpoint::parse(data) else { return false };
    assert_eq!(request.to_text().as_bytes(), data);
    let root = Sha256::of(data);
    let _ = merkle::verify_consistency(request.old_size, &root, u64::MAX, &root, &request.proof);
    true
}

/// A witness's key.
pub fn vkey(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(vkey) = text.parse::<Vkey>() else { return false };
    assert_eq!(vkey.to_string(), text);
    true
}

/// Public keys in PEM.
pub fn key(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(keys) = PublicKey::several_from_pem(text) else { return false };
    for key in keys {
        assert_eq!(PublicKey::from_pem(&key.to_pem()).as_ref(), Ok(&key));
    }
    true
}

/// A good bundle that witnesses cosigned, so that each rule of a policy has something to be asked of.
const WITNESSED: &[u8] = include_bytes!("../spec/vectors/good/witnessed.evidence.tgz");

/// The witnesses who cosigned it.
static WITNESSES: LazyLock<Vec<Vkey>> = LazyLock::new(|| {
    let lines = include_str!("../spec/vectors/keys/witnesses.vkeys").lines();
    lines.map(|line| line.parse().expect("the published vkeys are sound")).collect()
});

/// An auditor's policy: it takes nothing from what the bundle shows, and contradicts only by a rule of its own.
pub fn policy(data: &[u8]) -> bool {
    let Ok(policy) = Policy::parse(data) else { return false };
    let as_of = "2026-11-21T05:00:00.000Z".parse().expect("this is a time");
    let verifier = Verifier::new().with_key(*ALPHA).with_policy(policy).with_as_of(as_of);
    let verifier = WITNESSES.iter().cloned().fold(verifier, Verifier::with_witness);
    let report = verifier.verify(Cursor::new(WITNESSED)).expect("memory can be read");
    for failure in report.failures() {
        assert!(failure.reason.text().starts_with("policy-") || failure.reason == Reason::Level, "{failure}");
    }
    assert_ne!(report.exit(), Exit::Malformed);
    json::parse(data).is_ok()
}

/// Which witnesses an auditor knows. All of them together make any quorum.
pub fn witness_policy(data: &[u8]) -> bool {
    let Ok(policy) = WitnessPolicy::parse(data) else { return false };
    let everybody: Vec<PublicKey> = policy.witnesses().map(|witness| *witness.key()).collect();
    assert!(policy.is_met_by(&everybody));
    assert_eq!(policy.is_met_by(&[]), !policy.asks_for_witnesses());
    true
}

/// The authorities that stamped the seeds, and what they stamped.
#[cfg(feature = "timestamps")]
static AUTHORITIES: LazyLock<Authorities> = LazyLock::new(|| {
    Authorities::from_pem(concat!(
        include_str!("../spec/vectors/authorities/ed25519.pem"),
        include_str!("../spec/vectors/authorities/p256.pem"),
        include_str!("../spec/vectors/authorities/rsa2048.pem"),
    ))
    .expect("the published certificates are sound")
});

/// What an authority answers. Whoever has none of their keys can state no other time than they did.
#[cfg(feature = "timestamps")]
pub fn timestamp(data: &[u8]) -> bool {
    let note = include_str!("../spec/vectors/kept/pair-11.checkpoint");
    let (lines, _) = note.split_once("\n\n").expect("a note has a blank line");
    let message = &note.as_bytes()[..=lines.len()];
    let Ok(stamp) = timestamp::verify(data, message, &AUTHORITIES) else { return false };
    let at = stamp.at.to_string();
    assert!(!stamp.trusted || at.starts_with("2026-11-21T04:00:00."), "{at}");
    let alone = timestamp::verify(data, message, &Authorities::default());
    assert!(alone.is_ok_and(|alone| alone.at == stamp.at && !alone.trusted));
    assert_eq!(timestamp::verify(data, b"", &AUTHORITIES), Err(timestamp::TimestampError::OtherMessage));
    stamp.trusted
}

/// A bundle as it is sent. Without a trusted key nothing in it can prove anything.
pub fn bundle(data: &[u8]) -> bool {
    // The highest level that a part of a chain reaches, too.
    let verifier = Verifier::new().with_key(*ALPHA).with_level(Level::Authentic);
    let report = verifier.verify(Cursor::new(data)).expect("memory can be read");
    let _ = report.to_json();
    if report.exit() != Exit::Malformed {
        let verifier = Verifier::new().with_level(Level::SelfConsistent);
        let report = verifier.verify(Cursor::new(data)).expect("memory can be read");
        assert_ne!(report.exit(), Exit::Reached, "{report}");
    }
    report.exit() == Exit::Reached
}

/// A bundle's tar, zipped here: the fuzzer would not get past the checksum of the gzip member.
pub fn tar(data: &[u8]) -> bool {
    let mut zip = GzEncoder::new(Vec::new(), Compression::none());
    zip.write_all(data).expect("memory can be written");
    bundle(&zip.finish().expect("memory can be written"))
}
