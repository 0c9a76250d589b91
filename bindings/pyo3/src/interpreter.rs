//! The way into the interpreter for threads of the engine. They must be out of it before it ends: CPython then stops, by `pthread_exit`,
//! any thread that asks for its lock, which ends the process where there are Rust's frames on the stack.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use walwarden_core::{Code, Error};

static INSIDE: AtomicUsize = AtomicUsize::new(0);
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// A component of the host's own that hangs is not waited for any longer.
const GRACE: Duration = Duration::from_secs(10);

/// Works inside the interpreter; None once it shuts down.
pub(crate) fn enter<R>(work: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            // Whoever forked inside was forgotten in the child.
            let _ = INSIDE.fetch_update(SeqCst, SeqCst, |inside| inside.checked_sub(1));
        }
    }
    INSIDE.fetch_add(1, SeqCst);
    let _inside = Inside;
    if IS_CLOSED.load(SeqCst) { None } else { Python::try_attach(work) }
}

/// Whether nobody is let in any more.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(SeqCst)
}

/// The error of whoever is not let in.
pub(crate) fn gone() -> Error {
    Error::new(Code::Cancelled, "the interpreter is shutting down")
}

/// Lets nobody in any more and waits for those inside; called as the interpreter begins to shut down.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    const PAUSE: Duration = Duration::from_millis(1);
    IS_CLOSED.store(true, SeqCst);
    // An interpreter within another one does not always get its lock back.
    if INSIDE.load(SeqCst) == 0 {
        return;
    }
    py.detach(|| {
        let mut waited = Duration::ZERO;
        while INSIDE.load(SeqCst) > 0 && waited < GRACE {
            thread::sleep(PAUSE);
            waited += PAUSE;
        }
    });
}

/// Called in a child that was forked, where no thread is inside but this one.
#[pyfunction]
pub(crate) fn forked() {
    INSIDE.store(0, SeqCst);
}
