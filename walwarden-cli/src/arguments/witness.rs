use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Make a witness: a folder with a new key, and nothing seen yet
    Init(WitnessInit),
    /// Cosign a checkpoint if it goes on from the last one cosigned of its log; refuse a fork or an older one
    ///
    /// Prints the line that belongs below the checkpoint's other signatures. What was cosigned is on disk before it is printed.
    Cosign(WitnessCosign),
    /// Show the witness's key as auditors name it, and the last checkpoint of each log
    Show(WitnessPlace),
}

#[derive(Debug, Args)]
pub(crate) struct WitnessPlace {
    /// The witness's folder: its key, and what it cosigned last. Without either it must be retired: never put an older
    /// copy back
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct WitnessInit {
    #[command(flatten)]
    pub(crate) place: WitnessPlace,
    /// The witness's name, customarily a host and a path: witness.example/one
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct WitnessCosign {
    #[command(flatten)]
    pub(crate) place: WitnessPlace,
    /// The public key of the log you witness, SPKI PEM; may be repeated where --origin names the log
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) pubkey: Vec<PathBuf>,
    /// Cosign for this log alone, e.g. walwarden/acme/01a1fbd4-f500-7bb4-8334-3b1d44ec4b55; needed where several keys are
    /// named: each could sign in the name of the other's log
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// Write the checkpoint with the cosignature below it to this new file too
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Verify this evidence bundle and cosign its checkpoint; the proof is made from its rows
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    pub(crate) bundle: Option<PathBuf>,
    /// The checkpoint, with the proof from the last one cosigned before it; - for stdin
    #[arg(value_name = "CHECKPOINT", required_unless_present = "bundle")]
    pub(crate) checkpoint: Option<PathBuf>,
}
