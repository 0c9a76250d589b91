//! `walwarden status`: statements of what happened, no forecasts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use walwarden_core::catalog::{Catalog, ChainRecord, Job, JobKind, JobQuery, JobState};
use walwarden_core::chain::{Head, Subject};
use walwarden_core::clock::{Clock as _, SystemClock};
use walwarden_core::verify::{DatabaseId, Timestamp};
use walwarden_core::{Result, Settings};

use super::backup;
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::{Output, bytes, span};

/// What is known of one database.
struct Standing {
    name: DatabaseId,
    configured: bool,
    last: Option<Job>,
    newest: Option<Job>,
    /// Restores whose worker is gone.
    interrupted: Vec<Job>,
    chain: Option<(ChainRecord, Head)>,
    /// When the chain's last row was written.
    last_row: Option<Timestamp>,
}

pub(crate) async fn run(home: &Home, output: Output) -> Ending {
    let catalog = home.catalog().await?;
    let now = SystemClock.now();
    let standings = standings(home, catalog.as_ref(), now).await?;
    let mut text: String = standings.iter().map(|standing| told(standing, now)).collect();
    if text.is_empty() {
        text.push_str("no database is configured and no backup was made\nnext: walwarden database add NAME --dsn DSN --destination URL");
    }
    let databases: Vec<Value> = standings.iter().map(|standing| described(standing, now)).collect();
    output.result(text, &json!({ "at": now.to_string(), "databases": databases }))?;
    Ok(DONE)
}

/// Every database that is configured, or was backed up without.
async fn standings(home: &Home, catalog: &dyn Catalog, now: Timestamp) -> Result<Vec<Standing>> {
    let jobs = catalog.jobs(JobQuery::default().kind(JobKind::Backup)).await?;
    let restores = catalog.jobs(JobQuery::default().kind(JobKind::Restore).unfinished()).await?;
    let gone = |job: &&Job| job.is_abandoned(now, Settings::LEASE);
    let configured: BTreeSet<DatabaseId> =
        home.databases().iter().map(|database| database.name.clone()).collect();
    let mut names = configured.clone();
    let own = |job: &&Job| job.subject.org_id == *home.org();
    names.extend(jobs.iter().filter(own).filter_map(|job| job.subject.database_id.clone()));
    let mut standings = Vec::new();
    for name in names {
        let subject = Subject { org_id: home.org().clone(), database_id: Some(name.clone()) };
        let mut of_it = jobs.iter().filter(|job| job.subject == subject);
        let newest = of_it.clone().next().cloned();
        let last = of_it.find(|job| job.state == JobState::Completed).cloned();
        let (chain, last_row) = match catalog.chain(&subject).await? {
            Some(record) => {
                let head = record.audit.head().await?;
                let last_row = record.audit.rows(head.seq, 1).await?.first().map(|row| row.at);
                (Some((record, head)), last_row)
            }
            None => (None, None),
        };
        let configured = configured.contains(&name);
        let interrupted =
            restores.iter().filter(|job| job.subject == subject).filter(gone).cloned().collect();
        standings.push(Standing { configured, name, last, newest, interrupted, chain, last_row });
    }
    Ok(standings)
}

impl Standing {
    /// How much would be lost if the source vanished now: all that came after the last backup began to read. Rounded
    /// up, so that «at most» holds. None without a backup, and when the clock is of no use.
    fn exposure(&self, now: Timestamp) -> Option<Duration> {
        let job = self.last.as_ref()?;
        let since = job.started_at.unwrap_or(job.queued_at);
        self.clock_behind(now).is_none().then(|| between(since, now))?
    }

    /// How far this machine's clock is behind the chain's last row, if it is.
    fn clock_behind(&self, now: Timestamp) -> Option<Duration> {
        between(now, self.last_row?)
    }
}

/// Whether a job is unfinished and nobody is at work on it.
fn is_silent(job: &Job, now: Timestamp) -> bool {
    !job.is_finished() && job.is_abandoned(now, Settings::LEASE)
}

/// The time from one moment to a later one, rounded up to whole seconds; none if the other is not later.
fn between(one: Timestamp, other: Timestamp) -> Option<Duration> {
    let millis = u64::try_from(other.unix_millis() - one.unix_millis()).ok().filter(|millis| *millis > 0)?;
    Some(Duration::from_secs(millis.div_ceil(1000)))
}

fn told(standing: &Standing, now: Timestamp) -> String {
    let mut text =
        format!("{}{}\n", standing.name, if standing.configured { "" } else { "  (not configured)" });
    match &standing.last {
        None => text.push_str("  last backup  none yet: you would lose everything\n"),
        Some(job) => {
            let at = job.finished_at.unwrap_or(job.queued_at);
            let size = job.size_bytes.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
            text.push_str(&format!("  last backup  {at}{size}\n"));
            if let Some(exposure) = standing.exposure(now) {
                text.push_str(&format!("  you would lose at most {}\n", span(exposure)));
            }
            if let Some(hash) = job.manifest_sha256 {
                text.push_str(&format!("  manifest     {hash}\n"));
            }
        }
    }
    if let (Some(behind), Some(at)) = (standing.clock_behind(now), standing.last_row) {
        text.push_str(&format!(
            "  this machine's clock is {} behind the chain's last row ({at}): how much you would lose cannot be told\n",
            span(behind)
        ));
    }
    if let Some(job) = &standing.newest
        && job.state != JobState::Completed
    {
        let failure = job.failure.as_ref().map(|class| format!(" ({class})")).unwrap_or_default();
        text.push_str(&format!("  newest job   {} {}{failure}\n", job.id, job.state.text()));
        if is_silent(job, now) {
            text.push_str(
                "               its worker is gone; the next backup of this database carries it on\n",
            );
        }
    }
    for job in &standing.interrupted {
        text.push_str(&format!(
            "  restore      {} was interrupted while {}; its target may hold a database walwarden_restore_…\n",
            job.id,
            job.state.text()
        ));
    }
    if let Some((record, head)) = &standing.chain {
        text.push_str(&format!(
            "  chain head   {} {}\n  in the destination up to row {}\n",
            head.seq, head.hash, record.mirrored_through
        ));
    }
    text
}

