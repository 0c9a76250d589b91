//! Signers, storage and listeners written in Python. Each call is made on a thread of its own, for it may take its time.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pyo3::call::PyCallArgs;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use walwarden_bindings::engine::{Event, Listener};
use walwarden_bindings::own::{HostSigner, HostStorage, HostUpload, failed};
use walwarden_core::Result;
use walwarden_core::verify::canonical;

use crate::failure::crossed;
use crate::interpreter::{enter, gone};

/// A Python object and what it is, for errors.
pub(crate) struct Own {
    object: Py<PyAny>,
    component: &'static str,
}

impl Own {
    pub(crate) fn signer(object: Py<PyAny>) -> Self {
        Own { object, component: "signer" }
    }

    pub(crate) fn storage(object: Py<PyAny>) -> Self {
        Own { object, component: "storage" }
    }

    async fn call<A, T>(&self, method: &'static str, arguments: A) -> Result<T>
    where
        A: for<'py> PyCallArgs<'py> + Send + 'static,
        T: for<'py> FromPyObjectOwned<'py> + Send + 'static,
    {
        let component = self.component;
        let Some(object) = enter(|py| self.object.clone_ref(py)) else { return Err(gone()) };
        let called = tokio::task::spawn_blocking(move || {
            enter(|py| {
                let answer = object
                    .bind(py)
                    .call_method1(method, arguments)
                    .map_err(|error| crossed(py, component, &error))?;
                answer.extract::<T>().map_err(|error| {
                    let error: PyErr = error.into();
                    failed(component, format_args!("{method}() returned what it must not: {error}"))
                })
            })
            .unwrap_or_else(|| Err(gone()))
        });
        called.await.map_err(|panic| failed(component, format_args!("{method}() panicked: {panic}")))?
    }
}

#[async_trait]
impl HostSigner for Own {
    async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>> {
        self.call("sign", (Octets(message.into()),)).await
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
        let bytes: Vec<u8> = self.call("read", (name, start, length)).await?;
        Ok(bytes.into())
    }

    async fn list(&self, prefix: String) -> Result<Vec<(String, u64)>> {
        self.call("list", (prefix,)).await
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

/// `bytes` in Python, not a list of numbers.
struct Octets(Bytes);

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
pub(crate) fn listener(function: Py<PyAny>) -> Listener {
    Box::new(move |event| {
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
    })
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
