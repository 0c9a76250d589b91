//! What a command says: results on stdout, everything else on stderr.

mod measure;
mod progress;
mod prompt;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};

pub(crate) use measure::{bytes, elapsed, span};
pub(crate) use progress::JobWatch;
pub(crate) use prompt::password;

/// Where a command's words go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    interactive: bool,
}

impl Output {
    /// Output of this process in the wanted form.
    pub(crate) fn new(json: bool) -> Self {
        Output { json, interactive: io::stderr().is_terminal() }
    }

    /// Whether records are wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches stderr.
    pub(crate) fn is_interactive(self) -> bool {
        self.interactive
    }

    /// Prints a result: `text` for people, or `data` in the `{"data": …}` envelope.
    ///
    /// # Errors
    /// When stdout cannot be written; a closed pipe among them.
    pub(crate) fn result(self, text: impl Display, data: &Value) -> io::Result<()> {
        if self.json { self.record(&json!({ "data": data })) } else { self.line(text) }
    }

    /// Prints one line of text, or several.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        let text = text.to_string();
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Prints one JSON record as a line.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn record(self, record: &Value) -> io::Result<()> {
        self.line(record)
    }

    /// Tells the person at the terminal something beside the result. What nobody can read is not worth failing for.
    pub(crate) fn note(self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// One of our own JSON values in the words of `serde_json`.
fn json_of(object: &walwarden_core::verify::json::Object) -> Value {
    let text = walwarden_core::verify::canonical::to_vec(&object.clone().into());
    serde_json::from_slice(&text).expect("canonical JSON is JSON")
}
