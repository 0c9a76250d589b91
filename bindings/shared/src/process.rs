//! What a process has once, and how its threads get along.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::sync::{Mutex, PoisonError};

/// A value that each process makes for itself when it first asks. In a child that was forked, as servers in Python do it, none of its
/// parent's threads are there: what has threads is made anew, and the parent's is left as it is.
#[derive(Debug)]
pub struct PerProcess<T: 'static>(Mutex<Option<(u32, &'static T)>>);

impl<T> PerProcess<T> {
    /// Made by nobody yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it is for statics, and a default is not const")]
    pub const fn new() -> Self {
        PerProcess(Mutex::new(None))
    }

    /// The value of this process, made now if it is asked for first. Not for threads that may run while another one forks.
    ///
    /// # Errors
    /// As `make`.
    pub fn get<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *made {
            Some((process, value)) if process == std::process::id() => Ok(value),
            _ => {
                let value: &'static T = Box::leak(Box::new(make()?));
                *made = Some((std::process::id(), value));
                Ok(value)
            }
        }
    }
}

/// What a thread of ours does first, for those of the host to come before it where all want a processor: an event loop would wait for its
/// turn among the threads of ten backups. What such a thread starts inherits it. The niceness of the host is that of the thread that asked
/// first, for later ones may be ours, on which its own components are called.
///
/// Where priorities are not those of threads it does nothing, for it would be the host that stands back.
pub fn standing_back() -> impl Fn() + Copy + Send + Sync + 'static {
    #[cfg(target_os = "linux")]
    static HOST: OnceLock<i32> = OnceLock::new();
    #[cfg(target_os = "linux")]
    let niceness =
        HOST.get_or_init(|| rustix::process::getpriority_process(None).unwrap_or_default()) + NICENESS;
    move || {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, niceness);
    }
}

/// As of the command `nice`.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
