//! SIGINT and SIGTERM: the first asks the command to stop and record it, the second ends the process at once. So does
//! the end of a few seconds: a store that does not answer must not keep anyone waiting.

use std::time::Duration;

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
        if tokio::time::timeout(LIMIT, next(&mut interrupt, &mut terminate)).await.is_err() {
            output.note("stopped without waiting any longer; the next run puts the rest in order");
        }
        std::process::exit(i32::from(Exit::Cancelled as u8));
    });
    Ok(cancel)
}

/// Does the work unless a signal ends it first.
///
/// # Errors
/// `cancelled` then; otherwise what the work returns.
pub(crate) async fn unless_signalled<T, E: From<Error>>(
    cancel: &Cancel,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, E> {
    let stopped = || Err(Error::new(Code::Cancelled, "stopped by a signal").into());
    cancel.or_drop(work).await.unwrap_or_else(stopped)
}

/// The library winds a job down in less.
const LIMIT: Duration = Duration::from_millis(4800);

async fn next(interrupt: &mut tokio::signal::unix::Signal, terminate: &mut tokio::signal::unix::Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
