//! Enters, takes over, retries and ends backup jobs; what one attempt does is in [`attempt`](super::attempt).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use walwarden_verify::json::Object;
use walwarden_verify::layout::BackupObject;
use walwarden_verify::{JobId, Timestamp};

use super::attempt::Attempt;
use super::{BackupRequest, BackupRunner, SealedBackup};
use crate::catalog::{
    CatalogExt, ChainRecord, Genesis, Job, JobKind, JobQuery, JobState, NewJob, Step, Write, object_name,
};
use crate::chain::Subject;
use crate::clock::new_chain_id;
use crate::engine::Parts;
use crate::error::{Code, Error, Result, Retry};
use crate::held::{HeldJob, reported};
use crate::mirror::Mirror;
use crate::watch::Watch;

/// Makes backups with the engine's parts.
#[derive(Debug, Clone)]
pub struct BackupConductor {
    parts: Arc<Parts>,
}

/// One run: what every step of it needs.
struct Run<'a> {
    parts: &'a Parts,
    request: &'a BackupRequest,
    subject: Subject,
    watch: &'a dyn Watch,
}

impl BackupConductor {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        BackupConductor { parts }
    }
}

#[async_trait]
impl BackupRunner for BackupConductor {
    async fn run(&self, request: BackupRequest, watch: &dyn Watch) -> Result<SealedBackup> {
        if request.jobs == 0 {
            return Err(Error::new(Code::ArgumentInvalid, "a backup needs at least one job"));
        }
        let subject = Subject {
            org_id: self.parts.settings.org_id.clone(),
            database_id: Some(request.database_id.clone()),
        };
        let run = Run { parts: &self.parts, request: &request, subject, watch };
        if request.cancel.is_cancelled() {
            return Err(run.cancelled_before());
        }
        let opened = request.cancel.or_grace(Duration::ZERO, run.open_chain()).await;
        opened.unwrap_or_else(|| Err(run.cancelled_before()))?;
        run.refuse_put_back().await?;
        let swept = request.cancel.or_grace(Duration::ZERO, run.sweep()).await;
        swept.unwrap_or_else(|| Err(run.cancelled_before()))?;
        let mut entered = None;
        let mut left = VecDeque::from(run.unfinished().await?);
        loop {
            let (job, is_new) = match left.pop_front() {
                Some(job) => (run.wait_for_lease(job).await?, false),
                None => (run.enter().await?, true),
            };
            let id = job.id;
            if is_new {
                entered = Some(id);
            }
            if entered == Some(id) && job.state == JobState::Cancelled {
                return Err(cancelled(id));
            }
            if job.is_finished() {
                continue; // by the worker that held it
            }
            match run.drive(job, is_new).await {
                Ok(Some((sealed, dumped_now))) if is_new || dumped_now => return Ok(sealed),
                Ok(Some(_)) => {
                    watch.notice("its dump was complete already; it is sealed now, and a new backup follows");
                }
                // Another worker was quicker to take it up; it is waited for as any other that holds a job.
                Ok(None) => left.push_front(run.parts.catalog.job(id).await?),
                // Left by a catalogue that is lost. The job has failed, but nothing is wrong with the next one.
                Err(error) if !is_new && error.code() == Code::ObjectExists => {
                    watch.notice(&format!("{error}; a new backup follows"));
                }
                // Somebody else's job, and nobody asked this run to stop.
                Err(error)
                    if entered != Some(id)
                        && error.code() == Code::Cancelled
                        && !run.request.cancel.is_cancelled() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Run<'_> {
    /// Starts the database's chain, or checks that the present one was begun with our key.
    async fn open_chain(&self) -> Result<()> {
        if self.parts.catalog.chain(&self.subject).await?.is_none() {
            // One that does not answer may hold a chain: nothing is begun until it was asked.
            self.mirror().refuse_second_chain(None).await?;
        }
        let key_id = self.parts.signer()?.public_key().key_id();
        let at = self.parts.clock.now();
        let chain_id = new_chain_id(self.parts.clock.as_ref(), self.parts.random.as_ref());
        let genesis = Genesis { subject: self.subject.clone(), chain_id, key_id, at };
        let chain = self.parts.catalog.start_chain(genesis).await?;
        self.parts.signer_of(chain.as_ref()).await.map(drop)
    }

    /// Refuses a catalogue that was put back before it gets a row: each would be one of a second history. Whatever else
    /// stands in the way, and being cancelled meanwhile, is for the job to record.
    async fn refuse_put_back(&self) -> Result<()> {
        let record = self.chain().await?;
        let mirror = self.mirror();
        let comparing = mirror.refuse_put_back(&record);
        match self.request.cancel.or_grace(Duration::ZERO, comparing).await {
            Some(Err(error)) if error.code() == Code::ChainDamaged => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes unfinished uploads of jobs that ended since the last completed backup without being able to.
    async fn sweep(&self) -> Result<()> {
        let query = JobQuery::of(&self.subject).kind(JobKind::Backup).limit(SWEPT_JOBS);
        let jobs = self.parts.catalog.jobs(query).await?;
        let since = jobs.iter().take_while(|job| job.state != JobState::Completed);
        for job in since.filter(|job| job.is_finished()) {
            for (name, upload) in &job.progress.uploads {
                if let Err(error) = self.request.destination.abandon(name, upload).await {
                    let causes = error.with_causes();
                    self.watch.notice(&format!("an unfinished upload stays behind for now: {causes}"));
                }
            }
        }
        Ok(())
    }

    /// Jobs that an earlier run left behind, oldest first.
    async fn unfinished(&self) -> Result<Vec<Job>> {
        let query = JobQuery::of(&self.subject).kind(JobKind::Backup).unfinished();
        let mut jobs = self.parts.catalog.jobs(query).await?;
        jobs.reverse();
        Ok(jobs)
    }

    /// Waits for the lease of a worker that may have died. One that renews it is alive and keeps its job.
    async fn wait_for_lease(&self, job: Job) -> Result<Job> {
        let Some(lease) = &job.lease else { return Ok(job) };
        let left = lease.until.unix_millis().saturating_sub(self.parts.clock.now().unix_millis());
        if left <= 0 {
            return Ok(job);
        }
        let text = format!("backup {} is held by {}; waiting for its lease to end", job.id, lease.holder);
        self.watch.notice(&text);
        // A clock that jumped must not make us wait for longer than any lease lasts.
        let wait = Duration::from_millis(left.unsigned_abs()).min(lease.length);
        let over = tokio::time::Instant::now() + wait + Duration::from_millis(50);
        let again = loop {
            let next = over.min(tokio::time::Instant::now() + LOOK_AGAIN);
            let waited = self.request.cancel.or_drop(tokio::time::sleep_until(next)).await;
            waited.ok_or_else(|| self.cancelled_before())?;
            let again = self.parts.catalog.job(job.id).await?;
            if again.is_finished() || next == over {
                break again;
            }
        };
        let now = self.parts.clock.now();
        match &again.lease {
            // Renewed while we waited: alive, whatever our clocks say.
            Some(lease) if again.lease != job.lease || lease.holds(now) => Err(Error::new(
                Code::JobHeld,
                format!(
                    "another worker is backing up this database job={} holder={}",
                    again.id, lease.holder
                ),
            )),
            _ => Ok(again),
        }
    }

    fn cancelled_before(&self) -> Error {
        Error::new(Code::Cancelled, "the backup was cancelled before it began")
    }

    /// Queues a new job. Its time is that of its row, also when the clock went backwards: the row is all that a
    /// rebuilt catalogue has to find the job's objects by.
    async fn enter(&self) -> Result<Job> {
        let at = self.parts.clock.now().max(self.last_row_at().await?);
        let id = JobId::from_parts(at.unix_millis(), self.parts.random_bytes());
        let key = object_name(&self.subject, at, id, BackupObject::Artifact)?;
        let new = NewJob::backup(id, self.subject.clone(), at, key);
        reported(self.watch, self.parts.catalog.write(Write::Enter(new)).await?)
    }

    async fn chain(&self) -> Result<ChainRecord> {
        self.parts.catalog.chain(&self.subject).await?.ok_or_else(|| {
            Error::new(Code::Internal, format!("the chain vanished after it was opened {}", self.subject))
        })
    }

    async fn last_row_at(&self) -> Result<Timestamp> {
        let chain = self.chain().await?;
        let head = chain.audit.head().await?;
        let last = chain.audit.rows(head.seq, 1).await?;
        Ok(last.first().map_or(self.parts.clock.now(), |row| row.at))
    }

    /// Claims the job and works on it until it is sealed or has ended otherwise. Also says whether the dump was taken in this
    /// run; none where another worker claimed it first.
    async fn drive(&self, mut job: Job, is_new: bool) -> Result<Option<(SealedBackup, bool)>> {
        let mut held = match self.take_up(&mut job).await {
            Err(error) if error.code() == Code::JobHeld => return Ok(None),
            claimed => claimed?,
        };
        if !is_new {
            self.watch.notice(&format!("carrying on with the interrupted backup {}", job.id));
        }
        loop {
            let attempt =
                Attempt { parts: self.parts, request: self.request, held: &held, watch: self.watch };
            let ended =
                self.request.cancel.or_grace(WIND_DOWN_GRACE, held.while_renewing(attempt.run())).await;
            let error = match ended {
                Some(Ok(outcome)) => {
                    self.publish().await;
                    return Ok(Some(outcome));
                }
                Some(Err(error)) => self.request.cancel.or_asked(error),
                None => attempt.cancelled(),
            };
            // A store that is away may take far longer to say so than the lease lasts.
            let tidying = held.while_renewing(async {
                attempt.clean_up().await;
                Ok(())
            });
            if self.request.cancel.or_grace(TIDY_UP_GRACE, tidying).await.is_none() {
                self.watch
                    .notice("an unfinished upload could not be removed in time; the next run tries again");
            }
            job = match self.end_attempt(&held, &error).await {
                Ok(job) => job,
                Err(recording) => {
                    // The lease tells the next run. What the reader needs is the first cause.
                    let causes = recording.with_causes();
                    self.watch.notice(&format!("the failure could not be recorded: {causes}"));
                    return Err(error);
                }
            };
            if job.state != JobState::FailedRetryable {
                self.publish().await;
                return Err(error);
            }
            self.pause(&job, &error).await?;
            held = self.take_up(&mut job).await?;
        }
    }

    /// Claims the job, queued again first where an attempt failed.
    async fn take_up(&self, job: &mut Job) -> Result<HeldJob<'_>> {
        if job.state == JobState::FailedRetryable {
            *job = match self.step(job, JobState::Queued).await {
                Ok(job) => job,
                Err(error) => return Err(self.taken_over(job, error).await),
            };
        }
        match HeldJob::claim(self.parts, job, self.watch).await {
            Ok(held) => Ok(held),
            Err(error) => Err(self.taken_over(job, error).await),
        }
    }

    async fn end_attempt(&self, held: &HeldJob<'_>, error: &Error) -> Result<Job> {
        if error.code() == Code::Cancelled {
            return held.step(JobState::Cancelled, Object::new()).await;
        }
        let attempt = held.job().await.attempt;
        let again = error.code().retry() == Retry::Yes && attempt < self.parts.settings.attempts.get();
        held.fail(error, again.then(|| self.backoff(attempt))).await
    }

    async fn pause(&self, job: &Job, error: &Error) -> Result<()> {
        let pause = self.backoff(job.attempt);
        let causes = error.with_causes();
        self.watch.notice(&format!("{causes}; trying again in {:.1} s", pause.as_secs_f32()));
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.request.cancel.cancelled() => {
                match self.step(job, JobState::Queued).await {
                    Ok(job) => drop(self.step(&job, JobState::Cancelled).await?),
                    Err(error) => return Err(self.taken_over(job, error).await),
                }
                self.publish().await;
                Err(cancelled(job.id))
            }
        }
    }

    fn backoff(&self, attempt: u32) -> Duration {
        self.parts.settings.backoff * 2_u32.pow(attempt.saturating_sub(1).min(10))
    }

    /// A job that nobody held when we looked and that has moved on since was cancelled, or is another worker's and
    /// perhaps done.
    async fn taken_over(&self, job: &Job, error: Error) -> Error {
        if error.code() != Code::JobState {
            return error;
        }
        let known = self.parts.catalog.job(job.id).await;
        let was_cancelled = known.is_ok_and(|job| job.state == JobState::Cancelled);
        match was_cancelled {
            true => cancelled(job.id),
            false => {
                let message = format!("another worker took the backup over job={}", job.id);
                Error::new(Code::JobHeld, message).with_source(error)
            }
        }
    }

    /// Moves on a job that nobody holds.
    async fn step(&self, job: &Job, to: JobState) -> Result<Job> {
        let step = Step::new(job.id, to, self.parts.clock.now());
        reported(self.watch, self.parts.catalog.write(Write::Step(step)).await?)
    }

    fn mirror(&self) -> Mirror<'_> {
        let storage = self.request.destination.as_ref();
        Mirror { parts: self.parts, storage, subject: &self.subject, may_begin: true }
    }

    async fn publish(&self) {
        self.mirror().publish_or_tell(&self.request.cancel, TIDY_UP_GRACE, self.watch).await;
        self.parts.catalog.settle().await;
    }
}

fn cancelled(id: JobId) -> Error {
    Error::new(Code::Cancelled, format!("the backup was cancelled job={id}"))
}

/// Together well below the five seconds after which whoever asked to stop may lose patience.
const WIND_DOWN_GRACE: Duration = Duration::from_millis(1500);
const TIDY_UP_GRACE: Duration = Duration::from_secs(1);

/// How often a job that another worker holds is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Newest jobs looked through for uploads that were left behind.
const SWEPT_JOBS: usize = 20;
