use std::path::PathBuf;

use clap::{Args, Subcommand};
use walwarden_core::verify::{DatabaseId, JobId, Sha256};

use super::database::DumpArguments;
use super::variable_name;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Back up one database now
    ///
    /// With --dsn and --to nothing needs to be configured but a key. Unless --database says how to call it, the
    /// database is then called after its name inside Postgres (lower-cased, with a hyphen for everything else than a-z
    /// and 0-9) and a digest of host, port and name: databases of one name on two servers have a chain each.
    Run(Box<BackupRun>),
    /// List backups, newest first
    List(Listing),
    /// Show one backup
    #[command(visible_alias = "status")]
    Show(JobArgument),
    /// Show the tables of a backup with rows and sizes, by its signed index: neither dump nor Postgres is read
    Contents(BackupContentsArguments),
    /// Show which tables differ between two backups, by the digests in their signed indexes
    Diff(BackupDiff),
    /// Stop a backup that no worker holds
    ///
    /// A backup that is running is stopped by SIGINT or SIGTERM to its process.
    Cancel(JobArgument),
}

#[derive(Debug, Args)]
pub(crate) struct BackupRun {
    /// The configured database; with --dsn or --dsn-env, the name to file the backup under
    #[arg(long, value_name = "NAME", required_unless_present = "source")]
    pub(crate) database: Option<DatabaseId>,
    /// Back up this source instead of a configured one: a postgres:// URL or key=value pairs
    ///
    /// Other users of the machine can read what is typed here. Keep the password out of it with --dsn-env or
    /// PGPASSWORD.
    #[arg(long, value_name = "DSN", requires = "to", group = "source")]
    pub(crate) dsn: Option<String>,
    /// The same from the environment variable of this name
    #[arg(long, value_name = "VARIABLE", value_parser = variable_name, requires = "to", group = "source")]
    pub(crate) dsn_env: Option<String>,
    /// Where to store, together with --dsn or --dsn-env
    #[arg(long, value_name = "URL", requires = "source")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) dump: DumpArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Only of this database
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<DatabaseId>,
    /// At most so many; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
}

/// Where a backup lies, and whose word counts.
#[derive(Debug, Args)]
pub(crate) struct BackupPlace {
    /// The destination that holds it [default: that of the configured database it belongs to]
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// A public key to trust, SPKI PEM; may be repeated [default: the public part of your own key]
    #[arg(long, value_name = "FILE")]
    pub(crate) pubkey: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupContentsArguments {
    /// Hash of the manifest: exactly 64 lower-case hex digits
    #[arg(value_name = "SHA256")]
    pub(crate) manifest: Sha256,
    #[command(flatten)]
    pub(crate) place: BackupPlace,
}

#[derive(Debug, Args)]
pub(crate) struct BackupDiff {
    /// Hash of the earlier backup's manifest
    #[arg(value_name = "SHA256")]
    pub(crate) before: Sha256,
    /// Hash of the later one's
    #[arg(value_name = "SHA256")]
    pub(crate) after: Sha256,
    #[command(flatten)]
    pub(crate) place: BackupPlace,
}

#[derive(Debug, Args)]
pub(crate) struct JobArgument {
    /// The job's id, as `backup list` shows it
    #[arg(value_name = "JOB", value_parser = job_id)]
    pub(crate) job: JobId,
}

fn job_id(text: &str) -> Result<JobId, &'static str> {
    text.parse().map_err(|_| "give the job's id as `walwarden backup list` shows it")
}
