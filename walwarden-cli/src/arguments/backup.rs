use clap::{Args, Subcommand};
use walwarden_core::verify::{DatabaseId, JobId};

use super::database::DumpArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Back up one database now
    ///
    /// With --dsn and --to nothing needs to be configured but a key. The database is then called after its name
    /// inside Postgres: lower-cased, with a hyphen for everything else than a-z and 0-9.
    Run(Box<BackupRun>),
    /// List backups, newest first
    List(Listing),
    /// Show one backup
    #[command(visible_alias = "status")]
    Show(JobArgument),
    /// Stop a backup that no worker holds
    ///
    /// A backup that is running is stopped by SIGINT or SIGTERM to its process.
    Cancel(JobArgument),
}

#[derive(Debug, Args)]
pub(crate) struct BackupRun {
    /// The configured database; with --dsn, the name to file the backup under
    #[arg(long, value_name = "NAME", required_unless_present = "dsn")]
    pub(crate) database: Option<DatabaseId>,
    /// Back up this source instead of a configured one
    #[arg(long, value_name = "DSN", requires = "to")]
    pub(crate) dsn: Option<String>,
    /// Where to store, together with --dsn
    #[arg(long, value_name = "URL", requires = "dsn")]
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

#[derive(Debug, Args)]
pub(crate) struct JobArgument {
    /// The job's id, as `backup list` shows it
    #[arg(value_name = "JOB")]
    pub(crate) job: JobId,
}
