//! Verifies a bundle and says how long that took: `verify_bundle BUNDLE PUBKEY`.
#![allow(clippy::print_stdout, reason = "the numbers are what this is for")]

use std::fs::{self, File};
use std::time::Instant;

use walwarden_verify::key::PublicKey;
use walwarden_verify::{Exit, Verifier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, bundle, key] = arguments.as_slice() else { return Err("BUNDLE PUBKEY".into()) };
    let key = PublicKey::from_pem(&fs::read_to_string(key)?)?;
    let file = File::open(bundle)?;
    let bytes = file.metadata()?.len();
    let start = Instant::now();
    let report = Verifier::new().with_key(key).verify(file)?;
    let seconds = start.elapsed().as_secs_f64();
    if report.exit() != Exit::Reached {
        return Err(report.to_string().into());
    }
    println!(
        "{} events, {} MB: {seconds:.1} s, {:.0} events/s",
        report.events,
        bytes / 1_000_000,
        report.events as f64 / seconds
    );
    Ok(())
}
