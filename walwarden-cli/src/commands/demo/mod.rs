//! `walwarden demo`: the whole promise in a few minutes, on a server that is thrown away afterwards.

mod account;
mod cluster;
mod damage;
mod outside;
mod process;
mod programs;
mod stage;
mod steps;
mod tally;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walwarden_core::{Code, Error, Result};

use crate::arguments::DemoArguments;
use crate::environment::Environment;
use crate::exit::{Ending, Stop};
use crate::output::Output;
use stage::Demo;
use tally::Tally;

/// Dropping it stops the demo's server and removes its files.
pub(crate) async fn run(arguments: DemoArguments, environment: &Environment, output: Output) -> Ending {
    let arguments = &arguments;
    let programs = programs::find(arguments.bin_dir.as_deref(), environment)?;
    let folder = Folder::make(arguments.keep.as_deref())?;
    let mut tally = Tally::new(output);
    match steps(arguments, &programs, folder.path(), environment, &mut tally, output).await {
        // Nobody reads on, but a check that went otherwise is not to be hidden.
        Err(Stop::PipeClosed) => Ok(tally.status()),
        ending => ending,
    }
}

async fn steps(
    arguments: &DemoArguments,
    programs: &Path,
    folder: &Path,
    environment: &Environment,
    tally: &mut Tally,
    output: Output,
) -> Ending {
    if !output.is_json() {
        output.line("Backs up, restores, damages and proves a throw-away Postgres. Nothing but its own files is touched.")?;
    }
    let mut demo = Demo::start(programs, folder, arguments.orders, environment, tally).await?;
    demo.back_up(tally).await?;
    demo.restore(tally).await?;
    demo.restore_damaged_copy(tally).await?;
    demo.export_and_verify(tally).await?;
    demo.check_from_outside(environment, tally).await?;
    demo.farewell(arguments.keep.is_some(), tally)?;
    tally.verdict()
}

/// Where the demo's files lie: a temporary folder, or one that stays.
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn make(keep: Option<&Path>) -> Result<Self> {
        let failed = |path: &Path, error: std::io::Error| {
            Error::new(Code::FileFailed, format!("demo folder cannot be made path={}", path.display()))
                .with_source(error)
        };
        match keep {
            Some(path) => {
                let path = std::path::absolute(path).map_err(|error| failed(path, error))?;
                fs::create_dir(&path).map_err(|error| failed(&path, error))?;
                Ok(Folder::Kept(path))
            }
            None => tempfile::Builder::new()
                .prefix("walwarden-demo-")
                .tempdir()
                .map(Folder::Temporary)
                .map_err(|error| failed(&std::env::temp_dir(), error)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(path) => path,
        }
    }
}

/// Files of the demo's own that could not be read or written.
fn file_failed(path: &Path) -> impl FnOnce(std::io::Error) -> Stop {
    let message = format!("demo file cannot be used path={}", path.display());
    move |error| Error::new(Code::FileFailed, message).with_source(error).into()
}
