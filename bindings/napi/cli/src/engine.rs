use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Object};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use tokio::sync::oneshot;
use walwarden_bindings::engine::{self, Listener};
use walwarden_core::restore::RestorePlan;
use walwarden_core::source::TableName;
use walwarden_core::verify::canonical;
use walwarden_core::{Result, export, mirror, restore};
use walwarden_node_verifier::tell;

use crate::components::{Destination, SigningKey};
use crate::job::{Cancel, start};
use crate::options::{BackupOptions, EngineOptions, ExportOptions, RebuildOptions, RestoreOptions};

/// A backup whose manifest and dump were read back and compared.
#[napi(object, object_from_js = false)]
pub struct Sealed {
    pub job_id: String,
    /// The handle that a restore takes.
    pub manifest_sha256: String,
    /// The manifest's own canonical bytes.
    pub manifest: Buffer,
}

/// What a restore will do.
#[napi]
pub struct Plan(RestorePlan);

#[napi]
impl Plan {
    /// The database that will hold the data.
    #[napi(getter)]
    pub fn database(&self) -> &str {
        self.0.database()
    }

    #[napi(getter)]
    pub fn target_version(&self) -> &str {
        self.0.target_version()
    }

    /// In place: whether a failure leaves the old contents as they were.
    #[napi(getter)]
    pub fn in_one_transaction(&self) -> bool {
        self.0.in_one_transaction()
    }

    /// Whether the dump is first copied into the spool folder.
    #[napi(getter)]
    pub fn spools(&self) -> bool {
        self.0.spools()
    }

    /// In place: what is in the target now.
    #[napi(getter)]
    pub fn dropped(&self) -> Vec<String> {
        self.0.dropped().to_vec()
    }

    #[napi(getter)]
    pub fn notices(&self) -> Vec<String> {
        self.0.notices().to_vec()
    }
}

/// A table that agrees with the backup's index.
#[napi(object, object_from_js = false)]
pub struct CheckedTable {
    pub schema: String,
    pub name: String,
    pub rows: f64,
    pub digest: Option<String>,
}

/// A finished restore.
#[napi(object, object_from_js = false)]
pub struct Restored {
    pub database: String,
    pub notices: Vec<String>,
    /// Every table that was compared with the backup's index; absent where nothing was compared.
    pub checked: Option<Vec<CheckedTable>>,
}

/// A chain that came back into the catalogue.
#[napi(object, object_from_js = false)]
pub struct Rebuilt {
    pub org_id: String,
    /// Absent for the organisation's own chain.
    pub database_id: Option<String>,
    pub rows: f64,
    /// So many of them, from the first on, are covered by the newest checkpoint that a trusted key signed.
    pub covered_rows: f64,
    /// Backups it tells of, in whatever state.
    pub backups: f64,
    pub notices: Vec<String>,
}

/// Something that should be in a bundle and is not.
#[napi(object, object_from_js = false)]
pub struct Missing {
    pub name: String,
    pub code: String,
}

/// What a bundle holds.
#[napi(object, object_from_js = false)]
pub struct Exported {
    pub size_bytes: f64,
    pub rows: f64,
    pub manifests: f64,
    pub artifacts: f64,
    pub head: String,
    pub missing: Vec<Missing>,
}

/// What a job does, in one record for all that may happen.
#[napi(object, object_from_js = false)]
pub struct Event {
    pub r#type: String,
    pub job_id: Option<String>,
    pub state: Option<String>,
    pub at: Option<String>,
    /// JSON.
    pub payload: Option<String>,
    pub text: Option<String>,
    pub done_bytes: Option<f64>,
    pub total_bytes: Option<f64>,
}

/// Is told what a job does, and at its end nothing. Must not throw.
pub type Told = ThreadsafeFunction<Option<Event>, (), Option<Event>, Status, false, true>;

fn listener(told: &Arc<Told>) -> Listener {
    let told = Arc::clone(told);
    Box::new(move |event| {
        let (told, event) = (Arc::clone(&told), event.into());
        tell(move || {
            told.call(Some(event), ThreadsafeFunctionCallMode::NonBlocking);
        });
    })
}

