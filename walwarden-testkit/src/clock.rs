//! Time and randomness that a test decides on.

use std::sync::{Mutex, PoisonError};

use walwarden_core::clock::{Clock, Random};
use walwarden_core::verify::{Sha256, Timestamp};

/// A clock that stands still until it is moved, in either direction.
///
/// ```
/// use walwarden_core::clock::Clock;
/// use walwarden_testkit::clock::FixedClock;
///
/// let clock = FixedClock::at("2026-11-21T02:06:29.123Z");
/// clock.advance_millis(-1_000);
/// assert_eq!(clock.now().to_string(), "2026-11-21T02:06:28.123Z");
/// ```
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// A clock that shows this time.
    ///
    /// # Panics
    ///
    /// When the text is not a time as our documents write it.
    pub fn at(text: &str) -> Self {
        FixedClock(Mutex::new(text.parse().expect("a time of the form YYYY-MM-DDThh:mm:ss.mmmZ")))
    }

    /// Sets it.
    pub fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Moves it by so many milliseconds, back when negative.
    ///
    /// # Panics
    ///
    /// When that leaves the years 0000 to 9999.
    pub fn advance_millis(&self, millis: i64) {
        self.set(after(self.now(), millis));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time so many milliseconds after another.
///
/// # Panics
///
/// When that leaves the years 0000 to 9999.
pub fn after(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(time.unix_millis() + millis).expect("a time of the years 0000 to 9999")
}

/// Bytes that look random and are the same in every run. Of no use for keys that matter.
#[derive(Debug)]
pub struct SeededRandom(Mutex<(u64, u64)>);

impl SeededRandom {
    /// Bytes that follow from this seed.
    pub fn new(seed: u64) -> Self {
        SeededRandom(Mutex::new((seed, 0)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            let (seed, count) = *state;
            let block = Sha256::of(&[seed.to_be_bytes(), count.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
            state.1 += 1;
        }
    }
}
