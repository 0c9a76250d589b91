//! How much of a dump has been read.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::watch::{Transfer, Watch};

/// Bytes of the dump, counted by whoever reads them.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    done_bytes: AtomicU64,
    total_bytes: u64,
    watch: &'a dyn Watch,
}

impl<'a> Progress<'a> {
    /// Of so many bytes, none.
    pub(super) fn new(total_bytes: u64, watch: &'a dyn Watch) -> Self {
        Progress { done_bytes: AtomicU64::new(0), total_bytes, watch }
    }

    /// So many more.
    pub(super) fn add(&self, bytes: usize) {
        let done_bytes = self.done_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.watch.transfer(Transfer { done_bytes, total_bytes: Some(self.total_bytes) });
    }
}
