//! A client program as a child process.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::stderr::{Said, Stderr};
use super::{Client, Dsn};
use crate::error::{Code, Error, Result};

/// A running program in a process group of its own, which dies with this value.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    stderr: Stderr,
    drain: JoinHandle<()>,
    dsn: Dsn,
}

impl Program {
    /// Starts it with only the environment that the connection string brings.
    pub(crate) fn start(
        client: &Client,
        name: &'static str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        dsn: &Dsn,
    ) -> Result<(Program, ChildStdout)> {
        let path = client.program(name);
        let mut command = Command::new(&path);
        command.args(arguments).env_clear();
        for (variable, value) in dsn.child_environment() {
            command.env(variable, value.expose());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| {
            Error::new(Code::ClientMissing, format!("program does not start path={:?}", path.display()))
                .with_source(error)
        })?;
        let stdout = child.stdout.take().expect("standard output was asked to be a pipe");
        let errors = child.stderr.take().expect("standard error was asked to be a pipe");
        let stderr = Stderr::default();
        let drain = tokio::spawn(stderr.clone().drain(errors));
        Ok((Program { name, child, stderr, drain, dsn: dsn.clone() }, stdout))
    }

    /// Waits for the end, however long that takes, while `stdout` is read and dropped. The caller judges.
    pub(crate) async fn ended(mut self, mut stdout: ChildStdout) -> Result<(ExitStatus, Said)> {
        let name = self.name;
        let wait = |error| Error::new(Code::Internal, format!("cannot wait for {name}")).with_source(error);
        tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await.map_err(wait)?;
        let status = self.child.wait().await.map_err(wait)?;
        let _rest_is_left = tokio::time::timeout(DRAIN_GRACE, &mut self.drain).await;
        Ok((status, self.stderr.said(&self.dsn)))
    }

    /// Waits for the end, which is due now that standard output has ended. Only a zero exit status is a success.
    pub(super) async fn finish(mut self) -> Result<Said> {
        let status = tokio::time::timeout(EXIT_GRACE, self.child.wait()).await;
        // A grandchild could hold the pipe open; what is there by then is enough.
        let _rest_is_left = tokio::time::timeout(DRAIN_GRACE, &mut self.drain).await;
        let said = self.stderr.said(&self.dsn);
        match status {
            Ok(Ok(status)) if status.success() => Ok(said),
            Ok(Ok(status)) => Err(self.failure(status, said)),
            Ok(Err(error)) => {
                Err(Error::new(Code::Internal, format!("cannot wait for {}", self.name)).with_source(error))
            }
            Err(_elapsed) => {
                let line =
                    format!("{} closed its output but did not end in {} s", self.name, EXIT_GRACE.as_secs());
                Err(Error::new(Code::DumpFailed, line).with_source(said))
            }
        }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the process group at once and waits until it is gone.
    pub(super) async fn kill(mut self) {
        self.kill_group();
        let _gone = self.child.wait().await;
    }

    /// The error for output that is not what it should be although the exit status is zero.
    pub(super) fn bad_output(name: &str, problem: &str, said: Said) -> Error {
        Error::new(Code::DumpFailed, format!("{name} ended without an error but {problem}")).with_source(said)
    }

    fn failure(&self, status: ExitStatus, said: Said) -> Error {
        use std::os::unix::process::ExitStatusExt;
        let name = self.name;
        // Shells and wrappers report a signal as 128 + its number.
        let signal =
            status.signal().or(status.code().filter(|code| (129..160).contains(code)).map(|code| code - 128));
        if let Some(signal) = signal {
            return Error::new(Code::DumpKilled, format!("{name} was killed signal={signal}"))
                .with_source(said);
        }
        let exit = status.code().unwrap_or(-1);
        let line = match said.main_line() {
            "" => format!("{name} failed without a word exit={exit}"),
            line => format!("{name} failed: {line:?} exit={exit}"),
        };
        Error::new(said.code(), line).with_source(said)
    }

    fn kill_group(&self) {
        // No id any more means that the exit status was taken and the number may belong to someone else.
        let group = self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _already_gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill_group();
        self.drain.abort();
    }
}

/// How long a program may take to end once it has closed its output.
const EXIT_GRACE: Duration = Duration::from_secs(60);
const DRAIN_GRACE: Duration = Duration::from_secs(5);
