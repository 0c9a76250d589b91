//! Runs `pg_restore` and judges how it ended.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::spool::VerifiedDump;
use crate::error::{Code, Error, Result};
use crate::source::{Dsn, Ended, Program};
use crate::watch::{Cancel, Watch};

/// What is given to `pg_restore` besides target and archive.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn push(&mut self, argument: &str) -> &mut Self {
        self.0.push(argument.into());
        self
    }

    pub(super) fn path(&mut self, option: &str, path: &Path) -> &mut Self {
        let mut argument = OsString::from(option);
        argument.push("=");
        argument.push(path);
        self.0.push(argument);
        self
    }
}

/// `pg_restore` of one client version, one verified dump, one target.
#[derive(Debug)]
pub(super) struct PgRestore<'a> {
    pub(super) program: &'a PathBuf,
    pub(super) target: &'a Dsn,
    pub(super) dump: &'a VerifiedDump,
    pub(super) cancel: &'a Cancel,
    pub(super) watch: &'a dyn Watch,
}
