//! `pg_dump`s that misbehave.

use std::path::{Path, PathBuf};
use std::process::Command;

use walwarden_core::source::{ClientSearch, ClientSet};
use walwarden_testkit::postgres::bin_dir;

/// A `pg_dump` of major 17 that runs this shell script; `$REAL` is the true one.
pub struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    pub fn new(script: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let real = bin_dir(17).join("pg_dump");
        let text = format!(
            "#!/bin/bash\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) 17.0'; exit; fi\n\
             case \"$*\" in *nowhere*) exit 1;; esac\n\
             REAL={} HERE={}\n{script}\n",
            real.display(),
            folder.path().display()
        );
        write_executable(&folder.path().join("pg_dump"), &text);
        Program { folder }
    }

    /// Puts another program beside it that runs this shell script; what is only printed, the true one prints.
    pub fn with(self, name: &str, script: &str) -> Program {
        let text = format!(
            "#!/bin/bash\nHERE={}\ncase \"$*\" in *--create*) exec {} \"$@\";; esac\n{script}\n",
            self.folder.path().display(),
            bin_dir(17).join(name).display()
        );
        write_executable(&self.folder.path().join(name), &text);
        self
    }

    pub async fn clients(&self) -> ClientSet {
        let dirs = vec![self.folder.path().to_owned()];
        let clients = ClientSet::find(&ClientSearch { dirs, path: None, well_known: false }).await;
        assert_eq!(clients.iter().count(), 1);
        clients
    }

    /// A file that the script can leave for the test: `$HERE/name`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until the script has left a file.
    pub async fn reached(&self, name: &str) {
        let file = self.file(name);
        wait_until(&format!("the program leaves {name}"), || file.exists()).await;
    }
}

/// By another process: a file this one has open for writing could not be run while another test is forking.
pub fn write_executable(path: &Path, text: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""]);
    assert!(shell.arg(path).arg(text).status().unwrap().success());
}

/// Waits for something to become true, for half a minute at most.
pub async fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_true() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// Whether a process with this number, read from a file, is at work.
pub fn is_alive(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
