//! The shortest verifier: `verify_bundle <evidence.tgz> <pubkey.pem>`, one line for each check.
#![allow(clippy::print_stdout, reason = "the report is what this is for")]

use std::fs::{self, File};
use std::process::ExitCode;

use walwarden_verify::Verifier;
use walwarden_verify::key::PublicKey;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let [bundle, pem] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "two paths")?;
    let key = PublicKey::from_pem(&fs::read_to_string(pem)?)?;
    let report = Verifier::new().with_key(key).verify(File::open(bundle)?)?;
    print!("{report}");
    Ok(ExitCode::from(report.exit().status()))
}
