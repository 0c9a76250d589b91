use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use walwarden_bindings::engine::{self, BackupOptions, EngineOptions, RestoreOptions, runtime};
use walwarden_bindings::own::{OwnSigner, OwnStorage};
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::source::DumpOptions;
use walwarden_core::storage::Storage;
use walwarden_core::watch::Cancel;

use crate::arguments::list;
use crate::components::{Destination, FileKey};
use crate::failure::OrRaise as _;
use crate::job::Job;
use crate::own::{Own, listener};
use crate::results::{Plan, Rebuilt, RestoredRecord, RowsRecord, Sealed, exported};

/// Backs up, restores and exports evidence.
#[pyclass(frozen, module = "walwarden._native")]
pub(crate) struct Engine {
    engine: engine::Engine,
    patience: Duration,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (org_id, *, signer=None, catalog=None, spool_dir=None, worker=None, attempts=None, backoff_seconds=None, client_dirs=vec![], patience_seconds=None))]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        org_id: String,
        signer: Option<Bound<'_, PyAny>>,
        catalog: Option<PathBuf>,
        spool_dir: Option<PathBuf>,
        worker: Option<String>,
        attempts: Option<u32>,
        backoff_seconds: Option<f64>,
        #[pyo3(from_py_with = list)] client_dirs: Vec<PathBuf>,
        patience_seconds: Option<f64>,
    ) -> PyResult<Self> {
        let patience = engine::patience(patience_seconds).or_raise(py)?;
        let signer = signer.map(|signer| signing(&signer, patience)).transpose()?;
        let options =
            EngineOptions { org_id, catalog, spool_dir, worker, attempts, backoff_seconds, client_dirs };
        let runtime = runtime().or_raise(py)?;
        let opened = py.detach(|| runtime.block_on(engine::Engine::open(options, signer)));
        Ok(Engine { engine: opened.or_raise(py)?, patience })
    }

    #[pyo3(signature = (database_id, source, to, *, jobs=None, compression=None, roles=false, no_owner=false, no_privileges=false, schemas=vec![], exclude_schemas=vec![], tables=vec![], exclude_tables=vec![], exclude_table_data=vec![], lock_timeout_seconds=None, on_event=None))]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn backup(
        &self,
        py: Python<'_>,
        database_id: String,
        source: String,
        to: Bound<'_, PyAny>,
        jobs: Option<u32>,
        compression: Option<String>,
        roles: bool,
        no_owner: bool,
        no_privileges: bool,
        #[pyo3(from_py_with = list)] schemas: Vec<String>,
        #[pyo3(from_py_with = list)] exclude_schemas: Vec<String>,
        #[pyo3(from_py_with = list)] tables: Vec<String>,
        #[pyo3(from_py_with = list)] exclude_tables: Vec<String>,
        #[pyo3(from_py_with = list)] exclude_table_data: Vec<String>,
        lock_timeout_seconds: Option<u32>,
        on_event: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Job> {
        let mut dump = DumpOptions::default();
        dump.no_owner = no_owner;
        dump.no_privileges = no_privileges;
        dump.schemas = schemas;
        dump.exclude_schemas = exclude_schemas;
        dump.tables = tables;
        dump.exclude_tables = exclude_tables;
        dump.exclude_table_data = exclude_table_data;
        dump.lock_timeout_seconds = lock_timeout_seconds;
        let options = BackupOptions { database_id, source, jobs, compression, globals: roles, dump };
        let (engine, to, cancel) = (self.engine.clone(), self.storage("to", &to)?, Cancel::default());
        let (listener, stop) = (on_event.map(listener).transpose()?, cancel.clone());
        let work = async move { engine.backup(options, to, listener, stop).await };
        Job::start(py, cancel, work, Sealed)
    }

    #[pyo3(signature = (manifest_sha256, storage, target, mode, *, public_keys=vec![], created_database=None, confirm_destructive=false, from_destination=false, no_owner=false, no_privileges=false, tables=vec![], schemas=vec![], scope=None, jobs=None, check=None, spooling=None))]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn plan_restore(
        &self,
        py: Python<'_>,
        manifest_sha256: String,
        storage: Bound<'_, PyAny>,
        target: String,
        mode: String,
        #[pyo3(from_py_with = list)] public_keys: Vec<String>,
        created_database: Option<String>,
        confirm_destructive: bool,
        from_destination: bool,
        no_owner: bool,
        no_privileges: bool,
        #[pyo3(from_py_with = list)] tables: Vec<(Option<String>, String)>,
        #[pyo3(from_py_with = list)] schemas: Vec<String>,
        scope: Option<String>,
        jobs: Option<u32>,
        check: Option<String>,
        spooling: Option<String>,
    ) -> PyResult<Job> {
        let options = RestoreOptions {
            manifest_sha256,
            public_keys,
            target,
            mode,
            created_database,
            confirm_destructive,
            from_destination,
            no_owner,
            no_privileges,
            tables,
            schemas,
            scope,
            jobs,
            check,
            spooling,
        };
        let (engine, from, cancel) =
            (self.engine.clone(), self.storage("storage", &storage)?, Cancel::default());
        let stop = cancel.clone();
        let work = async move { engine.plan(options, from, stop).await };
        Job::start(py, cancel, work, Plan)
    }

    #[pyo3(signature = (plan, *, on_event=None))]
    fn restore(&self, py: Python<'_>, plan: &Plan, on_event: Option<Bound<'_, PyAny>>) -> PyResult<Job> {
        let (engine, planned, cancel) = (self.engine.clone(), plan.0.clone(), Cancel::default());
        let (listener, stop) = (on_event.map(listener).transpose()?, cancel.clone());
        let work = async move { engine.restore(planned, listener, stop).await };
        Job::start(py, cancel, work, RestoredRecord)
    }

    #[pyo3(signature = (database_id, storages, out, *, artifacts=false, allow_missing=false))]
    fn export_evidence(
        &self,
        py: Python<'_>,
        database_id: String,
        #[pyo3(from_py_with = list)] storages: Vec<Bound<'_, PyAny>>,
        out: PathBuf,
        artifacts: bool,
        allow_missing: bool,
    ) -> PyResult<Job> {
        let from: PyResult<Vec<_>> = storages.iter().map(|from| self.storage("storages", from)).collect();
        let (engine, from, cancel) = (self.engine.clone(), from?, Cancel::default());
        let stop = cancel.clone();
        let work =
            async move { engine.export(&database_id, from, out, artifacts, allow_missing, &stop).await };
        Job::start(py, cancel, work, exported)
    }

    #[pyo3(signature = (storage, *, public_keys=vec![], database_id=None, accept_uncovered=false))]
    fn rebuild_catalog(
        &self,
        py: Python<'_>,
        storage: Bound<'_, PyAny>,
        #[pyo3(from_py_with = list)] public_keys: Vec<String>,
        database_id: Option<String>,
        accept_uncovered: bool,
    ) -> PyResult<Job> {
        let (engine, from, cancel) =
            (self.engine.clone(), self.storage("storage", &storage)?, Cancel::default());
        let stop = cancel.clone();
        let work = async move {
            engine.rebuild(from, &public_keys, database_id.as_deref(), accept_uncovered, &stop).await
        };
        Job::start(py, cancel, work, |chains| chains.into_iter().map(Rebuilt::from).collect::<Vec<_>>())
    }

    fn rows(&self, py: Python<'_>, database_id: String, first_seq: u64, limit: u32) -> PyResult<Job> {
        let engine = self.engine.clone();
        let work = async move { engine.rows(&database_id, first_seq, limit).await };
        Job::start(py, Cancel::default(), work, RowsRecord)
    }
}

impl Engine {
    /// Storage of the engine's own, or an object that is one.
    fn storage(&self, name: &str, given: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Storage>> {
        if let Ok(destination) = given.cast::<Destination>() {
            return Ok(Arc::clone(&destination.get().storage));
        }
        Ok(Arc::new(OwnStorage::new(Own::storage(name, given)?, self.patience)))
    }
}

/// A key in a file, or an object that signs.
fn signing(given: &Bound<'_, PyAny>, patience: Duration) -> PyResult<Arc<dyn ManifestSigner>> {
    if let Ok(key) = given.cast::<FileKey>() {
        return Ok(Arc::clone(&key.get().0) as _);
    }
    let (public_key, signer) = Own::signer(given)?;
    Ok(Arc::new(OwnSigner::new(&public_key, signer, patience).or_raise(given.py())?))
}
