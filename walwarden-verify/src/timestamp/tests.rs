use super::certificate::{Certificate, leads_to};
use super::*;
use crate::key::pem::blocks_of;

/// A root, and certificates below it; made by the program beside the file, which says what each may do.
const CERTIFICATES: &str = include_str!("../../tests/data/stamping.pem");

#[test]
fn only_a_valid_certificate_for_stamping_alone_is_led_to_a_root() {
    let blocks: Vec<Vec<u8>> = blocks_of(CERTIFICATES, "CERTIFICATE").map(Result::unwrap).collect();
    let certificates: Vec<Certificate<'_>> =
        blocks.iter().map(|bytes| Certificate::parse(bytes).unwrap()).collect();
    let (root, leaves) = certificates.split_first().unwrap();
    let roots = std::slice::from_ref(root);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let then = time("2030-01-01T00:00:00.000Z");
    assert_eq!(leaves.len(), 9);
    for (number, leaf) in leaves.iter().enumerate() {
        assert_eq!(leads_to(roots, leaf, &[], then), number < 2, "number {number}");
    }
    for (at, valid) in [("2026-01-01", false), ("2126-01-01", true), ("2127-01-01", false)] {
        let at = time(&format!("{at}T00:00:00.000Z"));
        assert_eq!(leads_to(roots, &leaves[0], &[], at), valid, "{at}");
    }
    assert!(!leads_to(&[], &leaves[0], roots, then), "a root that only the evidence names");
}

#[test]
fn times_are_read_in_both_forms() {
    let read =
        |bytes: &[u8]| certificate::time(Item::only(bytes, bytes[0]).ok()).map(|at| at.to_string()).ok();
    assert_eq!(read(b"\x17\x0d261121020629Z").unwrap(), "2026-11-21T02:06:29.000Z");
    assert_eq!(read(b"\x17\x0d491231235959Z").unwrap(), "2049-12-31T23:59:59.000Z");
    assert_eq!(read(b"\x17\x0d500101000000Z").unwrap(), "1950-01-01T00:00:00.000Z");
    assert_eq!(read(b"\x18\x0f20261121020629Z").unwrap(), "2026-11-21T02:06:29.000Z");
    assert_eq!(read(b"\x18\x1320261121020629.12Z"), None, "the length is not that of the text");
    assert_eq!(read(b"\x18\x1220261121020629.12Z").unwrap(), "2026-11-21T02:06:29.120Z");
    for wrong in [
        &b"\x18\x0e20261121020629"[..],
        b"\x18\x0f20261321020629Z",
        b"\x17\x0f20261121020629Z",
        b"\x17\x0d26112102062+Z",
    ] {
        assert_eq!(read(wrong), None);
    }
}
