//! What an installation remembers and what lies in its destination, and what must hold of both.

use std::collections::BTreeSet;

use walwarden_core::catalog::{Catalog, Job, JobQuery, JobState};
use walwarden_core::chain::Subject;
use walwarden_core::verify::{EventKind, Row};

use super::Home;

pub fn subject() -> Subject {
    Subject { org_id: "acme".parse().unwrap(), database_id: Some("shop".parse().unwrap()) }
}

/// A `backup.failed` row: class, retryable, attempt.
pub type Failure = (String, bool, u64);

impl Home {
    /// The jobs, oldest first.
    pub async fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.catalog.jobs(JobQuery::default()).await.unwrap();
        jobs.reverse();
        jobs
    }

    /// The one job there is.
    pub async fn job(&self) -> Job {
        let jobs = self.jobs().await;
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        jobs.into_iter().next().unwrap()
    }

    /// The chain's rows; none while there is no chain.
    pub async fn rows(&self) -> Vec<Row> {
        match self.catalog.chain(&subject()).await.unwrap() {
            Some(chain) => chain.audit.rows(1, 10_000).await.unwrap(),
            None => Vec::new(),
        }
    }

    /// What the chain tells of failed attempts.
    pub async fn failures(&self) -> Vec<Failure> {
        let rows = self.rows().await;
        let failed = rows.iter().filter(|row| row.kind == EventKind::BackupFailed);
        let told = |row: &Row| {
            let of = |name| row.payload.get(name).unwrap_or_else(|| panic!("{name} in {row:?}"));
            let class = of("class").as_str().unwrap().to_owned();
            (class, of("retryable").as_bool().unwrap(), of("attempt").as_u64().unwrap())
        };
        failed.map(told).collect()
    }

    /// Everything the destination lists.
    pub async fn listed(&self) -> Vec<String> {
        let listed = self.storage.list("").await.unwrap();
        listed.into_iter().map(|object| object.name.to_string()).collect()
    }

    /// The backups' own objects in the destination: dumps, globals, manifests.
    pub async fn backup_objects(&self) -> Vec<String> {
        let listed = self.listed().await;
        listed.into_iter().filter(|name| name.contains("/backup/")).collect()
    }

    /// Each completed job has its manifest, its dump and its index, and nothing else has either, staged files included. Returns
    /// how many there are.
    pub async fn assert_nothing_half(&self) -> usize {
        let mut expected = BTreeSet::new();
        let mut completed = 0;
        for job in self.jobs().await.iter().filter(|job| job.state == JobState::Completed) {
            let dump = job.artifact_key.as_ref().unwrap().to_string();
            expected.insert(dump.replace(".dump", ".manifest.json"));
            expected.insert(dump.replace(".dump", ".index.json"));
            expected.insert(dump);
            completed += 1;
        }
        let objects = self.backup_objects().await;
        let found: BTreeSet<String> =
            objects.into_iter().filter(|name| !name.ends_with(".globals.sql")).collect();
        assert_eq!(found, expected);
        self.assert_nothing_staged();
        completed
    }

    pub fn assert_nothing_staged(&self) {
        if self.folder.join("store").is_dir() {
            let stored = self.stored();
            let staged: Vec<_> = stored.iter().filter(|name| !name.starts_with("org/")).collect();
            assert!(staged.is_empty(), "{staged:?}");
        }
    }
}
