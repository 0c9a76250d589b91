use std::fmt;

use crate::{JobId, Sha256};

/// A file a bundle may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BundlePath {
    AuditEvents,
    Disclosure,
    Checkpoint,
    Timestamp,
    Statement,
    Readme,
    Manifest(JobId),
    Index(JobId),
    Artifact(JobId),
    Receipt(JobId),
    Key(Sha256),
}

impl BundlePath {
    /// Each file has one spelling, so that two paths differ whenever their text does.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        match *parts.as_slice() {
            ["audit_events.json"] => Some(BundlePath::AuditEvents),
            ["disclosure.json"] => Some(BundlePath::Disclosure),
            ["checkpoint"] => Some(BundlePath::Checkpoint),
            ["checkpoint.tsr"] => Some(BundlePath::Timestamp),
            ["bundle.json"] => Some(BundlePath::Statement),
            ["README.txt"] => Some(BundlePath::Readme),
            ["backups", job, "manifest.json"] => job.parse().ok().map(BundlePath::Manifest),
            ["backups", job, "index.json"] => job.parse().ok().map(BundlePath::Index),
            ["backups", job, "artifact.dump"] => job.parse().ok().map(BundlePath::Artifact),
            ["drills", job, "receipt.json"] => job.parse().ok().map(BundlePath::Receipt),
            ["keys", file] => file.strip_suffix(".pem")?.parse().ok().map(BundlePath::Key),
            _ => None,
        }
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BundlePath::AuditEvents => f.write_str("audit_events.json"),
            BundlePath::Disclosure => f.write_str("disclosure.json"),
            BundlePath::Checkpoint => f.write_str("checkpoint"),
            BundlePath::Timestamp => f.write_str("checkpoint.tsr"),
            BundlePath::Statement => f.write_str("bundle.json"),
            BundlePath::Readme => f.write_str("README.txt"),
            BundlePath::Manifest(job) => write!(f, "backups/{job}/manifest.json"),
            BundlePath::Index(job) => write!(f, "backups/{job}/index.json"),
            BundlePath::Artifact(job) => write!(f, "backups/{job}/artifact.dump"),
            BundlePath::Receipt(job) => write!(f, "drills/{job}/receipt.json"),
            BundlePath::Key(digest) => write!(f, "keys/{digest}.pem"),
        }
    }
}
