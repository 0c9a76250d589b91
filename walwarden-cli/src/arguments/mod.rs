//! What may stand on the command line. Parsing touches nothing: no file, no server, no clock.

mod archive;
mod backup;
mod database;
mod demo;
mod evidence;
mod masking;
mod restore;
mod witness;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use walwarden_core::verify::{DatabaseId, KeyId};
use walwarden_verifier::VerifyArguments;

pub(crate) use archive::{ArchiveCommand, ArchiveExplode, ArchiveIndex, ArchiveTranscode, ArchiveVerify};
pub(crate) use backup::{
    BackupCommand, BackupContentsArguments, BackupDiff, BackupPlace, BackupRun, Listing,
};
pub(crate) use database::{DatabaseAdd, DatabaseCommand, DumpArguments, MOST_JOBS};
pub(crate) use demo::DemoArguments;
pub(crate) use evidence::{EvidenceCheckpoint, EvidenceCommand, EvidenceExport};
pub(crate) use masking::masked;
pub(crate) use restore::RestoreArguments;
pub(crate) use witness::{WitnessCommand, WitnessCosign};

/// Backups of Postgres that anyone can prove
///
/// Streams pg_dump archives into storage you own, signs a manifest for each, records every step in a
/// hash-chained audit trail, and restores only what it has verified.
#[derive(Debug, Parser)]
#[command(name = "walwarden", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Print JSON; `backup run` and `restore` do so anyway where stdout is not a terminal
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,

    /// Folder for settings, key and catalogue [default: the platform's data directory]
    #[arg(long, global = true, help_heading = GLOBAL, env = "WALWARDEN_HOME", value_name = "DIR", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,

    /// Log what happens inside to stderr; repeat for more
    #[arg(long, short, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the home folder, a settings file and a signing key, each unless it exists
    Init,
    /// Make, show, rotate or revoke the key that signs manifests
    #[command(subcommand)]
    Key(KeyCommand),
    /// Configure the databases to back up
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// Make, list and stop backups
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Restore a backup after verifying it
    Restore(Box<RestoreArguments>),
    /// Export what an auditor needs
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Watch the logs of others: cosign their checkpoints, and refuse two histories of one log
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// Verify an evidence bundle offline, as `walwarden-verify` does
    Verify(VerifyArguments),
    /// Look into, check and convert any custom-format archive of pg_dump
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Look after the local catalogue of jobs and chains
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Show for each database how old its last backup is and where its audit chain stands
    Status,
    /// Watch a throw-away Postgres being backed up, proven and restored
    Demo(Box<DemoArguments>),
    /// Print a completion script for a shell, to be loaded at its start
    ///
    /// bash:  walwarden completions bash > ~/.local/share/bash-completion/completions/walwarden
    ///
    /// zsh:   walwarden completions zsh > a folder of $fpath, as _walwarden
    ///
    /// fish:  walwarden completions fish > ~/.config/fish/completions/walwarden.fish
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Print the manual page, or write one page for each command
    ///
    /// To read it at once: walwarden man | man -l -. To install all pages: walwarden man --out
    /// ~/.local/share/man/man1
    Man {
        /// Write the pages into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new Ed25519 signing key; an existing one is never overwritten
    Generate,
    /// Show the key's id, its file and its public part
    Show {
        /// Print only the public key as SPKI PEM, for `--pubkey`
        #[arg(long)]
        pem: bool,
    },
    /// Sign with a new key from now on: each audit chain gets a row signed by the old and the new key
    ///
    /// Whoever trusts the old key can verify what the new one signs. If this is interrupted, everything goes on working;
    /// run it again to complete it.
    Rotate,
    /// Record that a former key is not to be trusted from now on
    ///
    /// What it signed before stays good. The present key cannot be revoked: rotate first.
    Revoke {
        /// The key's id (sha256:…)
        #[arg(value_name = "KEYID")]
        key_id: KeyId,
        /// Why, in a few words; auditors read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Rebuild the catalogue's chains and jobs from a destination alone
    Rebuild(CatalogRebuild),
}

#[derive(Debug, Args)]
pub(crate) struct CatalogRebuild {
    /// The destination to read
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// Only this database [default: every database found there]
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<DatabaseId>,
    /// Enter also rows that no checkpoint of your key covers: a backup that was killed leaves such rows, and so does
    /// whoever forges them
    #[arg(long)]
    pub(crate) accept_uncovered: bool,
}

impl Arguments {
    /// Whether the command's records go to stdout as JSON, given whether stdout is a terminal.
    pub(crate) fn json_wanted(&self, stdout_is_terminal: bool) -> bool {
        let streams = matches!(self.command, Command::Backup(BackupCommand::Run(_)) | Command::Restore(_));
        self.json || (streams && !stdout_is_terminal)
    }
}

/// The name of an environment variable. A connection string typed here by mistake must not go further.
pub(crate) fn variable_name(text: &str) -> std::result::Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() {
        Ok(text.to_owned())
    } else {
        Err("this takes the name of an environment variable: letters, digits and underscores")
    }
}

const GLOBAL: &str = "Global options";

const AFTER_HELP: &str = "\
Exit status (`walwarden verify` has a table of its own, see its help):
  0  done
  1  a transient fault; try again
  2  something to correct first: arguments, settings, key, login or target
  3  failed for good
  4  stopped by SIGINT or SIGTERM, within five seconds; a second signal ends it at once

Environment, before the settings file: WALWARDEN_ORG, WALWARDEN_KEY_FILE, WALWARDEN_CLIENT_DIRS,
WALWARDEN_SPOOL_DIR. Connections take PGPASSWORD and the other variables of libpq, destinations the
credentials that their providers' tools read (AWS_…, GOOGLE_…, AZURE_…).

Arguments can be read by every user of the machine. A connection string with a password is better put into
an environment variable, whose name --dsn-env and --target-env take.";
