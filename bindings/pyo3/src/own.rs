//! Signers, storage and listeners written in Python. Each call is made on a thread of its own, for it may take its time.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pyo3::buffer::PyBuffer;
use pyo3::call::PyCallArgs;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::runtime::{Builder, Runtime};
use walwarden_bindings::Failure;
use walwarden_bindings::engine::{Event, Listener};
use walwarden_bindings::own::{HostSigner, HostStorage, HostUpload, failed};
use walwarden_bindings::process::PerProcess;
use walwarden_core::verify::canonical;
use walwarden_core::{Code, Error, Result};

use crate::arguments::{class, list};
use crate::failure::{OrRaise as _, crossed, raised};
use crate::interpreter::{enter, gone};

/// A Python object and what it is, for errors.
pub(crate) struct Own {
    object: Py<PyAny>,
    component: &'static str,
}

/// Threads for calls, which hold the interpreter's lock and so must not stand back as those of the engine do: made by a thread of the
/// host, and by those that it made.
fn callers() -> Result<&'static Runtime> {
    static CALLERS: PerProcess<Runtime> = PerProcess::new();
    CALLERS
        .get(|| Builder::new_multi_thread().worker_threads(1).build())
        .map_err(|error| Error::new(Code::Internal, "cannot start threads for calls").with_source(error))
}

const STORAGE_METHODS: [&str; 6] = ["upload", "size", "read", "list", "abandon", "put_if_absent"];

/// The error of an argument that is not what it is given as.
fn refused(object: &Bound<'_, PyAny>, told: &str) -> PyErr {
    raised(object.py(), Failure::argument(format!("{told} class={}", class(object))))
}

impl Own {
    /// A signer's public key and the signer.
    pub(crate) fn signer(object: &Bound<'_, PyAny>) -> PyResult<(String, Self)> {
        let public_key = object.getattr_opt("public_key")?.and_then(|key| key.extract().ok());
        let told = || refused(object, "signer is no FileKey and no Signer: it has no text public_key");
        let own = Own::having(object, "signer", &["sign"], "signer is no FileKey and no Signer")?;
        Ok((public_key.ok_or_else(told)?, own))
    }

    /// Storage, given as this argument.
    pub(crate) fn storage(argument: &str, object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let told = format!("{argument} is neither what open_storage returns nor a Storage");
        Own::having(object, "storage", &STORAGE_METHODS, &told)
    }

    fn having(
        object: &Bound<'_, PyAny>,
        component: &'static str,
        methods: &[&str],
        told: &str,
    ) -> PyResult<Self> {
        for method in methods {
            if !object.getattr_opt(method)?.is_some_and(|method| method.is_callable()) {
                return Err(refused(object, &format!("{told}: it has no method {method}")));
            }
        }
        callers().or_raise(object.py())?;
        Ok(Own { object: object.clone().unbind(), component })
    }

    async fn call<A, T>(&self, method: &'static str, arguments: A) -> Result<T>
    where
        A: for<'py> PyCallArgs<'py> + Send + 'static,
        T: for<'py> FromPyObjectOwned<'py> + Send + 'static,
    {
        let component = self.component;
        let Some(object) = enter(|py| self.object.clone_ref(py)) else { return Err(gone()) };
        let call = move || {
            enter(|py| {
                let answer = object
                    .bind(py)
                    .call_method1(method, arguments)
                    .map_err(|error| crossed(py, component, &error))?;
                if answer.hasattr("__await__").unwrap_or(false) {
                    let told = format_args!("{method}() returned what must be awaited: it must not be async");
                    return Err(failed(component, told));
                }
                answer.extract::<T>().map_err(|error| {
                    let error: PyErr = error.into();
                    failed(component, format_args!("{method}() returned what it must not: {error}"))
                })
            })
            .unwrap_or_else(|| Err(gone()))
        };
        let panicked = |panic| failed(component, format_args!("{method}() panicked: {panic}"));
        let called = callers()?.spawn(async move { tokio::task::spawn_blocking(call).await });
        called.await.map_err(panicked)?.map_err(panicked)?
    }
}

#[async_trait]
impl HostSigner for Own {
    async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>> {
        Ok(self.call::<_, Octets>("sign", (Octets(message.into()),)).await?.0.into())
    }
}

#[async_trait]
impl HostStorage for Own {
    async fn upload(&self, name: String) -> Result<(Arc<dyn HostUpload>, Option<String>)> {
        let upload: OwnUpload = self.call("upload", (name,)).await?;
        let own = Own { object: upload.object, component: self.component };
        Ok((Arc::new(own), upload.id))
    }

