//! What each command does.

mod archive;
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
mod witness;

use walwarden_core::Result;

use crate::arguments::{Arguments, BackupCommand, Command};
use crate::environment::Environment;
use crate::exit::Ending;
use crate::home::Home;
use crate::output::Output;
use crate::signals::{cancel_on_signal, unless_signalled};

/// Carries out what was asked for.
pub(crate) async fn run(arguments: Arguments, output: Output) -> Ending {
    let home = || -> Result<Home> {
        let home = Home::open(arguments.home.as_deref(), Environment::process())?;
        if let Some(warning) = home.exposed_password() {
            output.note(format_args!("warning: {warning}"));
        }
        Ok(home)
    };
    let cancel = cancel_on_signal(output)?;
    // A job has an end of its own to record; whatever else is stopped is simply dropped.
    let winds_down =
        matches!(arguments.command, Command::Backup(BackupCommand::Run(_)) | Command::Restore(_));
    let work = async {
        match arguments.command {
            Command::Init => init::run(&home()?, output),
            Command::Key(command) => key::run(&command, &home()?, output).await,
            Command::Database(command) => database::run(command, &home()?, output).await,
            Command::Backup(command) => backup::run(command, &home()?, output, &cancel).await,
            Command::Restore(restore) => {
                restore.check()?;
                restore::run(*restore, &home()?, output, &cancel).await
            }
            Command::Evidence(command) => evidence::run(command, &home()?, output).await,
            Command::Witness(command) => witness::run(command, output).await,
            Command::Verify(verify) => verify::run(verify, output).await,
            Command::Archive(command) => archive::run(&command, output),
            Command::Catalog(command) => catalog::run(command, &home()?, output).await,
            Command::Status => status::run(&home()?, output).await,
            Command::Demo(demo) => demo::run(*demo, &Environment::process(), output).await,
            Command::Completions { shell } => pages::completions(shell),
            Command::Man { out } => pages::manual(out.as_deref(), output),
        }
    };
    if winds_down { work.await } else { unless_signalled(&cancel, work).await }
}
