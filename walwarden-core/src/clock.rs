//! Time and randomness, passed in so that evidence is reproducible to the byte in a test.

use std::fmt::Debug;
use std::time::Duration;

use walwarden_verify::{ChainId, JobId, Timestamp};

/// Tells the time of day.
///
/// Implementations MAY jump in either direction, as a machine's clock does; whoever needs order takes it from the
/// audit chain, never from here.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present, in UTC, to the millisecond.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
        i64::try_from(millis).ok().and_then(Timestamp::from_unix_millis).unwrap_or(Timestamp::MAX)
    }
}

/// Fills buffers with unpredictable bytes.
///
/// Implementations MUST be fit for key generation, except in tests that say so.
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer)
            .expect("the operating system's generator answers on every supported platform");
    }
}

/// A new job's id: the present time, then random bytes.
pub fn new_job_id(clock: &dyn Clock, random: &dyn Random) -> JobId {
    let (unix_millis, bytes) = uuid_parts(clock, random);
    JobId::from_parts(unix_millis, bytes)
}

/// A new chain's id: the present time, then random bytes.
pub fn new_chain_id(clock: &dyn Clock, random: &dyn Random) -> ChainId {
    let (unix_millis, bytes) = uuid_parts(clock, random);
    ChainId::from_parts(unix_millis, bytes)
}

fn uuid_parts(clock: &dyn Clock, random: &dyn Random) -> (i64, [u8; 10]) {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    (clock.now().unix_millis(), bytes)
}

/// The time `pause` after `at`, or the end of time.
pub(crate) fn later(at: Timestamp, pause: Duration) -> Timestamp {
    i64::try_from(pause.as_millis())
        .ok()
        .and_then(|pause| at.unix_millis().checked_add(pause))
        .and_then(Timestamp::from_unix_millis)
        .unwrap_or(Timestamp::MAX)
}
