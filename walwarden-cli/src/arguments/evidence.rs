use std::path::PathBuf;

use clap::{Args, Subcommand};
use walwarden_core::verify::{DatabaseId, JobId, Timestamp};

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
    /// Put in a timestamp over the first three lines of that checkpoint: what an authority answered (RFC 3161, DER)
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    pub(crate) timestamp: Option<PathBuf>,
    /// Show only this job, and hashes for all other rows; may be repeated. Such a bundle reaches level 1 at most
    #[arg(long, value_name = "ID", help_heading = PART)]
    pub(crate) job: Vec<JobId>,
    /// Show only rows of this time or later, and the whole of the jobs they tell of (2026-11-21 or 2026-11-21T02:00:00.000Z)
    #[arg(long, value_name = "TIME", help_heading = PART, value_parser = first_moment)]
    pub(crate) from_time: Option<Timestamp>,
    /// Show only rows of this time or earlier, and the whole of the jobs they tell of; a day is taken to its end
    #[arg(long, value_name = "TIME", help_heading = PART, value_parser = last_moment)]
    pub(crate) to_time: Option<Timestamp>,
    /// The size of a checkpoint that the auditor kept: so many first rows can be compared with it
    #[arg(long, value_name = "SIZE", help_heading = PART)]
    pub(crate) since: Option<u64>,
}

const PART: &str = "A part of the chain";

fn first_moment(text: &str) -> Result<Timestamp, &'static str> {
    moment(text, "T00:00:00.000Z")
}

fn last_moment(text: &str) -> Result<Timestamp, &'static str> {
    moment(text, "T23:59:59.999Z")
}

/// A time as the chain writes it, or a day in UTC.
fn moment(text: &str, of_day: &str) -> Result<Timestamp, &'static str> {
    let whole = text.parse().or_else(|_| format!("{text}{of_day}").parse());
    whole.map_err(|_| "this takes a day in UTC as in 2026-11-21, or a time as in 2026-11-21T02:00:00.000Z")
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
