//! Judges an evidence bundle with nothing but a public key: no network, no service, no database.
//! `cargo run -p walwarden-examples --bin offline_verification -- shop.evidence.tgz key.pub.pem`
//!
//! It uses `walwarden-verify` alone, the crate an auditor has to read.
#![allow(clippy::print_stdout, reason = "the verdict is the result")]

use std::error::Error;
use std::fs::{self, File};
use std::process::ExitCode;

use walwarden_verify::key::PublicKey;
use walwarden_verify::{Level, Verifier};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, pem] = arguments.as_slice() else {
        return Err("usage: offline_verification <bundle> <public key>".into());
    };
    let key = PublicKey::from_pem(&fs::read_to_string(pem)?)?;
    // Level 2: every announced backup has its manifest, and the key signed all of it.
    let verifier = Verifier::new().with_key(key).with_level(Level::Complete);
    let report = verifier.verify(File::open(bundle)?)?;

    // All findings are told, not only the first: what holds, what fails, and what was not checked.
    for failure in report.failures() {
        println!("{failure}");
    }
    match report.level {
        Some(level) => println!("level {}, backups: {}", level.number(), report.manifests),
        None => println!("proves nothing"),
    }
    Ok(ExitCode::from(report.exit().status()))
}
