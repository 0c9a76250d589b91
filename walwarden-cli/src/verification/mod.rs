//! Verifies an evidence bundle offline. Both `walwarden-verify` and `walwarden verify` are this module; it reads the
//! named files, writes nothing, and uses no code of Walwarden but the `walwarden-verify` library.

use std::path::PathBuf;

use clap::Args;

/// What to verify, and whom to trust.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct VerifyArguments {
    /// The evidence bundle (*.evidence.tgz)
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    /// A public key you trust, SPKI PEM; may be repeated, a file may hold several
    #[arg(long, value_name = "FILE")]
    pub(crate) pubkey: Vec<PathBuf>,
    /// The id of a key you trust (sha256:…), in place of the key itself; may be repeated
    #[arg(long, value_name = "KEYID")]
    pub(crate) fingerprint: Vec<String>,
    /// A witness whose signature on the checkpoint counts, as a C2SP vkey; may be repeated
    #[arg(long, value_name = "VKEY")]
    pub(crate) witness: Vec<String>,
    /// Further demands on the evidence
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// A checkpoint of this chain that you kept from an earlier time
    #[arg(long, value_name = "FILE")]
    pub(crate) kept_checkpoint: Option<PathBuf>,
    /// The level to reach: 0 self-consistent, 1 authentic, 2 complete, 3 timed or witnessed, 4 continuous with --kept-checkpoint [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=4))]
    pub(crate) level: Option<u8>,
}

const AFTER_HELP: &str = "\
Exit status: 0 the level is reached; 1 the evidence contradicts itself or a signature fails; 2 wrong use, or a file
cannot be read; 3 malformed or over a limit; 4 cannot decide (no trusted key given, a file absent, level not reached).";
