//! How often a request is repeated, and how long the pauses are.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::Patience;
use super::fault::Fault;
use crate::clock::Random;

/// Failed tries after which a waiting operator is told, once per request: a few seconds.
const TOLD_AFTER: u32 = 3;

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    patience: Patience,
    random: Arc<dyn Random>,
    first_failed: Option<Instant>,
    failed: u32,
    learned: bool,
}

impl Tries {
    pub(super) fn new(patience: Patience, random: &Arc<dyn Random>) -> Self {
        Tries { patience, random: Arc::clone(random), first_failed: None, failed: 0, learned: false }
    }

    /// Pauses and returns `true` when the request should be repeated.
    pub(super) async fn again(&mut self, fault: &Fault) -> bool {
        self.failed += 1;
        if !fault.transient || self.failed >= self.patience.tries {
            return false;
        }
        let pause = self.pause();
        // Not since the first try began: a large part may take longer to send than the limit.
        let since = self.first_failed.get_or_insert_with(Instant::now).elapsed();
        if since + pause > self.patience.limit {
            return false;
        }
        let (code, word, tries) = (fault.code.text(), fault.word(), self.failed);
        if self.failed == TOLD_AFTER {
            let (limit, cause) = (self.patience.limit, fault.cause());
            tracing::warn!(code, tries, ?limit, cause, "the store does not serve a request; it is repeated");
        } else {
            tracing::info!(code, word, tries, ?pause, "store request is repeated");
        }
        tokio::time::sleep(pause).await;
        true
    }

    /// `true` once: the failure taught us to send the request differently, so the next try needs no pause.
    pub(super) fn learned(&mut self) -> bool {
        !std::mem::replace(&mut self.learned, true)
    }

    /// Whether an earlier try may have reached the store although it failed.
    pub(super) fn repeated(&self) -> bool {
        self.failed > 0
    }

    fn pause(&self) -> Duration {
        let doubled = 1 << (self.failed - 1).min(16);
        let longest = self.patience.first_pause.saturating_mul(doubled).min(self.patience.first_pause * 20);
        let mut byte = [0];
        self.random.fill(&mut byte);
        longest.mul_f64(1.0 - f64::from(byte[0]) / 512.0)
    }
}
