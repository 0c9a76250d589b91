//! Child processes of the demo.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use walwarden_core::{Code, Error, Result};

/// Runs a program to its end with `input` on stdin, and returns what it printed.
pub(super) async fn output_of(name: &str, mut command: Command, input: &[u8]) -> Result<String> {
    let failed = |error: std::io::Error| {
        Error::new(Code::ClientMissing, format!("{name} cannot be run")).with_source(error)
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let feed = async move {
        // A child that ends before it has read everything says why by itself.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let ((), ended) = tokio::join!(feed, child.wait_with_output());
    let ended = ended.map_err(failed)?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Err(Error::new(Code::Internal, format!("{name} ended with {}", ended.status)).with_source(words))
}
