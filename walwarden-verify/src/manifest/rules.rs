use std::fmt;

use super::ManifestBody;
use crate::layout::{artifact_key, globals_key, index_key};
use crate::reason::Reason;

/// Two values of one document, or a document and a key, contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contradiction {
    /// Which rule is broken.
    pub reason: Reason,
    /// How, in one line.
    pub detail: String,
}

impl Contradiction {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Contradiction { reason, detail: detail.into() }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Contradiction {}

pub(super) fn contradictions(body: &ManifestBody) -> Vec<Contradiction> {
    let mut found = Vec::new();
    if body.queued_at > body.started_at || body.started_at > body.finished_at {
        found.push(Contradiction::new(
            Reason::ManifestTimes,
            format!(
                "queuedAt {}, startedAt {}, finishedAt {}",
                body.queued_at, body.started_at, body.finished_at
            ),
        ));
    }
    if body.index.is_some() != body.content_root.is_some() {
        let detail = "contentRoot and index are not null together";
        found.push(Contradiction::new(Reason::ManifestContentRoot, detail));
    }
    let (org, database, queued_at, job) = (&body.org_id, &body.database_id, body.queued_at, body.job_id);
    let mut same_key = |field: &str, key: Option<&String>, expected: String| {
        if let Some(key) = key
            && *key != expected
        {
            let detail = format!("{field} is {key}, expected {expected}");
            found.push(Contradiction::new(Reason::ManifestLayout, detail));
        }
    };
    let encrypted = body.encryption.is_some();
    same_key("artifactKey", Some(&body.artifact_key), artifact_key(org, database, queued_at, job, encrypted));
    same_key("index.key", body.index.as_ref().map(|i| &i.key), index_key(org, database, queued_at, job));
    same_key(
        "globals.key",
        body.globals.as_ref().map(|g| &g.key),
        globals_key(org, database, queued_at, job),
    );
    found
}
