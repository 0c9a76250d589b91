//! The known attacks on bundles, one test or more each, named by the number the project's list gives them and by the
//! flaw. Each must be refused for its own reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chain;
mod container;
mod documents;
mod keys;
#[path = "../support/mod.rs"]
mod support;
mod text;

use std::io::Cursor;

use support::{Evidence, codes, job};
use walwarden_verify::{Head, Report, Row};

fn verify(evidence: &Evidence, bundle: &[u8]) -> Report {
    evidence.verifier().verify(Cursor::new(bundle)).unwrap()
}

/// The failing checks must include these, and the exit must be so.
#[track_caller]
fn expect_among(report: &Report, exit: u8, expected: &[&str]) {
    let found = codes(report);
    assert!(expected.iter().all(|code| found.contains(code)), "{expected:?} not in {found:?}\n{report}");
    assert_eq!(report.exit().status(), exit, "{report}");
}

fn manifest_path(number: u8) -> String {
    format!("backups/{}/manifest.json", job(number))
}

/// Hashes and links all rows anew, as a forger without a key can.
fn relink(rows: &mut [Row]) {
    let mut head = Head::START;
    for row in rows {
        row.seq = head.seq + 1;
        row.prev_hash = head.hash;
        row.hash = row.expected_hash();
        head = row.head();
    }
}
