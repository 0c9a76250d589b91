use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use walwarden_bindings::engine::{self, runtime};
use walwarden_core::manifest::ManifestSigner as _;
use walwarden_core::storage::Storage;

use crate::arguments::texts;
use crate::failure::OrRaise as _;

/// A signing key in a file of its own.
#[pyclass(frozen, module = "walwarden")]
pub(crate) struct FileKey(pub(crate) Arc<walwarden_core::manifest::FileKey>);

#[pymethods]
impl FileKey {
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| engine::file_key(&path, false)).map(|key| FileKey(Arc::new(key))).or_raise(py)
    }

    #[staticmethod]
    fn generate(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(|| engine::file_key(&path, true)).map(|key| FileKey(Arc::new(key))).or_raise(py)
    }

    #[getter]
    fn public_key(&self) -> String {
        self.0.public_key().to_pem()
    }

    #[getter]
    fn key_id(&self) -> String {
        self.0.public_key().key_id().to_string()
    }

    fn __repr__(&self) -> String {
        format!("<walwarden.FileKey: {}>", self.key_id())
    }
}

/// Storage of the engine's own.
#[pyclass(frozen, module = "walwarden")]
pub(crate) struct Destination {
    pub(crate) storage: Arc<dyn Storage>,
    url: String,
}

#[pymethods]
impl Destination {
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    fn __repr__(&self) -> String {
        format!("<walwarden.Destination: {}>", self.url)
    }
}

#[pyfunction]
#[pyo3(signature = (url, *, credentials=None, make_folder=false))]
pub(crate) fn open_storage(
    py: Python<'_>,
    url: String,
    #[pyo3(from_py_with = texts)] credentials: Option<BTreeMap<String, String>>,
    make_folder: bool,
) -> PyResult<Destination> {
    let runtime = runtime().or_raise(py)?;
    let opened = py.detach(|| runtime.block_on(engine::open_storage(&url, credentials, make_folder)));
    opened.map(|storage| Destination { storage, url }).or_raise(py)
}
