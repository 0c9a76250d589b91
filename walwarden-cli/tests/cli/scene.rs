//! A home folder of its own for each test, and commands that see no other environment.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A home folder and a destination folder.
pub(crate) struct Scene {
    folder: TempDir,
    clients: Option<PathBuf>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scene {
    /// Nothing but an empty folder.
    pub(crate) fn empty() -> Self {
        Scene { folder: tempfile::tempdir().unwrap(), clients: None }
    }

    /// With a key and a destination folder.
    pub(crate) fn with_key() -> Self {
        let scene = Scene::empty();
        std::fs::create_dir(scene.path("backups")).unwrap();
        scene.run(&["key", "generate"]).succeeds();
        scene
    }

    /// A path in the scene's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The destination's URL.
    pub(crate) fn destination(&self) -> String {
        format!("file://{}", self.text("backups"))
    }

    /// The same scene, whose commands find the client programs in this folder.
    pub(crate) fn with_clients(mut self, dir: PathBuf) -> Self {
        self.clients = Some(dir);
        self
    }

    /// `walwarden` with these arguments, in this scene's home.
    pub(crate) fn walwarden(&self, arguments: &[&str]) -> Command {
        let mut command = Command::from_std(self.process(arguments));
        command.timeout(std::time::Duration::from_secs(120));
        command
    }

    /// The same as a process that can be signalled.
    pub(crate) fn process(&self, arguments: &[&str]) -> Process {
        let mut process = bare(env!("CARGO_BIN_EXE_walwarden"));
        process.env("WALWARDEN_HOME", self.path("home")).args(arguments);
        if let Some(dir) = &self.clients {
            process.env("WALWARDEN_CLIENT_DIRS", dir);
        }
        process
    }

    /// Runs `walwarden` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.walwarden(arguments))
    }

    /// Runs it with `--json` in front, and reads the one object it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = ["--json"].into_iter().chain(arguments.iter().copied()).collect();
        let ended = self.run(&arguments).succeeds();
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["data"].take()
    }
}

/// `walwarden-verify` with these arguments.
pub(crate) fn verifier(arguments: &[&str]) -> Ended {
    let mut process = bare(env!("CARGO_BIN_EXE_walwarden-verify"));
    process.args(arguments);
    ended(&mut Command::from_std(process))
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    /// Panics unless it succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// Panics unless it ended with this status.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Panics unless it ended with the status and the code of this failure, and told what to do next.
    #[track_caller]
    pub(crate) fn fails(self, status: i32, code: &str) -> Self {
        let ended = self.exits(status);
        assert!(ended.stderr.contains(&format!("[{code}]\n")), "no [{code}] in:\n{}", ended.stderr);
        assert!(ended.stderr.contains("\nnext: "), "no next action in:\n{}", ended.stderr);
        ended
    }

    /// The records on stdout, one a line.
    #[track_caller]
    pub(crate) fn records(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The states among the records.
    pub(crate) fn states(&self) -> Vec<String> {
        let records = self.records();
        records.iter().filter_map(|record| record["state"].as_str().map(str::to_owned)).collect()
    }
}

/// A process whose environment holds nothing of ours.
fn bare(program: &str) -> Process {
    let mut process = Process::new(program);
    process.env_clear().env("PATH", path()).env("HOME", "/nonexistent").stdin(Stdio::null());
    process
}

#[allow(clippy::disallowed_methods)] // children need the real PATH
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
