//! SIGINT and SIGTERM: the first asks the job to stop and record it, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Exit, Result};

use crate::output::Output;

/// A cancellation that the process's signals trigger.
///
/// # Errors
/// `internal` when the signals cannot be listened to.
pub(crate) fn cancel_on_signal(output: Output) -> Result<Cancel> {
    let failed =
        |error: std::io::Error| Error::new(Code::Internal, "cannot listen for signals").with_source(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let cancel = Cancel::default();
    let asked = cancel.clone();
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        asked.cancel();
        output.note("stopping at the next safe point; once more ends the process at once");
        next(&mut interrupt, &mut terminate).await;
        std::process::exit(i32::from(Exit::Cancelled as u8));
    });
    Ok(cancel)
}

async fn next(interrupt: &mut tokio::signal::unix::Signal, terminate: &mut tokio::signal::unix::Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
