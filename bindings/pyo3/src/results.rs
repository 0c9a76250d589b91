//! What jobs return, as Python sees it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use walwarden_core::backup::SealedBackup;
use walwarden_core::restore::RestorePlan;
use walwarden_core::source::TableName;

/// What a backup sealed.
#[pyclass(frozen, module = "walwarden")]
pub(crate) struct Sealed(pub(crate) SealedBackup);

#[pymethods]
impl Sealed {
    #[getter]
    fn job_id(&self) -> String {
        self.0.job_id.to_string()
    }

    #[getter]
    fn manifest_sha256(&self) -> String {
        self.0.manifest_sha256.to_string()
    }

    #[getter]
    fn manifest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.manifest.as_bytes())
    }

    fn __repr__(&self) -> String {
        format!("<walwarden.Sealed: {}>", self.0.manifest_sha256)
    }
}

/// What a restore will do.
#[pyclass(frozen, module = "walwarden")]
pub(crate) struct Plan(pub(crate) RestorePlan);

#[pymethods]
impl Plan {
    fn __repr__(&self) -> String {
        format!("<walwarden.Plan: database={:?} target_version={:?}>", self.database(), self.target_version())
    }

    #[getter]
    fn database(&self) -> &str {
        self.0.database()
    }

    #[getter]
    fn target_version(&self) -> &str {
        self.0.target_version()
    }

    #[getter]
    fn in_one_transaction(&self) -> bool {
        self.0.in_one_transaction()
    }

    #[getter]
    fn spools(&self) -> bool {
        self.0.spools()
    }

    #[getter]
    fn dropped(&self) -> Vec<String> {
        self.0.dropped().to_vec()
    }

    #[getter]
    fn notices(&self) -> Vec<String> {
        self.0.notices().to_vec()
    }
}

/// A table that agrees with the backup's index.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct CheckedTable {
    schema: String,
    name: String,
    rows: u64,
    digest: Option<String>,
}

#[pymethods]
impl CheckedTable {
    fn __repr__(&self) -> String {
        format!("<walwarden.CheckedTable: {}.{} rows={}>", self.schema, self.name, self.rows)
    }
}

/// What a restore did.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct Restored {
    database: String,
    notices: Vec<String>,
    checked: Option<Vec<Py<CheckedTable>>>,
}

#[pymethods]
impl Restored {
    fn __repr__(&self) -> String {
        let checked = self.checked.as_ref().map_or("None".to_owned(), |tables| tables.len().to_string());
        format!("<walwarden.Restored: database={:?} checked={checked}>", self.database)
    }
}

/// Something that should be in a bundle and is not.
#[pyclass(frozen, get_all, module = "walwarden")]
#[derive(Clone)]
pub(crate) struct Missing {
    name: String,
    code: &'static str,
}

#[pymethods]
impl Missing {
    fn __repr__(&self) -> String {
        format!("<walwarden.Missing: {} [{}]>", self.name, self.code)
    }
}

/// A chain that came back into the catalogue.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct Rebuilt {
    org_id: String,
    database_id: Option<String>,
    rows: u64,
    covered_rows: u64,
    backups: u64,
    notices: Vec<String>,
}

#[pymethods]
impl Rebuilt {
    fn __repr__(&self) -> String {
        let database_id = self.database_id.as_deref().unwrap_or_default();
        format!("<walwarden.Rebuilt: {database_id} rows={} covered_rows={}>", self.rows, self.covered_rows)
    }
}

/// What a bundle holds.
#[pyclass(frozen, get_all, module = "walwarden")]
pub(crate) struct Exported {
    size_bytes: u64,
    rows: u64,
    manifests: u64,
    artifacts: u64,
    head: String,
    missing: Vec<Missing>,
}

#[pymethods]
impl Exported {
    fn __repr__(&self) -> String {
        let Exported { rows, manifests, artifacts, missing, .. } = self;
        let missing = missing.len();
        format!(
            "<walwarden.Exported: rows={rows} manifests={manifests} artifacts={artifacts} missing={missing}>"
        )
    }
}
pub(crate) struct RestoredRecord(pub(crate) walwarden_core::restore::Restored);

impl<'py> IntoPyObject<'py> for RestoredRecord {
    type Target = Restored;
    type Output = Bound<'py, Restored>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let table = |table: walwarden_core::restore::CheckedTable| {
            let TableName { schema, name } = table.table;
            let digest = table.actual_digest.map(|digest| digest.to_string());
            Py::new(py, CheckedTable { schema, name, rows: table.actual_rows, digest })
        };
        let checked = self.0.checked.map(|tables| tables.into_iter().map(table).collect()).transpose()?;
        Bound::new(py, Restored { database: self.0.database, notices: self.0.notices, checked })
    }
}

pub(crate) struct RowsRecord(pub(crate) Vec<Vec<u8>>);

impl<'py> IntoPyObject<'py> for RowsRecord {
    type Target = pyo3::types::PyList;
    type Output = Bound<'py, pyo3::types::PyList>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        pyo3::types::PyList::new(py, self.0.iter().map(|row| PyBytes::new(py, row)))
    }
}

impl From<walwarden_core::mirror::Rebuilt> for Rebuilt {
    fn from(rebuilt: walwarden_core::mirror::Rebuilt) -> Self {
        Rebuilt {
            org_id: rebuilt.subject.org_id.to_string(),
            database_id: rebuilt.subject.database_id.map(|id| id.to_string()),
            rows: rebuilt.rows,
            covered_rows: rebuilt.covered_rows,
            backups: rebuilt.backups,
            notices: rebuilt.notices,
        }
    }
}

pub(crate) fn exported((exported, size_bytes): (walwarden_core::export::Exported, u64)) -> Exported {
    let missing = exported.missing.iter();
    Exported {
        size_bytes,
        rows: exported.rows,
        manifests: exported.manifests,
        artifacts: exported.artifacts,
        head: exported.head.to_string(),
        missing: missing.map(|one| Missing { name: one.name.to_string(), code: one.why.text() }).collect(),
    }
}
