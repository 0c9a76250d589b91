use clap::{Args, Subcommand};
use walwarden_core::verify::DatabaseId;

use super::variable_name;

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Add a database to the settings file
    Add(Box<DatabaseAdd>),
    /// List the configured databases
    List,
    /// Show one database's settings, without secrets
    Show(DatabaseName),
    /// Try the source and the destination, and say for each finding what to do
    Check(DatabaseName),
    /// Take a database out of the settings file; its backups stay where they are
    Remove(DatabaseName),
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseName {
    /// The configured name
    pub(crate) name: DatabaseId,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseAdd {
    /// The name, which also names its folder in the destination: a-z, 0-9 and hyphen
    pub(crate) name: DatabaseId,
    #[command(flatten)]
    pub(crate) source: SourceChoice,
    /// Where backups go: file:///…, s3://…, az://… or gs://… (this one never run against a server)
    #[arg(long, value_name = "URL")]
    pub(crate) destination: String,
    /// Read the source's password from this file at each run
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) dump: DumpArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SourceChoice {
    /// The source: a postgres:// URL or key=value pairs, as libpq takes them
    #[arg(long, value_name = "DSN")]
    pub(crate) dsn: Option<String>,
    /// Name of the environment variable that holds the DSN at each run, so that it is not stored
    #[arg(long, value_name = "VARIABLE", value_parser = variable_name)]
    pub(crate) dsn_env: Option<String>,
}

/// Connections that one backup may take.
pub(crate) const MOST_JOBS: u32 = 64;

/// What to dump and how; as `pg_dump` understands them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DumpArguments {
    /// zstd, gzip, lz4 or none; zstd and gzip with a level after a colon: zstd:9 [default: zstd, or gzip where the client
    /// programs are older than 16]
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub(crate) compression: Option<String>,
    /// Only schemas of this pattern; may be repeated
    #[arg(long = "schema", value_name = "PATTERN")]
    pub(crate) schemas: Vec<String>,
    /// No schemas of this pattern; may be repeated
    #[arg(long = "exclude-schema", value_name = "PATTERN")]
    pub(crate) exclude_schemas: Vec<String>,
    /// Only tables of this pattern; may be repeated
    #[arg(long = "table", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// No tables of this pattern; may be repeated
    #[arg(long = "exclude-table", value_name = "PATTERN")]
    pub(crate) exclude_tables: Vec<String>,
    /// The definition but not the rows of tables of this pattern; may be repeated
    #[arg(long = "exclude-table-data", value_name = "PATTERN")]
    pub(crate) exclude_table_data: Vec<String>,
    /// Leave ownership out of the dump
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave GRANT and REVOKE out of the dump
    #[arg(long)]
    pub(crate) no_privileges: bool,
    /// Fail rather than wait longer than this for a table that someone holds exclusively
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) lock_timeout: Option<u32>,
    /// Read tables over so many connections that see one snapshot, large ones in pieces [default: 1]
    ///
    /// What is stored is the same as over one connection. pg_dump keeps a connection, too; a server that has fewer to
    /// give is read over those.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_JOBS)))]
    pub(crate) jobs: Option<u32>,
    /// Store roles (without passwords) and tablespaces beside the dump
    #[arg(long)]
    pub(crate) globals: bool,
}
