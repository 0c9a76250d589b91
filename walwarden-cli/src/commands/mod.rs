//! What each command does.

mod backup;
mod catalog;
mod check;
mod database;
mod demo;
mod evidence;
mod init;
mod key;
mod pages;
mod restore;
mod status;
mod verify;

use crate::arguments::{Arguments, Command};
use crate::environment::Environment;
use crate::exit::Ending;
use crate::home::Home;
use crate::output::Output;

/// Carries out what was asked for.
pub(crate) async fn run(arguments: Arguments, output: Output) -> Ending {
    let home = || Home::open(arguments.home.as_deref(), Environment::process());
    match arguments.command {
        Command::Init => init::run(&home()?, output),
        Command::Key(command) => key::run(&command, &home()?, output),
        Command::Database(command) => database::run(command, &home()?, output).await,
        Command::Backup(command) => backup::run(command, &home()?, output).await,
        Command::Restore(restore) => {
            restore.check()?;
            restore::run(*restore, &home()?, output).await
        }
        Command::Evidence(command) => evidence::run(command, &home()?, output).await,
        Command::Verify(verify) => verify::run(&verify, output),
        Command::Catalog(command) => catalog::run(command, &home()?, output).await,
        Command::Status => status::run(&home()?, output).await,
        Command::Demo(demo) => demo::run(*demo, &Environment::process(), output).await,
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { out } => pages::manual(out.as_deref(), output),
    }
}
