//! What holds for any value and any damage.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{Cursor, Read as _};
use std::sync::LazyLock;

use proptest::prelude::*;
use support::{Evidence, gzip};
use walwarden_verify::chain::Jobs;
use walwarden_verify::checkpoint::{Checkpoint, SignedNote};
use walwarden_verify::index::Index;
use walwarden_verify::json::{Object, Value};
use walwarden_verify::key::PublicKey;
use walwarden_verify::receipt::Receipt;
use walwarden_verify::statement::Envelope;
use walwarden_verify::{EventKind, JobId, Manifest, Policy, Row, Verifier, canonical, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        "[^\u{7f}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let members = prop::collection::vec(("[\u{0}-\u{7e}]{0,6}", inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            members.prop_map(|members| Value::Object(Object::from_iter(members))),
        ]
    })
}

fn event_kind() -> impl Strategy<Value = EventKind> {
    prop::sample::select(EventKind::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_form_is_read_back(value in value()) {
        let text = canonical::to_vec(&value);
        prop_assert_eq!(canonical::parse(&text), Ok(value.clone()));
        prop_assert_eq!(json::parse(&text), Ok(value));
    }

    #[test]
    fn only_the_canonical_form_is_canonical(value in value(), at: prop::sample::Index, byte: u8) {
        let mut text = canonical::to_vec(&value);
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = canonical::parse(&text) {
            prop_assert_eq!(canonical::to_vec(&read), text);
        }
    }

    /// However events of several jobs follow each other, each job is where its own events leave it.
    #[test]
    fn jobs_do_not_disturb_each_other(events in prop::collection::vec((0..3_usize, event_kind(), any::<bool>()), 0..60)) {
        let ids = [1, 2, 3].map(|id| JobId::from_parts(0, [id; 10]));
        let (mut together, mut alone) = (Jobs::new(), [(); 3].map(|()| Jobs::new()));
        for (job, kind, retryable) in events {
            let payload = Object::from([("retryable", Value::from(retryable))]);
            for (id, alone) in ids.iter().zip(&alone) {
                prop_assert_eq!(together.last(*id), alone.last(*id));
                prop_assert_eq!(together.allows(*id, kind), alone.allows(*id, kind));
            }
            together.apply(ids[job], kind, &payload);
            alone[job].apply(ids[job], kind, &payload);
        }
    }

    #[test]
    fn both_readers_agree(text in "[\\[\\]{}:,\"a\\\\0-9.eE+ -]{0,24}") {
        if let Ok(value) = canonical::parse(text.as_bytes()) {
            prop_assert_eq!(json::parse(text.as_bytes()), Ok(value));
        }
    }

    #[test]
    fn no_reader_panics(bytes: Vec<u8>) {
        let _ = json::parse(&bytes);
        let _ = canonical::parse(&bytes);
        let _ = Row::parse(&bytes);
        let _ = Manifest::parse(&bytes);
        let _ = Receipt::parse(&bytes);
        let _ = Index::parse(&bytes);
        let _ = Envelope::parse(&bytes);
        let _ = Policy::parse(&bytes);
        let _ = SignedNote::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Checkpoint::parse_body(&text);
        let _ = PublicKey::several_from_pem(&text);
        let _ = Verifier::new().verify(Cursor::new(&bytes)).unwrap();
        let _ = Verifier::new().verify(Cursor::new(gzip(&bytes))).unwrap();
    }
}

static SOUND: LazyLock<Evidence> = LazyLock::new(Evidence::sound);
static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| SOUND.tar());
static TGZ: LazyLock<Vec<u8>> = LazyLock::new(|| SOUND.tgz());

fn inflate(bundle: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(bundle).read_to_end(&mut tar).unwrap();
    tar
}

// What the reader passes over: the hint of a key in bundle.json; in a header mode, owner and group, time, their names,
// device numbers, and with them the spelling of the checksum.
fn is_ignored(at: usize) -> bool {
    let hint = TAR.windows(9).position(|bytes| bytes == b"\"keyid\":\"").unwrap() + 9;
    if (hint..hint + "sha256:".len() + 64).contains(&at) {
        return true;
    }
    let mut header = 0;
    while header + 512 <= TAR.len() && TAR[header] != 0 {
        let size = std::str::from_utf8(&TAR[header + 124..header + 135]).unwrap();
        if (header..header + 512).contains(&at) {
            return matches!(at - header, 100..124 | 136..156 | 265..345);
        }
        header += 512 + usize::from_str_radix(size, 8).unwrap().next_multiple_of(512);
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_bundle_is_refused_without_panic(at: prop::sample::Index, flip in 1..=255_u8) {
        let mut bundle = TGZ.clone();
        let at = at.index(bundle.len());
        bundle[at] ^= flip;
        let report = SOUND.verifier().verify(Cursor::new(&bundle)).unwrap();
        // A deflate stream has more than one spelling; what counts is what it inflates to.
        prop_assert!(report.exit().status() != 0 || inflate(&bundle) == *TAR, "byte {}", at);
    }

    #[test]
    fn a_damaged_tar_is_refused_without_panic(at: prop::sample::Index, flip in 1..=255_u8) {
        let mut tar = TAR.clone();
        let at = at.index(tar.len());
        tar[at] ^= flip;
        let report = SOUND.verifier().verify(Cursor::new(gzip(&tar))).unwrap();
        prop_assert!(report.exit().status() != 0 || is_ignored(at), "byte {}\n{}", at, report);
    }

    #[test]
    fn a_damaged_file_under_a_fresh_list_is_refused(
        file: prop::sample::Index,
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut evidence = SOUND.clone();
        let names: Vec<String> = evidence.files.keys().filter(|name| *name != "bundle.json").cloned().collect();
        let bytes = evidence.files.get_mut(&names[file.index(names.len())]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        evidence.seal_list();
        let report = evidence.report();
        prop_assert_ne!(report.exit().status(), 0, "{}", report);
    }
}
