use napi::Env;
use napi::bindgen_prelude::{Either, Object, ToNapiValue};
use napi_derive::napi;
use walwarden_bindings::engine::runtime;
use walwarden_core::{Code, Error, Result};
use walwarden_node_verifier::{Failure, promise};

/// Stops jobs.
#[napi]
#[derive(Default)]
pub struct Cancel(pub(crate) walwarden_core::watch::Cancel);

#[napi]
impl Cancel {
    #[napi(constructor)]
    pub fn new() -> Self {
        Cancel::default()
    }

    /// Asks jobs to stop at the next safe point; they still end, and record that they were stopped.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// Starts work on the engine's threads and returns the promise of what it returns, or of its failure as data.
pub(crate) fn start<'env, T, V>(
    env: &'env Env,
    work: impl Future<Output = Result<T>> + Send + 'static,
    convert: impl FnOnce(T) -> V + Send + 'static,
) -> napi::Result<Object<'env>>
where
    T: Send + 'static,
    V: ToNapiValue + 'static,
{
    let runtime = runtime().map_err(|error| napi::Error::from_reason(error.to_string()))?;
    let (settle, promise) = promise(env)?;
    runtime.spawn(async move {
        let ended = tokio::spawn(work).await;
        settle.with(move || match ended {
            Ok(Ok(value)) => Either::A(convert(value)),
            Ok(Err(error)) => Either::B(Failure::from(error)),
            Err(panic) => Either::B(Error::new(Code::Internal, format!("the work panicked: {panic}")).into()),
        });
    });
    Ok(promise)
}
