//! What a job tells while it runs.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use walwarden_core::watch::{StateChange, Transfer, Watch};

/// What a job does.
#[derive(Debug)]
pub enum Event<'a> {
    /// A state was reached.
    State(&'a StateChange),
    /// Something the operator should know that does not stop the job.
    Notice(&'a str),
    /// Bytes have moved; told ten times a second at most.
    Transfer(Transfer),
}

/// Is told what a job does; returns at once.
pub type Listener = Box<dyn Fn(Event<'_>) + Send + Sync>;

/// A listener, if there is one, as the engine takes it.
pub(super) struct Told {
    listener: Option<Listener>,
    last_transfer: Mutex<Option<Instant>>,
}

const BETWEEN_TRANSFERS: Duration = Duration::from_millis(100);

impl Told {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Told { listener, last_transfer: Mutex::default() }
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl Watch for Told {
    fn state(&self, change: &StateChange) {
        self.tell(Event::State(change));
    }

    fn notice(&self, text: &str) {
        self.tell(Event::Notice(text));
    }

    fn transfer(&self, transfer: Transfer) {
        let mut last = self.last_transfer.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= BETWEEN_TRANSFERS) {
            *last = Some(Instant::now());
            self.tell(Event::Transfer(transfer));
        }
    }
}