fn described(standing: &Standing, now: Timestamp) -> Value {
    let exposure = standing.exposure(now).map(|exposure| exposure.as_secs());
    json!({
        "name": standing.name.as_str(),
        "configured": standing.configured,
        "lastBackup": standing.last.as_ref().map(backup::described),
        "newestJob": standing.newest.as_ref().map(backup::described),
        "newestJobSilent": standing.newest.as_ref().is_some_and(|job| is_silent(job, now)),
        "interruptedRestores": standing.interrupted.iter().map(|job| job.id.to_string()).collect::<Vec<_>>(),
        "exposureSeconds": exposure,
        "clockBehindSeconds": standing.clock_behind(now).map(|behind| behind.as_secs()),
        "rpoMinutes": exposure.map(|seconds| seconds.div_ceil(60)),
        "chain": standing.chain.as_ref().map(|(record, head)| json!({
            "chainId": record.chain_id.to_string(),
            "seq": head.seq,
            "hash": head.hash.to_string(),
            "mirroredThrough": record.mirrored_through,
            "checkpointSize": record.checkpoint.as_ref().map(|(size, _)| size),
        })),
    })
}

#[cfg(test)]
mod tests {
    use walwarden_core::catalog::{CatalogExt as _, Genesis, MemoryCatalog, NewJob, Step};
    use walwarden_core::clock::{SystemRandom, new_job_id};
    use walwarden_core::storage::ObjectName;

    use super::*;

    const KEY: &str = "sha256:ad484c2b28099e0c974809e680c0e653daff32c63291fb92ed308a819890315f";

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    fn chain_ending_at(last_row: Option<Timestamp>) -> Standing {
        let name = "shop".parse().unwrap();
        Standing {
            name,
            configured: true,
            last: None,
            newest: None,
            interrupted: Vec::new(),
            chain: None,
            last_row,
        }
    }

    #[test]
    fn a_clock_behind_the_chain_is_told() {
        let standing = chain_ending_at(Some(at(600_000)));
        assert_eq!(standing.clock_behind(at(300_000)), Some(Duration::from_secs(300)));
        assert_eq!(standing.clock_behind(at(600_000)), None);
        assert_eq!(standing.clock_behind(at(900_000)), None);
        assert_eq!(chain_ending_at(None).clock_behind(at(0)), None);
        let text = told(&standing, at(300_000));
        assert!(text.contains("clock is 5m 00s behind the chain's last row"), "{text}");
        assert!(!told(&standing, at(900_000)).contains("clock"));
    }

    #[tokio::test]
    async fn a_job_whose_worker_is_gone_is_told() {
        let catalog = MemoryCatalog::new();
        let mut standing = chain_ending_at(None);
        claimed(&catalog, &standing, Duration::from_secs(1)).await;
        standing.newest = catalog.jobs(JobQuery::default()).await.unwrap().pop();
        assert!(!told(&standing, at(500)).contains("worker"));
        assert!(told(&standing, at(1500)).contains("its worker is gone"));
        assert_eq!(described(&standing, at(1500))["newestJobSilent"], true);
    }

    #[tokio::test]
    async fn a_worker_that_waits_before_it_tries_again_is_not_gone() {
        let catalog = MemoryCatalog::new();
        let mut standing = chain_ending_at(None);
        let job = claimed(&catalog, &standing, Duration::from_secs(1)).await;
        let mut failed =
            Step::new(job.id, JobState::FailedRetryable, at(500)).under(job.lease.as_ref().unwrap());
        failed.payload.insert("class", "source-unreachable");
        failed.not_before = Some(at(60_000));
        catalog.step(failed).await.unwrap();
        standing.newest = catalog.jobs(JobQuery::default()).await.unwrap().pop();
        for waiting in [1_500, 59_000, 61_000] {
            assert!(!told(&standing, at(waiting)).contains("worker"), "{waiting}");
        }
        assert!(told(&standing, at(80_000)).contains("its worker is gone"));
    }

    async fn claimed(catalog: &MemoryCatalog, standing: &Standing, lease: Duration) -> Job {
        let subject = Subject { org_id: "acme".parse().unwrap(), database_id: Some(standing.name.clone()) };
        let (chain_id, key_id) =
            ("0198c0de-0000-7000-8000-000000000001".parse().unwrap(), KEY.parse().unwrap());
        let genesis = Genesis { subject: subject.clone(), chain_id, key_id, at: at(0) };
        catalog.start_chain(genesis).await.unwrap();
        let id = new_job_id(&SystemClock, &SystemRandom);
        let name = ObjectName::new("dump").unwrap();
        catalog.enter(NewJob::backup(id, subject, at(0), name)).await.unwrap();
        catalog.claim(id, "worker", at(0), lease).await.unwrap()
    }

    #[test]
    fn times_are_rounded_up() {
        assert_eq!(between(at(0), at(1)), Some(Duration::from_secs(1)));
        assert_eq!(between(at(0), at(1000)), Some(Duration::from_secs(1)));
        assert_eq!(between(at(0), at(1001)), Some(Duration::from_secs(2)));
        assert_eq!(between(at(1), at(0)), None);
    }
}
