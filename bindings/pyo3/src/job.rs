use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

use pyo3::BoundObject as _;
use pyo3::prelude::*;
use tokio::task::JoinError;
use walwarden_bindings::Failure;
use walwarden_bindings::engine::runtime;
use walwarden_bindings::process::PerProcess;
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error};

use crate::failure::{OrRaise as _, raised};
use crate::interpreter;

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
    pub(crate) fn start<T, E, V>(
        py: Python<'_>,
        cancel: Cancel,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
        convert: impl FnOnce(T) -> V + Send + 'static,
    ) -> PyResult<Job>
    where
        T: Send + 'static,
        E: Into<Failure> + Send + 'static,
        V: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        if interpreter::is_closed() {
            return Err(raised(py, interpreter::gone().into()));
        }
        let future = py.import("concurrent.futures")?.getattr("Future")?.call0()?;
        future.call_method0("set_running_or_notify_cancel")?;
        let future = future.unbind();
        let told = future.clone_ref(py);
        let teller = teller().or_raise(py)?;
        runtime().or_raise(py)?.spawn(async move {
            let ended = tokio::spawn(work).await;
            // It is gone together with the process alone.
            let _ = teller.send(Box::new(move |py| tell(py, &told, ended, convert)));
        });
        Ok(Job { future, cancel })
    }
}

type Told = Box<dyn FnOnce(Python<'_>) + Send>;

/// The one thread that enters the interpreter to tell how jobs ended. One that has just computed has used its time up, and would often
/// be put to sleep inside, with everybody waiting for the lock that it holds.
fn teller() -> walwarden_core::Result<&'static Sender<Told>> {
    static TELLER: PerProcess<Sender<Told>> = PerProcess::new();
    let started = TELLER.get(|| {
        let (sender, endings) = mpsc::channel::<Told>();
        let told = move || {
            for told in endings {
                // Nobody is there to be told while the interpreter shuts down.
                interpreter::enter(told);
            }
        };
        thread::Builder::new().name("walwarden-endings".to_owned()).spawn(told)?;
        io::Result::Ok(sender)
    });
    started.map_err(|error| Error::new(Code::Internal, "cannot start a thread").with_source(error))
}

fn tell<T, E, V>(
    py: Python<'_>,
    future: &Py<PyAny>,
    ended: Result<Result<T, E>, JoinError>,
    convert: impl FnOnce(T) -> V,
) where
    E: Into<Failure>,
    V: for<'py> IntoPyObject<'py>,
{
    let result = match ended {
        Ok(Ok(value)) => match convert(value).into_pyobject(py) {
            Ok(value) => Ok(value.into_any().unbind()),
            Err(error) => Err(error.into()),
        },
        Ok(Err(error)) => Err(raised(py, error.into())),
        Err(panic) => Err(raised(py, Failure::defect(format!("the work panicked: {panic}")))),
    };
    let told = match result {
        Ok(value) => future.call_method1(py, "set_result", (value,)),
        Err(error) => future.call_method1(py, "set_exception", (error.into_value(py),)),
    };
    if let Err(error) = told {
        error.write_unraisable(py, None);
    }
}
