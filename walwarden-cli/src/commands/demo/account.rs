//! Postgres refuses to run as root, so root runs the demo's server as somebody else.

use std::path::Path;

use tokio::process::Command;
use walwarden_core::{Code, Error, Result};

/// The user that runs the demo's server.
#[derive(Debug, Clone)]
pub(super) enum Account {
    /// The caller.
    Own,
    /// Another one, because the caller is root.
    Other { name: &'static str, uid: u32, gid: u32 },
}

impl Account {
    /// The caller, unless that is root; then `postgres` or `nobody`.
    pub(super) async fn for_postgres() -> Result<Self> {
        if id(&["-u"]).await != Some(0) {
            return Ok(Account::Own);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id(&["-u", name]).await, id(&["-g", name]).await) {
                return Ok(Account::Other { name, uid, gid });
            }
        }
        Err(Error::new(
            Code::ArgumentInvalid,
            "Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as",
        ))
    }

    /// A command that runs as this user.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Account::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// User and group id, where it is not the caller.
    pub(super) fn ids(&self) -> Option<(u32, u32)> {
        match self {
            Account::Own => None,
            Account::Other { uid, gid, .. } => Some((*uid, *gid)),
        }
    }

    /// Its name, where it is not the caller.
    pub(super) fn name(&self) -> Option<&'static str> {
        match self {
            Account::Own => None,
            Account::Other { name, .. } => Some(name),
        }
    }
}

async fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().await.ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    String::from_utf8(text).ok()?.trim().parse().ok()
}
