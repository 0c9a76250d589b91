use std::path::PathBuf;

use clap::{Args, Subcommand};
use walwarden_core::verify::JobId;

/// What can be done with any archive of `pg_dump --format=custom`, made by Walwarden or not.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Show header and table of contents, without reading the data
    Inspect(ArchiveFile),
    /// Read all of it and write its index: where each entry lies, rows and digest of each table
    Index(ArchiveIndex),
    /// Read all of it and say whether it is whole, and whether it is the one of an index
    ///
    /// Without --index this shows that pg_restore can read the archive to its end. That the data in it are those that
    /// were dumped, only an index can tell that was kept elsewhere: archives have next to no checksums.
    Verify(ArchiveVerify),
    /// Write a copy whose data are compressed differently; table of contents and rows stay as they are
    Transcode(ArchiveTranscode),
    /// Take it apart into a new folder in directory format, for pg_restore --jobs
    Explode(ArchiveExplode),
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveFile {
    /// The archive; - reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveIndex {
    #[command(flatten)]
    pub(crate) archive: ArchiveFile,
    /// Write the index into this new file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The backup's job, which the index names; an archive that is no backup of ours has none
    #[arg(long, value_name = "JOB", default_value = NO_JOB)]
    pub(crate) job: JobId,
}

/// The first of all ids of jobs, at the beginning of 1970.
const NO_JOB: &str = "00000000-0000-7000-8000-000000000000";

#[derive(Debug, Args)]
pub(crate) struct ArchiveVerify {
    #[command(flatten)]
    pub(crate) archive: ArchiveFile,
    /// The index it is compared with: *.index.json beside a backup, or what `archive index` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) index: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveTranscode {
    #[command(flatten)]
    pub(crate) archive: ArchiveFile,
    /// gzip, zstd, lz4 or none; gzip and zstd with a level after a colon: zstd:9
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub(crate) compression: String,
    /// The new file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveExplode {
    #[command(flatten)]
    pub(crate) archive: ArchiveFile,
    /// The new folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