/// Waits until everything was told.
async fn heard<T>(told: Option<Arc<Told>>, result: Result<T>) -> Result<T> {
    if let Some(told) = told {
        // Whatever came before goes its way first.
        let (reached, before) = oneshot::channel();
        tell(move || {
            let _ = reached.send(());
        });
        let _ = before.await;
        // Fails only while Node shuts down: nobody is there to be told.
        let _ = told.call_async_catch(None).await;
    }
    result
}

/// Backs up, restores and exports evidence.
#[napi]
pub struct Engine(engine::Engine);

/// Opens an engine for the backups of one organisation.
#[napi(ts_return_type = "Promise<Engine | Failure>")]
pub fn open_engine<'env>(
    env: &'env Env,
    org_id: String,
    signer: Option<&SigningKey>,
    options: EngineOptions,
) -> napi::Result<Object<'env>> {
    let (options, signer) = (options.of(org_id), signer.map(|signer| Arc::clone(&signer.0)));
    start(env, async move { engine::Engine::open(options?, signer).await }, Engine)
}

#[napi]
impl Engine {
    #[napi(ts_return_type = "Promise<Sealed | Failure>")]
    #[allow(clippy::too_many_arguments, reason = "the other half has an object for them")]
    pub fn backup<'env>(
        &self,
        env: &'env Env,
        database_id: String,
        source: String,
        to: &Destination,
        options: BackupOptions,
        cancel: &Cancel,
        #[napi(ts_arg_type = "(event: Event | null) => void")] told: Option<Told>,
    ) -> napi::Result<Object<'env>> {
        let (engine, to, cancel) = (self.0.clone(), Arc::clone(&to.storage), cancel.0.clone());
        let (options, told) = (options.of(database_id, source), told.map(Arc::new));
        let work = async move {
            let sealed = engine.backup(options, to, told.as_ref().map(listener), cancel).await;
            heard(told, sealed).await
        };
        start(env, work, |sealed| Sealed {
            job_id: sealed.job_id.to_string(),
            manifest_sha256: sealed.manifest_sha256.to_string(),
            manifest: sealed.manifest.as_bytes().into(),
        })
    }

    #[napi(ts_return_type = "Promise<Plan | Failure>")]
    #[allow(clippy::too_many_arguments, reason = "the other half has an object for them")]
    pub fn plan_restore<'env>(
        &self,
        env: &'env Env,
        manifest_sha256: String,
        storage: &Destination,
        target: String,
        mode: String,
        options: RestoreOptions,
        cancel: &Cancel,
    ) -> napi::Result<Object<'env>> {
        let options = options.of(manifest_sha256, target, mode);
        let (engine, from, cancel) = (self.0.clone(), Arc::clone(&storage.storage), cancel.0.clone());
        start(env, async move { engine.plan(options, from, cancel).await }, Plan)
    }

    #[napi(ts_return_type = "Promise<Restored | Failure>")]
    pub fn restore<'env>(
        &self,
        env: &'env Env,
        plan: &Plan,
        cancel: &Cancel,
        #[napi(ts_arg_type = "(event: Event | null) => void")] told: Option<Told>,
    ) -> napi::Result<Object<'env>> {
        let (engine, plan, cancel) = (self.0.clone(), plan.0.clone(), cancel.0.clone());
        let told = told.map(Arc::new);
        let work = async move {
            let restored = engine.restore(plan, told.as_ref().map(listener), cancel).await;
            heard(told, restored).await
        };
        start(env, work, |restored| {
            let checked = restored.checked.map(|tables| tables.into_iter().map(Into::into).collect());
            Restored { database: restored.database, notices: restored.notices, checked }
        })
    }

    #[napi(ts_return_type = "Promise<Exported | Failure>")]
    pub fn export_evidence<'env>(
        &self,
        env: &'env Env,
        database_id: String,
        storages: Vec<&Destination>,
        out: String,
        options: ExportOptions,
        cancel: &Cancel,
    ) -> napi::Result<Object<'env>> {
        let from = storages.iter().map(|from| Arc::clone(&from.storage)).collect();
        let (engine, out, cancel) = (self.0.clone(), PathBuf::from(out), cancel.0.clone());
        let ExportOptions { artifacts, allow_missing } = options;
        let (artifacts, allow_missing) = (artifacts.unwrap_or_default(), allow_missing.unwrap_or_default());
        let work =
            async move { engine.export(&database_id, from, out, artifacts, allow_missing, &cancel).await };
        start(env, work, Exported::from)
    }

    #[napi(ts_return_type = "Promise<Array<Rebuilt> | Failure>")]
    pub fn rebuild_catalog<'env>(
        &self,
        env: &'env Env,
        storage: &Destination,
        options: RebuildOptions,
        cancel: &Cancel,
    ) -> napi::Result<Object<'env>> {
        let (engine, from, cancel) = (self.0.clone(), Arc::clone(&storage.storage), cancel.0.clone());
        let RebuildOptions { public_keys, database_id, accept_uncovered } = options;
        let accept_uncovered = accept_uncovered.unwrap_or_default();
        let work = async move {
            engine.rebuild(from, &public_keys, database_id.as_deref(), accept_uncovered, &cancel).await
        };
        start(env, work, |chains| chains.into_iter().map(Rebuilt::from).collect::<Vec<_>>())
    }

    #[napi(ts_return_type = "Promise<Array<Buffer> | Failure>")]
    pub fn rows<'env>(
        &self,
        env: &'env Env,
        database_id: String,
        first_seq: u32,
        limit: u32,
    ) -> napi::Result<Object<'env>> {
        let engine = self.0.clone();
        let work = async move { engine.rows(&database_id, first_seq.into(), limit).await };
        start(env, work, |rows| rows.into_iter().map(Buffer::from).collect::<Vec<_>>())
    }
}

