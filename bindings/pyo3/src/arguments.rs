//! Arguments that PyO3 would tell of in Rust's words. Which one it was PyO3 adds as a note.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString};

use crate::own::Octets;

/// An evidence bundle: its bytes, or where it lies.
pub(crate) enum Given {
    Bytes(Octets),
    Path(PathBuf),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.extract() {
            return Ok(Given::Bytes(bytes));
        }
        let path = object.extract().map(Given::Path);
        let is_path = object.is_instance_of::<PyString>() || object.hasattr("__fspath__")?;
        if is_path { path } else { path.map_err(|_| must_be("a path or bytes", &object)) }
    }
}

/// The members of whatever can be gone through. A text, whose members are letters, is one that should have been put into a list.
pub(crate) fn list<'py, T: FromPyObjectOwned<'py>>(given: &Bound<'py, PyAny>) -> PyResult<Vec<T>> {
    let text = given.is_instance_of::<PyString>()
        || given.is_instance_of::<PyBytes>()
        || given.is_instance_of::<PyByteArray>();
    if text || given.cast::<PyMapping>().is_ok() {
        return Err(must_be("a list", given));
    }
    given
        .try_iter()
        .map_err(|_| must_be("a list", given))?
        .map(|member| member?.extract().map_err(Into::into))
        .collect()
}

/// A mapping from texts to texts, of which some may be secrets.
pub(crate) fn texts(given: &Bound<'_, PyAny>) -> PyResult<Option<BTreeMap<String, String>>> {
    if given.is_none() {
        return Ok(None);
    }
    let mapping = given.cast::<PyMapping>().map_err(|_| must_be("a mapping", given))?;
    mapping.items()?.iter().map(|item| item.extract()).collect::<PyResult<_>>().map(Some)
}

fn must_be(what: &str, given: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("must be {what}, not {}", class(given)))
}

/// The name of an object's class, which is told where the object may be a secret.
pub(crate) fn class(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}
