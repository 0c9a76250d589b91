//! The native half of the Python package `walwarden`; `python/walwarden/__init__.py` is the other one. Each function here
//! converts, calls and converts.

mod arguments;
mod components;
mod engine;
mod failure;
mod interpreter;
mod job;
mod own;
mod report;
mod results;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    use std::ffi::OsString;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::components::{Destination, FileKey, open_storage};
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::interpreter::{forked, leave};
    #[pymodule_export]
    use crate::job::Job;
    #[pymodule_export]
    use crate::report::{ChainKey, Finding, Report, verify};
    #[pymodule_export]
    use crate::results::{CheckedTable, Exported, Missing, Plan, Rebuilt, Restored, Sealed};

    /// The command `walwarden` with these arguments, its own name not among them; returns its exit status.
    #[pyfunction]
    fn walwarden(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| walwarden_cli::main(named("walwarden", arguments)))
    }

    /// The command `walwarden-verify`, likewise.
    #[pyfunction]
    fn walwarden_verify(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| walwarden_verifier::main(named("walwarden-verify", arguments)))
    }

    fn named(name: &str, arguments: Vec<OsString>) -> impl Iterator<Item = OsString> {
        std::iter::once(name.into()).chain(arguments)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