    async fn size(&self, name: String) -> Result<Option<u64>> {
        self.call("size", (name,)).await
    }

    async fn read(&self, name: String, start: u64, length: u64) -> Result<Bytes> {
        Ok(self.call::<_, Octets>("read", (name, start, length)).await?.0)
    }

    async fn list(&self, prefix: String) -> Result<Vec<(String, u64)>> {
        Ok(self.call::<_, Listing>("list", (prefix,)).await?.0)
    }

    async fn abandon(&self, name: String, upload: String) -> Result<()> {
        self.call::<_, Ignored>("abandon", (name, upload)).await.map(drop)
    }

    async fn put_if_absent(&self) -> Result<bool> {
        self.call("put_if_absent", ()).await
    }
}

#[async_trait]
impl HostUpload for Own {
    async fn write(&self, chunk: Bytes) -> Result<()> {
        self.call::<_, Ignored>("write", (Octets(chunk),)).await.map(drop)
    }

    async fn finish(&self) -> Result<()> {
        self.call::<_, Ignored>("finish", ()).await.map(drop)
    }

    async fn abort(&self) -> Result<()> {
        self.call::<_, Ignored>("abort", ()).await.map(drop)
    }
}

/// Goes to Python as `bytes`, and comes from there as `bytes` or whatever else lends its memory: `bytearray`, `memoryview`, `mmap`.
pub(crate) struct Octets(pub(crate) Bytes);

impl<'a, 'py> FromPyObject<'a, 'py> for Octets {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let copied = match object.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().to_vec(),
            Err(_) => PyBuffer::<u8>::get(&object)?.to_vec(object.py())?,
        };
        Ok(Octets(copied.into()))
    }
}

impl<'py> IntoPyObject<'py> for Octets {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> std::result::Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

/// Whatever a method returned that has nothing to say.
struct Ignored;

impl<'a, 'py> FromPyObject<'a, 'py> for Ignored {
    type Error = PyErr;

    fn extract(_object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Ignored)
    }
}

/// Names and sizes.
struct Listing(Vec<(String, u64)>);

impl<'a, 'py> FromPyObject<'a, 'py> for Listing {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        list(&object).map(Listing)
    }
}

struct OwnUpload {
    object: Py<PyAny>,
    id: Option<String>,
}

impl<'a, 'py> FromPyObject<'a, 'py> for OwnUpload {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        for method in ["write", "finish", "abort"] {
            object.getattr(method)?;
        }
        let id = object.getattr_opt("id")?.map(|id| id.extract()).transpose()?.flatten();
        Ok(OwnUpload { object: object.to_owned().unbind(), id })
    }
}

/// Tells a Python function, of which nothing that it raises stops the job.
pub(crate) fn listener(function: Bound<'_, PyAny>) -> PyResult<Listener> {
    if !function.is_callable() {
        return Err(refused(&function, "on_event is no function"));
    }
    let function = function.unbind();
    Ok(Box::new(move |event| {
        enter(|py| {
            let call = || match event {
                Event::State(change) => {
                    let payload = canonical::to_vec(&change.payload.clone().into());
                    let payload = py.import("json")?.call_method1("loads", (Octets(payload.into()),))?;
                    told(
                        py,
                        &function,
                        "state",
                        &[
                            ("job_id", change.job_id.to_string().into_pyobject(py)?.into_any()),
                            ("state", change.state.text().into_pyobject(py)?.into_any()),
                            ("at", change.at.to_string().into_pyobject(py)?.into_any()),
                            ("payload", payload),
                        ],
                    )
                }
                Event::Notice(text) => {
                    told(py, &function, "notice", &[("text", text.into_pyobject(py)?.into_any())])
                }
                Event::Transfer(moved) => told(
                    py,
                    &function,
                    "transfer",
                    &[
                        ("done_bytes", moved.done_bytes.into_pyobject(py)?.into_any()),
                        ("total_bytes", moved.total_bytes.into_pyobject(py)?.into_any()),
                    ],
                ),
            };
            if let Err(error) = call() {
                error.write_unraisable(py, Some(function.bind(py)));
            }
        });
    }))
}

fn told(
    py: Python<'_>,
    function: &Py<PyAny>,
    kind: &str,
    members: &[(&str, Bound<'_, PyAny>)],
) -> PyResult<()> {
    let event = pyo3::types::PyDict::new(py);
    event.set_item("type", kind)?;
    for (name, value) in members {
        event.set_item(name, value)?;
    }
    function.call1(py, (event,)).map(drop)
}
