//! A database that is not complete yet, and goes away unless it is kept.

use tokio_postgres::Client;

use crate::error::Result;
use crate::source::Dsn;

use super::target;

/// A database that this restore is building. Whatever ends the restore, also a future that is dropped halfway, it is
/// removed unless [`keep`](Self::keep) was called; nothing else than a process that dies leaves it behind.
#[derive(Debug)]
pub(super) struct Unfinished {
    target: Dsn,
    /// None once there is nothing left to remove.
    name: Option<String>,
    /// What it is known by once it is there, whatever its name: the answer to a rename may be lost.
    oid: Option<u32>,
}

impl Unfinished {
    /// To be made before the database is created: one that is not there is no fault.
    pub(super) fn new(target: &Dsn, name: String) -> Self {
        Unfinished { target: target.clone(), name: Some(name), oid: None }
    }

    /// The name it is built under.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// It was created.
    pub(super) async fn created(&mut self, connection: &Client) -> Result<()> {
        self.oid = target::oid(connection, self.name()).await?;
        Ok(())
    }

    /// It is complete.
    pub(super) fn keep(mut self) {
        self.name = None;
    }

    /// Removes it now.
    pub(super) async fn remove(mut self) -> Result<()> {
        // Named until it is gone, in case that we are dropped here.
        let outcome = remove(&self.target, self.name(), self.oid).await;
        self.name = None;
        outcome
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (target, oid) = (self.target.clone(), self.oid);
        runtime.spawn(async move {
            if let Err(error) = remove(&target, &name, oid).await {
                tracing::warn!(database = name, %error, "an unfinished database could not be dropped");
            }
        });
    }
}

/// Over a new connection: the one at work may be what broke.
async fn remove(server: &Dsn, name: &str, oid: Option<u32>) -> Result<()> {
    let connection = target::session(server).await?;
    let Some(oid) = oid else { return target::drop(&connection, name).await };
    // Its name may change once more, while a backend whose connection broke carries out the rename.
    while let Some(present) = target::name(&connection, oid).await? {
        target::drop(&connection, &present).await?;
    }
    Ok(())
}
