use std::path::PathBuf;

use clap::{Args, ValueEnum};
use walwarden_core::verify::Sha256;
use walwarden_core::{Code, Error, Result};

use super::variable_name;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum RestoreMode {
    /// Create a database; fails if one of that name exists
    NewDatabase,
    /// Drop what the dump holds too from the database that the DSN names, and restore it; other objects stay
    InPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RestoreCheck {
    /// Compare nothing
    None,
    /// Count the rows of each table
    Counts,
    /// Read every row of each table and compare the digests
    Digests,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Hash of the manifest to restore from: exactly 64 lower-case hex digits
    #[arg(long, value_name = "SHA256")]
    pub(crate) manifest: Sha256,
    /// The destination that holds the backup [default: that of the configured database it belongs to]
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// The target server; with new_database any database that exists there, customarily `postgres`
    ///
    /// The password may stand in the DSN, where other users of the machine can read it, or in PGPASSWORD; on a terminal
    /// it is asked for when the server wants one.
    #[arg(long, value_name = "DSN", required_unless_present = "target_env", conflicts_with = "target_env")]
    pub(crate) target: Option<String>,
    /// The same from the environment variable of this name
    #[arg(long, value_name = "VARIABLE", value_parser = variable_name)]
    pub(crate) target_env: Option<String>,
    /// Into what to restore
    #[arg(long, value_enum)]
    pub(crate) mode: RestoreMode,
    /// Restore into a new database of this name instead of the source's; only with new_database
    #[arg(long, value_name = "NAME", value_parser = created_database)]
    pub(crate) created_database: Option<String>,
    /// Required with in_place: what the target holds now may be dropped
    #[arg(long)]
    pub(crate) confirm_destructive: bool,
    /// How many connections pg_restore uses; an in-place restore takes one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) jobs: u32,
    /// How closely restored tables are compared with the backup's index; any difference fails the restore
    #[arg(long, value_enum, value_name = "CHECK", default_value_t = RestoreCheck::Counts)]
    pub(crate) check: RestoreCheck,
    /// Folder for the verified copy of the dump [default: the home folder's spool]
    #[arg(long, value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
    /// A public key to trust, SPKI PEM; may be repeated [default: the public part of your own key]
    #[arg(long, value_name = "FILE")]
    pub(crate) pubkey: Vec<PathBuf>,
    /// Leave ownership to the restoring role
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave GRANT and REVOKE out
    #[arg(long)]
    pub(crate) no_privileges: bool,
    /// Show the plan and stop
    #[arg(long)]
    pub(crate) plan: bool,
}

impl RestoreArguments {
    /// What can be refused before anything is looked at.
    pub(crate) fn check(&self) -> Result<()> {
        if self.mode == RestoreMode::InPlace && !self.confirm_destructive && !self.plan {
            return Err(Error::new(
                Code::ConfirmationMissing,
                "a restore with --mode in_place drops what the target holds and was not confirmed",
            ));
        }
        if self.mode == RestoreMode::InPlace && self.created_database.is_some() {
            return Err(Error::new(
                Code::ArgumentInvalid,
                "--created-database goes with --mode new_database only",
            ));
        }
        Ok(())
    }
}

fn created_database(text: &str) -> std::result::Result<String, String> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts_well && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err("a database name starts with a letter or underscore and goes on with letters, digits, \
             underscores and hyphens, 63 at most"
            .to_owned())
    }
}
