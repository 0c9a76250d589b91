//! A database that is not complete yet, and goes away unless it is kept.

use crate::error::Result;
use crate::source::{self, Dsn};

use super::target;

/// A database that this restore is building. Whatever ends the restore, also a future that is dropped halfway, it is
/// removed unless [`keep`](Self::keep) was called; nothing else than a process that dies leaves it behind.
#[derive(Debug)]
pub(super) struct Unfinished {
    target: Dsn,
    /// None once there is nothing left to remove.
    name: Option<String>,
}

impl Unfinished {
    /// To be made before the database is created: one that is not there is no fault.
    pub(super) fn new(target: &Dsn, name: String) -> Self {
        Unfinished { target: target.clone(), name: Some(name) }
    }

    /// Its present name.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// It has another name from now on.
    pub(super) fn renamed(&mut self, name: &str) {
        self.name = Some(name.to_owned());
    }

    /// It is complete.
    pub(super) fn keep(mut self) {
        self.name = None;
    }

    /// Removes it now.
    pub(super) async fn remove(mut self) -> Result<()> {
        // Named until it is gone, in case that we are dropped here.
        let outcome = remove(&self.target, self.name()).await;
        self.name = None;
        outcome
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let target = self.target.clone();
        runtime.spawn(async move {
            if let Err(error) = remove(&target, &name).await {
                tracing::warn!(database = name, %error, "an unfinished database could not be dropped");
            }
        });
    }
}

/// Over a new connection: the one at work may be what broke.
async fn remove(server: &Dsn, name: &str) -> Result<()> {
    let connection = source::connect(server).await.map_err(target::as_target)?;
    target::drop(&connection, name).await
}
