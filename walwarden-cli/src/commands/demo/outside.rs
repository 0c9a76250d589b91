//! Checks a manifest with nothing of ours: jq, openssl, sha256sum and a shell. What is printed is what is run.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::tally::Outcome;

/// One command, and what it must print.
#[derive(Debug)]
pub(super) struct OutsideCheck {
    /// What it shows when it holds.
    pub(super) shows: &'static str,
    /// The programs it needs.
    needs: &'static [&'static str],
    /// The shell command, run in the demo's folder.
    pub(super) command: String,
    expected: String,
}

/// The checks of a manifest and its dump. Paths are relative to the demo's folder.
pub(super) fn checks(manifest: &Path, manifest_sha256: &str, dump: &Path, key: &Path) -> Vec<OutsideCheck> {
    let (manifest, dump, key) = (manifest.display(), dump.display(), key.display());
    vec![
        OutsideCheck {
            shows: "the manifest's hash is the handle that was printed",
            needs: &["sha256sum", "cut"],
            command: format!("sha256sum {manifest} | cut -d ' ' -f 1"),
            expected: manifest_sha256.to_owned(),
        },
        OutsideCheck {
            shows: "its signature is by the demo's key",
            needs: &["jq", "openssl", "cut", "base64"],
            command: format!(
                "jq -r .signature {manifest} | cut -d : -f 2 | base64 -d > signature.bin\n\
                 jq -cjS 'del(.signature)' {manifest} > signed.json\n\
                 openssl pkeyutl -verify -pubin -inkey {key} -rawin -in signed.json -sigfile signature.bin"
            ),
            expected: "Signature Verified Successfully".to_owned(),
        },
        OutsideCheck {
            shows: "the dump is the one the manifest names",
            needs: &["jq", "sha256sum"],
            command: format!("echo \"$(jq -r .checksumSha256 {manifest})  {dump}\" | sha256sum --check -"),
            expected: format!("{dump}: OK"),
        },
    ]
}

impl OutsideCheck {
    /// Runs the command in `folder`.
    pub(super) async fn run(&self, folder: &Path, path: &[PathBuf]) -> Outcome {
        if let Some(absent) = self.needs.iter().find(|name| !path.iter().any(|dir| dir.join(name).is_file()))
        {
            return Outcome::NotChecked(format!("{absent} is not installed"));
        }
        let ended = Command::new("sh")
            .args(["-e", "-c", &self.command])
            .current_dir(folder)
            .kill_on_drop(true)
            .output();
        match ended.await {
            Ok(ended)
                if ended.status.success()
                    && String::from_utf8_lossy(&ended.stdout).trim() == self.expected =>
            {
                Outcome::AsExpected
            }
            Ok(ended) => Outcome::Unexpected(format!(
                "expected {:?}, got {:?} {:?} ({})",
                self.expected,
                String::from_utf8_lossy(&ended.stdout).trim(),
                String::from_utf8_lossy(&ended.stderr).trim(),
                ended.status
            )),
            Err(error) => Outcome::NotChecked(format!("sh cannot be run: {error}")),
        }
    }
}
