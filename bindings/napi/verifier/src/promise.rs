//! Promises, and the thread that settles them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::thread;

use napi::bindgen_prelude::{Either, Object, ToNapiValue};
use napi::{Env, JsDeferred};
use walwarden_bindings::process::PerProcess;

use crate::Failure;

type Resolver<V> = Box<dyn FnOnce(Env) -> napi::Result<Either<V, Failure>> + Send>;

/// Settles a promise with a value, or with a failure as data.
pub struct Settle<V: ToNapiValue>(JsDeferred<Either<V, Failure>, Resolver<V>>);

/// A promise, and what settles it.
///
/// # Errors
/// When Node or the system has no more to give.
pub fn promise<V: ToNapiValue + 'static>(env: &Env) -> napi::Result<(Settle<V>, Object<'_>)> {
    teller().map_err(|error| napi::Error::from_reason(format!("cannot start a thread: {error}")))?;
    let (deferred, promise) = env.create_deferred()?;
    Ok((Settle(deferred), promise))
}

impl<V: ToNapiValue + 'static> Settle<V> {
    /// With what `made` returns, on the thread that the promise belongs to.
    pub fn with(self, made: impl FnOnce() -> Either<V, Failure> + Send + 'static) {
        tell(move || self.0.resolve(Box::new(move |_env| Ok(made()))));
    }
}

type Telling = Box<dyn FnOnce() + Send>;

/// Has JavaScript told something, in the order asked, by a thread that does not stand back. Node wakes the loop with a lock in hand that the
/// loop takes first: a thread of less priority would be interrupted there, and the loop would wait for its turn.
pub fn tell(telling: impl FnOnce() + Send + 'static) {
    match teller() {
        // The receiver is never gone: its thread does not end.
        Ok(teller) => drop(teller.send(Box::new(telling))),
        Err(_) => telling(),
    }
}

/// Started when the first promise is made, by a thread of the host.
fn teller() -> io::Result<&'static Sender<Telling>> {
    static TELLER: PerProcess<Sender<Telling>> = PerProcess::new();
    TELLER.get(|| {
        let (sender, tellings) = mpsc::channel::<Telling>();
        let tell_all = move || {
            for telling in tellings {
                let _ = catch_unwind(AssertUnwindSafe(telling));
            }
        };
        thread::Builder::new().name("walwarden-tell".to_owned()).spawn(tell_all)?;
        Ok(sender)
    })
}
