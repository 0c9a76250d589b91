use std::path::PathBuf;

use clap::{Args, Subcommand};
use walwarden_core::verify::DatabaseId;

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Write a bundle of the audit chain, all manifests and a checkpoint
    Export(EvidenceExport),
    /// Write a checkpoint for a witness, with the proof that it goes on from the last one it saw
    ///
    /// The file is the body of an add-checkpoint request as C2SP tlog-witness has it: give it to `walwarden witness
    /// cosign`, or post it to a public witness.
    Checkpoint(EvidenceCheckpoint),
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceExport {
    /// Whose evidence
    #[arg(long, value_name = "NAME")]
    pub(crate) database: DatabaseId,
    /// A destination that holds backups; may be repeated where they went to several [default: that of the configured
    /// database]
    #[arg(long, value_name = "URL")]
    pub(crate) from: Vec<String>,
    /// The file to write, customarily named *.evidence.tgz; an existing one is not overwritten
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Put the dumps themselves and their indexes into the bundle, so that their digests can be checked too
    #[arg(long)]
    pub(crate) with_artifacts: bool,
    /// Make the bundle although manifests or dumps are gone, and name them
    ///
    /// The audit chain still announces them: the verifier reports each missing manifest and does not reach level 2
    /// (exit status 4).
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// End the bundle with the last row of this checkpoint, and put it in: one that witnesses cosigned
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceCheckpoint {
    /// Whose chain
    #[arg(long, value_name = "NAME")]
    pub(crate) database: DatabaseId,
    /// The size of the checkpoint that the witness saw last
    #[arg(long, value_name = "SIZE")]
    pub(crate) since: Option<u64>,
    /// Write to this new file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
