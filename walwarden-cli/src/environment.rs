//! The process's environment: the one place that reads it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use walwarden_core::{Code, Error, Result};

/// Looks environment variables up.
pub(crate) struct Environment(Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>);

impl Environment {
    /// The process's own.
    pub(crate) fn process() -> Self {
        #[allow(clippy::disallowed_methods)] // the command line is where the environment comes in
        let lookup = |name: &str| std::env::var_os(name);
        Environment(Box::new(lookup))
    }

    /// The variable's value, unless it is unset or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        match (self.0)(name) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => value.into_string().map(Some).map_err(|_| {
                Error::new(Code::ArgumentInvalid, format!("environment variable is not UTF-8 name={name}"))
            }),
        }
    }

    /// The variable's value as a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The variable's value as a list of paths, separated as in `PATH`.
    pub(crate) fn paths(&self, name: &str) -> Option<Vec<PathBuf>> {
        let value = (self.0)(name).filter(|value| !value.is_empty())?;
        Some(std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect())
    }
}

#[cfg(test)]
impl Environment {
    /// One made of pairs.
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let pairs: Vec<(String, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Environment(Box::new(move |wanted| {
            pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        }))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
