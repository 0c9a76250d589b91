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
    pub(super) command: &'static str,
    expected: String,
}

/// The checks of a manifest and its dump, named by the variables `MANIFEST` and `DUMP`.
pub(super) fn checks(manifest_sha256: &str, dump: &Path) -> [OutsideCheck; 3] {
    [
        OutsideCheck {
            shows: "the manifest's hash is the handle that was printed",
            needs: &["sha256sum", "cut"],
            command: "sha256sum $MANIFEST | cut -d ' ' -f 1",
            expected: manifest_sha256.to_owned(),
        },
        OutsideCheck {
            shows: "its signature is by the demo's key",
            needs: &["jq", "openssl", "cut", "base64"],
            command: "jq -r .signature $MANIFEST | cut -d : -f 2 | base64 -d > signature.bin\n\
                      jq -cjS 'del(.signature)' $MANIFEST > signed.json\n\
                      openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in signed.json -sigfile signature.bin",
            expected: "Signature Verified Successfully".to_owned(),
        },
        OutsideCheck {
            shows: "the dump is the one the manifest names",
            needs: &["jq", "sha256sum"],
            command: "echo \"$(jq -r .checksumSha256 $MANIFEST)  $DUMP\" | sha256sum --check -",
            expected: format!("{}: OK", dump.display()),
        },
    ]
}

impl OutsideCheck {
    /// Runs the command in `folder`, if its programs are in one of the folders of `path`.
    pub(super) async fn run(&self, folder: &Path, manifest: &Path, dump: &Path, path: &[PathBuf]) -> Outcome {
        if let Some(absent) = self.needs.iter().find(|name| !path.iter().any(|dir| dir.join(name).is_file()))
        {
            return Outcome::NotChecked(format!("{absent} is not installed"));
        }
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", self.command]).env("MANIFEST", manifest).env("DUMP", dump);
        let ended = shell.current_dir(folder).kill_on_drop(true).output();
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