impl From<restore::CheckedTable> for CheckedTable {
    fn from(table: restore::CheckedTable) -> Self {
        let TableName { schema, name } = table.table;
        let digest = table.actual_digest.map(|digest| digest.to_string());
        CheckedTable { schema, name, rows: table.actual_rows as f64, digest }
    }
}

impl From<mirror::Rebuilt> for Rebuilt {
    fn from(rebuilt: mirror::Rebuilt) -> Self {
        Rebuilt {
            org_id: rebuilt.subject.org_id.to_string(),
            database_id: rebuilt.subject.database_id.map(|id| id.to_string()),
            rows: rebuilt.rows as f64,
            covered_rows: rebuilt.covered_rows as f64,
            backups: rebuilt.backups as f64,
            notices: rebuilt.notices,
        }
    }
}

impl From<(export::Exported, u64)> for Exported {
    fn from((exported, size_bytes): (export::Exported, u64)) -> Self {
        let missing = exported.missing.iter();
        let missing =
            missing.map(|one| Missing { name: one.name.to_string(), code: one.why.text().to_owned() });
        Exported {
            size_bytes: size_bytes as f64,
            rows: exported.rows as f64,
            manifests: exported.manifests as f64,
            artifacts: exported.artifacts as f64,
            head: exported.head.to_string(),
            missing: missing.collect(),
        }
    }
}

impl From<engine::Event<'_>> for Event {
    fn from(event: engine::Event<'_>) -> Self {
        let mut record = Event {
            r#type: String::new(),
            job_id: None,
            state: None,
            at: None,
            payload: None,
            text: None,
            done_bytes: None,
            total_bytes: None,
        };
        match event {
            engine::Event::State(change) => {
                record.r#type = "state".to_owned();
                record.job_id = Some(change.job_id.to_string());
                record.state = Some(change.state.text().to_owned());
                record.at = Some(change.at.to_string());
                let payload = canonical::to_vec(&change.payload.clone().into());
                record.payload = Some(String::from_utf8_lossy(&payload).into_owned());
            }
            engine::Event::Notice(text) => {
                record.r#type = "notice".to_owned();
                record.text = Some(text.to_owned());
            }
            engine::Event::Transfer(moved) => {
                record.r#type = "transfer".to_owned();
                record.done_bytes = Some(moved.done_bytes as f64);
                record.total_bytes = moved.total_bytes.map(|bytes| bytes as f64);
            }
        }
        record
    }
}
