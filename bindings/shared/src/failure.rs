use std::fmt;

/// What went wrong, as every language tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the caller does next, one of the kinds of `spec/outcomes.md`.
    pub kind: &'static str,
    /// The stable code.
    pub code: &'static str,
    /// One line with the object concerned.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// One sentence on what to do.
    pub next_action: &'static str,
    /// Whether the same call may succeed when repeated later.
    pub retryable: bool,
    /// The exit status with which a command would end.
    pub exit: u8,
}

impl Failure {
    fn invalid(code: &'static str, message: String, causes: Vec<String>, next_action: &'static str) -> Self {
        Failure { kind: "Invalid", code, message, causes, next_action, retryable: false, exit: 2 }
    }

    /// Of a file that cannot be read.
    pub(crate) fn file(message: String, cause: &std::io::Error) -> Self {
        Self::invalid("file-failed", message, vec![cause.to_string()], FILE_FAILED)
    }

    /// Of an argument without meaning.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::invalid("argument-invalid", message.into(), Vec::new(), ARGUMENT_INVALID)
    }

    /// Of what was stopped as asked.
    pub fn cancelled() -> Self {
        let next_action = CANCELLED;
        Failure {
            kind: "Cancelled",
            code: "cancelled",
            next_action,
            exit: 4,
            ..Self::argument("the verification was stopped")
        }
    }

    /// Of a defect of ours.
    pub fn defect(message: impl Into<String>) -> Self {
        let next_action = INTERNAL;
        Failure { kind: "Internal", code: "internal", next_action, exit: 3, ..Self::argument(message) }
    }
}

// The verifier alone does not have the engine's table; a test compares.
const FILE_FAILED: &str =
    "Check the path, its permissions and the free space; a file that exists is never overwritten.";
const INTERNAL: &str = "This is a defect of Walwarden: please report it with this message.";
const CANCELLED: &str = "Nothing to do: the job was stopped as asked.";
const ARGUMENT_INVALID: &str = "Correct the named argument or setting, and try again.";

impl fmt::Display for Failure {
    /// As the command line says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)?;
        self.causes.iter().try_for_each(|cause| write!(f, "\n  because: {cause}"))?;
        write!(f, "\nnext: {}", self.next_action)
    }
}

impl std::error::Error for Failure {}

#[cfg(feature = "engine")]
impl From<walwarden_core::Error> for Failure {
    fn from(error: walwarden_core::Error) -> Self {
        let code = error.code();
        let mut lines = error.lines();
        Failure {
            kind: code.kind().text(),
            code: code.text(),
            message: lines.remove(0),
            causes: lines,
            next_action: code.next_action(),
            retryable: code.retry() == walwarden_core::Retry::Yes,
            exit: code.exit() as u8,
        }
    }
}

#[cfg(all(test, feature = "engine"))]
mod tests {
    use super::*;
    use walwarden_core::{Code, Error};

    #[test]
    fn the_verifiers_failures_are_those_of_the_engines_table() {
        let cause = || std::io::Error::other("gone");
        let file = Error::new(Code::FileFailed, "bundle x").with_source(cause());
        assert_eq!(Failure::file("bundle x".to_owned(), &cause()), Failure::from(file));
        let stopped = Error::new(Code::Cancelled, "the verification was stopped");
        assert_eq!(Failure::cancelled(), Failure::from(stopped));
        assert_eq!(Failure::defect("no"), Failure::from(Error::new(Code::Internal, "no")));
        assert_eq!(Failure::argument("no"), Failure::from(Error::new(Code::ArgumentInvalid, "no")));
    }
}
