//! The process's environment: the one place that reads it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use walwarden_core::{Code, Error, Result};

/// The environment variables as they were at the start.
pub(crate) struct Environment(Vec<(String, OsString)>);

impl Environment {
    /// The process's own.
    pub(crate) fn process() -> Self {
        Environment(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect(),
        )
    }

    /// The same without all variables but these.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        Environment(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// All variables whose values are text.
    pub(crate) fn all(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().filter_map(|(name, value)| Some((name.clone(), value.to_str()?.to_owned())))
    }

    /// The variable's value, unless it is unset or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        let text = self.value(name).map(|value| value.clone().into_string()).transpose();
        text.map_err(|_| {
            Error::new(Code::ArgumentInvalid, format!("environment variable is not UTF-8 name={name}"))
        })
    }

    /// The variable's value as a path, which starts at the working directory where it is relative.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(|path| std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)))
    }

    /// The variable's value as a list of paths, separated as in `PATH`.
    pub(crate) fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        let value = self.value(name)?;
        Some(std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect())
    }

    /// The variable's value as it is, unless it is unset or empty.
    pub(crate) fn value(&self, name: &str) -> Option<&OsString> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
impl Environment {
    /// One made of pairs.
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Environment(pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
