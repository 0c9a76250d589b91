//! How a command ends.

use std::io;

use serde_json::{Value, json};
use walwarden_core::{Code, Error, Exit};

/// What a command returns: the exit status, or why it stopped.
pub(crate) type Ending = std::result::Result<u8, Stop>;

/// The status of a command that has printed its result. Whoever closed the pipe has read enough; the status stays.
pub(crate) fn printed(status: u8, outcome: io::Result<()>) -> Ending {
    match outcome.map_err(Stop::from) {
        Ok(()) | Err(Stop::PipeClosed) => Ok(status),
        Err(stop) => Err(stop),
    }
}

/// Done as asked.
pub(crate) const DONE: u8 = Exit::Ok as u8;

/// Why a command stopped early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something went wrong.
    Failed(Error),
    /// Whoever read our output has read enough: a success.
    PipeClosed,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Stop::PipeClosed
        } else {
            Stop::Failed(Error::new(Code::FileFailed, "cannot write to standard output").with_source(error))
        }
    }
}

/// The exit status of an error, from its code.
pub(crate) fn status(error: &Error) -> u8 {
    error.code().exit() as u8
}

/// The last record of a command that failed, in JSON mode.
pub(crate) fn record(error: &Error) -> Value {
    let lines = error.lines();
    json!({ "error": {
        "code": error.code().text(),
        "message": lines[0],
        "causes": lines[1..],
        "nextAction": error.code().next_action(),
        "retryable": error.code().retry() == walwarden_core::Retry::Yes,
        "exit": status(error),
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_code_cause_and_next_action() {
        let cause = io::Error::other("no route\nto host");
        let error =
            Error::new(Code::SourceUnreachable, "source cannot be reached host=db").with_source(cause);
        let record = record(&error);
        assert_eq!(record["error"]["code"], "source-unreachable");
        assert_eq!(record["error"]["causes"][0], "no route | to host");
        assert_eq!(record["error"]["retryable"], true);
        assert_eq!(record["error"]["exit"], 1);
        assert!(record["error"]["nextAction"].as_str().is_some_and(|text| text.starts_with("Check host")));
    }

    #[test]
    fn a_closed_pipe_does_not_change_the_status() {
        assert!(matches!(printed(3, Err(io::Error::from(io::ErrorKind::BrokenPipe))), Ok(3)));
        assert!(matches!(printed(3, Err(io::Error::from(io::ErrorKind::StorageFull))), Err(Stop::Failed(_))));
        assert!(matches!(printed(0, Ok(())), Ok(0)));
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert!(matches!(Stop::from(io::Error::from(io::ErrorKind::BrokenPipe)), Stop::PipeClosed));
        assert!(matches!(Stop::from(io::Error::from(io::ErrorKind::StorageFull)), Stop::Failed(_)));
    }
}
