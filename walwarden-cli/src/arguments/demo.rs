use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder of the PostgreSQL server programs (initdb, postgres, pg_dump, …) [default: PATH, then the usual folders]
    #[arg(long, value_name = "DIR")]
    pub(crate) bin_dir: Option<PathBuf>,
    /// Leave everything in this new folder instead of a temporary one that is removed
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// How many orders the sample shop has; its other tables grow along
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub(crate) orders: u32,
}
