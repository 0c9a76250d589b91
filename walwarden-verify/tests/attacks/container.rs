//! Attacks on gzip and tar, and bundles with nothing inside.

use std::io::Cursor;

use crate::support::{Evidence, codes, entry, expect, gzip, header, job, seal_header};
use crate::{expect_among, verify};

#[test]
fn a27_a_name_twice() {
    let evidence = Evidence::sound();
    for name in ["checkpoint", "bundle.json", "audit_events.json"] {
        let mut tar = evidence.tar();
        let second = entry(name, &evidence.files[name]);
        tar.splice(0..0, second);
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-duplicate"]);
    }
    let mut tar = evidence.tar();
    tar.splice(0..0, entry("Checkpoint", b""));
    expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-path"]);
}

#[test]
fn a28_names_that_lead_elsewhere() {
    for name in [
        "/etc/passwd",
        "../checkpoint",
        "./checkpoint",
        "keys/../checkpoint",
        "backups\\x\\manifest.json",
        "C:checkpoint",
        "backups/",
        "extra.txt",
        "checkpoint/",
    ] {
        let mut evidence = Evidence::sound();
        evidence.files.insert(name.to_owned(), b"x".to_vec());
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["bundle-path"]);
    }
}

#[test]
fn a28_entries_that_are_no_plain_files() {
    let evidence = Evidence::sound();
    for kind in *b"\x001234567gxLKSVDMNX" {
        let mut tar = header("README.txt", 0, kind).to_vec();
        tar.extend(evidence.tar());
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-entry-type"]);
    }
}

#[test]
fn a28_headers_with_more_than_ustar() {
    let evidence = Evidence::sound();
    let with_header = |change: fn(&mut [u8; 512])| {
        let mut header = header("README.txt", 0, b'0');
        change(&mut header);
        let mut tar = header.to_vec();
        tar.extend(evidence.tar());
        codes(&verify(&evidence, &gzip(&tar))).into_iter().find(|code| code.starts_with("bundle")).unwrap()
    };
    let prefix = with_header(|header| {
        header[345..350].copy_from_slice(b"other");
        seal_header(header);
    });
    let gnu = with_header(|header| {
        header[257..265].copy_from_slice(b"ustar  \0");
        seal_header(header);
    });
    let binary_size = with_header(|header| {
        header[124] = 0x80;
        seal_header(header);
    });
    let checksum = with_header(|header| header[0] = b'r');
    let link = with_header(|header| {
        header[157] = b'x';
        seal_header(header);
    });
    assert_eq!(
        [prefix, gnu, binary_size, checksum, link],
        ["bundle-entry-type", "bundle-tar", "bundle-tar", "bundle-tar", "bundle-entry-type"]
    );
}

#[test]
fn a29_bytes_where_none_may_be() {
    let evidence = Evidence::sound();
    let (tar, bundle) = (evidence.tar(), evidence.tgz());
    let two_members = [bundle.clone(), gzip(b"")].concat();
    let trailing = [bundle.clone(), b"\0".to_vec()].concat();
    let cut = bundle[..bundle.len() - 1].to_vec();
    let mut wrong_crc = bundle.clone();
    let at = wrong_crc.len() - 8;
    wrong_crc[at] ^= 1;
    for bundle in [two_members, trailing, cut, wrong_crc] {
        expect(&verify(&evidence, &bundle), 3, &["bundle-gzip"]);
    }
    let after_end = [tar.clone(), entry("README.txt", b"")].concat();
    let no_end = tar[..tar.len() - 1024].to_vec();
    let one_end = tar[..tar.len() - 512].to_vec();
    let half_block = tar[..tar.len() - 100].to_vec();
    let mut padding = tar.clone();
    let first = evidence.files.values().next().unwrap().len();
    padding[512 + first] = 1;
    for tar in [after_end, no_end, one_end, half_block, padding] {
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-tar"]);
    }
}

#[test]
fn a30_bombs() {
    let evidence = Evidence::sound();
    let artifact = format!("backups/{}/artifact.dump", job(8));
    let bomb = [entry(&artifact, &vec![0; 24 << 20]), evidence.tar()].concat();
    let mut budget = walwarden_verify::Budget::default();
    (budget.output_floor_bytes, budget.output_ratio) = (1 << 20, 100);
    let verifier = evidence.verifier().with_budget(budget);
    expect(&verifier.verify(Cursor::new(gzip(&bomb))).unwrap(), 3, &["bundle-limit"]);

    let claims = header("README.txt", 12 << 30 >> 1, b'0');
    expect(&verify(&evidence, &gzip(&claims)), 3, &["bundle-limit"]);

    let mut budget = walwarden_verify::Budget::default();
    budget.entries = 3;
    let report = evidence.verifier().with_budget(budget).verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&report, 3, &["bundle-limit"]);
}

#[test]
fn a32_nothing_checked_is_no_success() {
    for bundle in [Vec::new(), gzip(b""), gzip(&[0; 1024]), b"PGDMP".to_vec()] {
        let report = verify(&Evidence::sound(), &bundle);
        assert_ne!(report.exit().status(), 0);
        assert_eq!(report.level, None);
    }
}
