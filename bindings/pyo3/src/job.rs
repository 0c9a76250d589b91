use pyo3::BoundObject as _;
use pyo3::prelude::*;
use walwarden_bindings::engine::runtime;
use walwarden_core::watch::Cancel;

use crate::failure::{OrRaise as _, raised};

/// Work under way on the engine's own threads.
#[pyclass(frozen, module = "walwarden._native")]
pub(crate) struct Job {
    /// A `concurrent.futures.Future`.
    #[pyo3(get)]
    future: Py<PyAny>,
    cancel: Cancel,
}

#[pymethods]
impl Job {
    /// Asks it to stop at the next safe point; it still ends, and records that it was stopped.
    fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Job {
    /// Starts work; what it returns becomes the future's result.
    pub(crate) fn start<T, V>(
        py: Python<'_>,
        cancel: Cancel,
        work: impl Future<Output = walwarden_core::Result<T>> + Send + 'static,
        convert: impl FnOnce(T) -> V + Send + 'static,
    ) -> PyResult<Job>
    where
        T: Send + 'static,
        V: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        let future = py.import("concurrent.futures")?.getattr("Future")?.call0()?;
        future.call_method0("set_running_or_notify_cancel")?;
        let future = future.unbind();
        let told = future.clone_ref(py);
        let runtime = runtime().or_raise(py)?;
        runtime.spawn(async move {
            let ended = tokio::spawn(work).await;
            // The lock of the interpreter may be held for long.
            tokio::task::spawn_blocking(move || {
                // None while the interpreter shuts down: nobody is there to be told.
                Python::try_attach(|py| tell(py, &told, ended, convert));
            });
        });
        Ok(Job { future, cancel })
    }
}

fn tell<T, V>(
    py: Python<'_>,
    future: &Py<PyAny>,
    ended: Result<walwarden_core::Result<T>, tokio::task::JoinError>,
    convert: impl FnOnce(T) -> V,
) where
    V: for<'py> IntoPyObject<'py>,
{
    let result = match ended {
        Ok(Ok(value)) => match convert(value).into_pyobject(py) {
            Ok(value) => Ok(value.into_any().unbind()),
            Err(error) => Err(error.into()),
        },
        Ok(Err(error)) => Err(raised(py, error.into())),
        Err(panic) => {
            let defect = walwarden_core::Error::new(
                walwarden_core::Code::Internal,
                format!("the work panicked: {panic}"),
            );
            Err(raised(py, defect.into()))
        }
    };
    let told = match result {
        Ok(value) => future.call_method1(py, "set_result", (value,)),
        Err(error) => future.call_method1(py, "set_exception", (error.into_value(py),)),
    };
    if let Err(error) = told {
        error.write_unraisable(py, None);
    }
}
