//! Asks for a password at the terminal.

use std::fs::File;
use std::io;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Asks once. Dropped before there is an answer it puts the terminal back as it was found; the thread that reads cannot
/// be ended and goes with the process.
///
/// # Errors
/// When there is no terminal; `Interrupted` after Ctrl-C.
pub(crate) async fn password(prompt: String) -> io::Result<String> {
    let _terminal = Terminal::of_process()?;
    tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt)).await.map_err(io::Error::other)?
}

struct Terminal {
    file: File,
    found: Termios,
}

impl Terminal {
    fn of_process() -> io::Result<Self> {
        let file = File::open("/dev/tty")?;
        let found = tcgetattr(&file)?;
        Ok(Terminal { file, found })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _nothing_left_to_do = tcsetattr(&self.file, OptionalActions::Now, &self.found);
    }
}
