//! Verifications that wait for their turn: as many are under way at once as there are processors, on threads of their own.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use walwarden_verify::{Report, Trust};

use crate::process::{PerProcess, standing_back};
use crate::{Bundle, Failure, verify};

/// The turn of one verification; its clones are the same.
#[derive(Clone, Default)]
pub struct Turn(Arc<State>);

#[derive(Default)]
struct State {
    is_cancelled: AtomicBool,
    /// While it has not begun.
    waiting: Mutex<Option<Waiting>>,
}

/// With true it begins, with false it ends as cancelled.
type Waiting = Box<dyn FnOnce(bool) + Send>;

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

impl Turn {
    /// Has it end: at once if it waits, or else at its next read.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::SeqCst);
        self.take(false);
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::SeqCst)
    }

    fn take(&self, begins: bool) {
        let waiting = locked(&self.0.waiting).take();
        if let Some(waiting) = waiting {
            waiting(begins);
        }
    }
}

/// [`verify()`] when its turn comes, and `told` what came of it.
pub fn verify_in_turn(
    bundle: Bundle,
    trust: Trust,
    now: Option<String>,
    turn: &Turn,
    told: impl FnOnce(Result<Report, Failure>) + Send + 'static,
) {
    let queue = match queue() {
        Ok(queue) => queue,
        Err(error) => return told(Err(Failure::defect(format!("cannot start a thread: {error}")))),
    };
    let own = turn.clone();
    let waiting = move |begins: bool| {
        let verified = || verify(bundle, &trust, now.as_deref(), || own.is_cancelled());
        told(match begins {
            true => catch_unwind(AssertUnwindSafe(verified))
                .unwrap_or_else(|_| Err(Failure::defect("the verifier panicked"))),
            false => Err(Failure::cancelled()),
        });
    };
    *locked(&turn.0.waiting) = Some(Box::new(waiting));
    // The receiver is never gone: it is in a static of this process.
    if turn.is_cancelled() || queue.send(turn.clone()).is_err() {
        turn.take(false);
    }
}

fn queue() -> io::Result<&'static Sender<Turn>> {
    static QUEUE: PerProcess<Sender<Turn>> = PerProcess::new();
    QUEUE.get(|| {
        let (sender, turns) = mpsc::channel::<Turn>();
        let turns = Arc::new(Mutex::new(turns));
        let stand_back = standing_back();
        let count = thread::available_parallelism().map_or(1, usize::from);
        for number in 0..count {
            let turns = Arc::clone(&turns);
            let work = move || {
                stand_back();
                work_on(&turns);
            };
            match thread::Builder::new().name("walwarden-verify".to_owned()).spawn(work) {
                Err(error) if number == 0 => return Err(error),
                // Fewer will do.
                Err(_) => break,
                Ok(_) => {}
            }
        }
        Ok(sender)
    })
}

fn work_on(turns: &Mutex<Receiver<Turn>>) {
    let next = || locked(turns).recv();
    while let Ok(turn) = next() {
        // What panics while it is told must not end the thread, of which there are not many.
        let _ = catch_unwind(AssertUnwindSafe(|| turn.take(true)));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &[u8] = include_bytes!("../../../spec/vectors/good/artifact-included.evidence.tgz");

    fn begin(turn: &Turn, told: Sender<Result<u8, Failure>>) {
        let bundle = Bundle::Bytes(BUNDLE.to_vec());
        verify_in_turn(bundle, Trust::default(), None, turn, move |verified| {
            told.send(verified.map(|report| report.exit().status())).unwrap();
        });
    }

    #[test]
    fn what_waits_ends_as_soon_as_it_is_cancelled_and_the_queue_goes_on() {
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let begun = Arc::new(std::sync::Barrier::new(1 + thread::available_parallelism().unwrap().get()));
        // Every thread is kept busy, one of them by something that panics in the end.
        for number in 0..thread::available_parallelism().unwrap().get() {
            let (held, begun) = (Arc::clone(&held), Arc::clone(&begun));
            let bundle = Bundle::Bytes(BUNDLE.to_vec());
            verify_in_turn(bundle, Trust::default(), None, &Turn::default(), move |_| {
                begun.wait();
                let _ = locked(&held).recv();
                assert_ne!(number, 0, "a panic of whoever is told");
            });
        }
        begun.wait();
        let (told, ends) = mpsc::channel();
        let (waiting, cancelled, early) = (Turn::default(), Turn::default(), Turn::default());
        early.cancel();
        begin(&early, told.clone());
        begin(&cancelled, told.clone());
        begin(&waiting, told);
        cancelled.cancel();
        assert_eq!(ends.recv().unwrap(), Err(Failure::cancelled()));
        assert_eq!(ends.recv().unwrap(), Err(Failure::cancelled()));
        assert!(ends.try_recv().is_err(), "the third waits");
        drop(hold);
        assert_eq!(ends.recv().unwrap(), Ok(4));
    }
}
