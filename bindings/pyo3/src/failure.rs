use pyo3::prelude::*;
use walwarden_bindings::Failure;
use walwarden_core::{Code, Error};

/// The exception of a failure: `walwarden.Error`, or the one of its kinds.
pub(crate) fn raised(py: Python<'_>, failure: Failure) -> PyErr {
    let Failure { kind, code, message, causes, next_action, retryable, exit } = failure;
    let record = (kind, code, message, causes, next_action, retryable, exit);
    let exception = py
        .import("walwarden._errors")
        .and_then(|errors| errors.getattr("of"))
        .and_then(|of| of.call1(record));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// What an own signer or storage raised: a `walwarden.Error` crosses as it is, everything else is a failure of the component.
pub(crate) fn crossed(py: Python<'_>, component: &str, error: &PyErr) -> Error {
    let value = error.value(py);
    let code = value.getattr("code").and_then(|code| code.extract::<String>()).ok();
    let is_ours = py
        .import("walwarden._errors")
        .and_then(|errors| errors.getattr("Error"))
        .and_then(|class| value.is_instance(&class))
        .unwrap_or(false);
    match code.as_deref().and_then(Code::from_text) {
        Some(code) if is_ours => {
            let message = value.getattr("message").and_then(|message| message.extract::<String>());
            Error::new(code, message.unwrap_or_else(|_| value.to_string()))
        }
        _ => walwarden_bindings::own::failed(component, format_args!("raised {error}")),
    }
}

pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Into<Failure>> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raised(py, error.into()))
    }
}
