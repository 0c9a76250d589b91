//! Plans and applies restores, and records them where this installation keeps the database's chain.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use walwarden_verify::json::Object;
use walwarden_verify::key::PublicKey;
use walwarden_verify::layout::BackupObject;
use walwarden_verify::manifest::VerifiedManifest;
use walwarden_verify::{JobId, Sha256};

use super::apply::Application;
use super::{BackupContents, Mode, RestorePlan, RestoreRequest, RestoreSession, Restored, Scope};
use super::{contents, find, inspect, prepare};
use crate::catalog::{Job, JobKind, JobQuery, JobState, NewJob, Step, Write};
use crate::chain::Subject;
use crate::clock::{Clock, new_job_id};
use crate::engine::Parts;
use crate::error::{Code, Error, Result, Retry};
use crate::held::{HeldJob, reported};
use crate::mirror::Mirror;
use crate::storage::{ObjectName, Storage};
use crate::watch::{Cancel, StateChange, Watch};

/// Restores backups with the engine's parts.
#[derive(Debug, Clone)]
pub struct RestoreConductor {
    parts: Arc<Parts>,
}

impl RestoreConductor {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        RestoreConductor { parts }
    }

    /// What a backup holds, by its signed manifest and the index that this names. The dump itself is not read.
    ///
    /// # Errors
    /// As [`plan`](RestoreSession::plan) for the manifest; `index-missing` when it names no index, `artifact-mismatch`
    /// when what is stored is not the index that it names.
    pub async fn contents(
        &self,
        from: &dyn Storage,
        manifest_sha256: Sha256,
        trusted_keys: &[PublicKey],
    ) -> Result<BackupContents> {
        let manifest = self.manifest(from, manifest_sha256, trusted_keys).await?;
        let index = contents::index(from, &manifest).await?;
        Ok(BackupContents { manifest, index })
    }

    /// The manifest with this hash, signed by one of these keys.
    async fn manifest(
        &self,
        from: &dyn Storage,
        hash: Sha256,
        trusted_keys: &[PublicKey],
    ) -> Result<VerifiedManifest> {
        let expected = self.expected_name(hash).await?;
        let bytes = find::manifest(from, hash, expected.as_ref()).await?;
        find::check(&bytes, trusted_keys)
    }

    /// Where the catalogue says the manifest lies, if it knows.
    async fn expected_name(&self, manifest_sha256: Sha256) -> Result<Option<ObjectName>> {
        let query = JobQuery::default().kind(JobKind::Backup).manifest(manifest_sha256);
        let jobs = self.parts.catalog.jobs(query).await?;
        let Some(job) = jobs.first() else { return Ok(None) };
        job.object_name(BackupObject::Manifest).map(Some)
    }

    /// What to say where the catalogue may have been put back. The restore is recorded all the same: whoever can write where
    /// the backup lies could otherwise have none recorded.
    async fn put_back(&self, plan: &RestorePlan) -> Result<Option<String>> {
        let subject = subject(&plan.manifest);
        let Some(record) = self.parts.catalog.chain(&subject).await? else { return Ok(None) };
        let storage = plan.request.from.as_ref();
        let mirror = Mirror { parts: &self.parts, storage, subject: &subject, may_begin: false };
        Ok(match mirror.refuse_put_back(&record).await {
            Err(error) if error.code() == Code::ChainDamaged => {
                Some(format!("the audit chain is not the one beside the backup: {}", error.with_causes()))
            }
            _ => None,
        })
    }

    /// Enters a job where this installation keeps the chain of the backup's database.
    async fn enter(&self, manifest: &VerifiedManifest, watch: &dyn Watch) -> Result<Option<Job>> {
        let subject = subject(manifest);
        if self.parts.catalog.chain(&subject).await?.is_none() {
            watch.notice(
                "this installation does not keep the database's audit chain: the restore is not recorded",
            );
            return Ok(None);
        }
        self.end_vanished(&subject, watch).await?;
        let at = self.parts.clock.now();
        let id = new_job_id(self.parts.clock.as_ref(), self.parts.random.as_ref());
        let new = NewJob::restore(id, subject, at, manifest.hash());
        reported(watch, self.parts.catalog.write(Write::Enter(new)).await?).map(Some)
    }

    /// Ends restores whose worker is gone, before it claimed them or since: nobody can take them up.
    async fn end_vanished(&self, subject: &Subject, watch: &dyn Watch) -> Result<()> {
        let query = JobQuery::of(subject).kind(JobKind::Restore).unfinished();
        for job in self.parts.catalog.jobs(query).await? {
            let now = self.parts.clock.now();
            if job.is_abandoned(now, self.parts.settings.lease) {
                let sealing = Write::Step(Step::new(job.id, JobState::TimedOut, now));
                match self.parts.catalog.write(sealing).await {
                    // Another restore was quicker.
                    Err(error) if error.code() == Code::JobState => continue,
                    outcome => outcome.map(drop)?,
                }
                watch.notice(&format!("restore {} ended without a word; it is sealed as timed out", job.id));
            }
        }
        Ok(())
    }

    fn spool_dir(&self, plan: &RestorePlan) -> PathBuf {
        plan.request.spool_dir.clone().unwrap_or_else(|| self.parts.settings.spool_dir.clone())
    }

    async fn carry_out(
        &self,
        plan: &RestorePlan,
        progress: &Recorder<'_>,
        watch: &dyn Watch,
    ) -> Result<Restored> {
        let request = &plan.request;
        progress.reached(JobState::Downloading).await?;
        let fetched = prepare::fetch(plan, &self.spool_dir(plan), watch).await?;
        progress.reached(JobState::Verifying).await?;
        let prepared = fetched.verify(plan).await?;
        progress.reached(JobState::ManifestVerified).await?;
        progress.reached(JobState::Restoring).await?;
        let random = self.parts.random_bytes();
        let application = Application { plan, prepared: &prepared, watch, random };
        let (notices, checked) = application.run().await.map_err(|error| match error.code() {
            // In place, that code's promise that nothing was replaced may not hold.
            Code::RestoreFailed if plan.target_is_older && request.mode == Mode::NewDatabase => {
                error.with_code(Code::TargetTooOld)
            }
            _ => error,
        })?;
        Ok(Restored { database: plan.database.clone(), notices, checked })
    }

    async fn carry_out_unrecorded(
        &self,
        plan: &RestorePlan,
        asked_to_stop: &Cancel,
        watch: &dyn Watch,
    ) -> Result<Restored> {
        let clock = self.parts.clock.as_ref();
        let recorder =
            Recorder::Nowhere { job_id: new_job_id(clock, self.parts.random.as_ref()), clock, watch };
        recorder.reached(JobState::Triggered).await?;
        recorder.reached(JobState::Claimed).await?;
        let carried_out =
            asked_to_stop.or_grace(WIND_DOWN_GRACE, self.carry_out(plan, &recorder, watch)).await;
        let outcome = ended(carried_out, plan, asked_to_stop);
        match &outcome {
            Ok(restored) => recorder.completed(restored).await?,
            Err(error) => {
                let class = Object::from([("class", error.code().text())]);
                let retryable = error.code().retry() == Retry::Yes;
                let state = if retryable { JobState::FailedRetryable } else { JobState::FailedTerminal };
                recorder.reached_with(state, class).await?;
            }
        }
        outcome
    }

    async fn record_and_carry_out(
        &self,
        plan: &RestorePlan,
        job: Job,
        asked_to_stop: &Cancel,
        watch: &dyn Watch,
    ) -> Result<Restored> {
        let subject = job.subject.clone();
        let held = HeldJob::claim(&self.parts, &job, watch).await?;
        let recorder = Recorder::Chain(&held);
        let work = self.carry_out(plan, &recorder, watch);
        let carried_out = held.while_renewing_or_stopped(&plan.request.cancel, work);
        let carried_out = asked_to_stop.or_grace(WIND_DOWN_GRACE, carried_out).await;
        let outcome = ended(carried_out, plan, asked_to_stop);
        let recorded = match &outcome {
            // What was restored is there, whether or not that can be recorded.
            Ok(restored) => recorder.completed(restored).await,
            Err(error) => {
                let pause = (error.code().retry() == Retry::Yes).then_some(Duration::ZERO);
                held.fail(error, pause).await.map(drop)
            }
        };
        if let Err(error) = recorded {
            watch.notice(&format!("the end of the restore could not be recorded: {}", error.with_causes()));
        }
        if plan.request.from_destination {
            let storage = plan.request.from.as_ref();
            let mirror = Mirror { parts: &self.parts, storage, subject: &subject, may_begin: false };
            mirror.publish_or_tell(asked_to_stop, PUBLISH_GRACE, watch).await;
        }
        self.parts.catalog.settle().await;
        outcome
    }
}

/// Whose chain tells of restores of this backup.
fn subject(manifest: &VerifiedManifest) -> Subject {
    let body = manifest.body();
    Subject { org_id: body.org_id.clone(), database_id: Some(body.database_id.clone()) }
}

fn ended(
    carried_out: Option<Result<Restored>>,
    plan: &RestorePlan,
    asked_to_stop: &Cancel,
) -> Result<Restored> {
    carried_out.map_or_else(
        || Err(cancelled(plan)),
        |outcome| outcome.map_err(|error| asked_to_stop.or_asked(error)),
    )
}

/// The restore did not wind down in time.
fn cancelled(plan: &RestorePlan) -> Error {
    let left = plan.left_when_cut_off();
    let message = format!("the restore was cancelled while store or target did not answer; {left}");
    Error::new(Code::Cancelled, message)
}

/// Postgres cuts longer names (`NAMEDATALEN` less one).
const LONGEST_NAME: usize = 63;

/// Together below the five seconds after which whoever asked to stop may lose patience; most of it to drop what was
/// being built.
const WIND_DOWN_GRACE: Duration = Duration::from_millis(2500);
const PUBLISH_GRACE: Duration = Duration::from_secs(1);

/// Tells the states of a restore, and records them where this installation keeps the chain.
enum Recorder<'a> {
    Chain(&'a HeldJob<'a>),
    Nowhere { job_id: JobId, clock: &'a dyn Clock, watch: &'a dyn Watch },
}

impl Recorder<'_> {
    async fn reached(&self, state: JobState) -> Result<()> {
        self.reached_with(state, Object::new()).await
    }

    async fn completed(&self, restored: &Restored) -> Result<()> {
        self.reached(JobState::Finalizing).await?;
        let payload = Object::from([("database", restored.database.as_str())]);
        self.reached_with(JobState::Completed, payload).await
    }

    async fn reached_with(&self, state: JobState, mut payload: Object) -> Result<()> {
        match self {
            Recorder::Chain(held) => held.step(state, payload).await.map(drop),
            Recorder::Nowhere { job_id, clock, watch } => {
                payload.insert("recorded", false);
                watch.state(&StateChange { job_id: *job_id, state, at: clock.now(), payload });
                Ok(())
            }
        }
    }
}

#[async_trait]
impl RestoreSession for RestoreConductor {
    async fn plan(&self, request: RestoreRequest) -> Result<RestorePlan> {
        if request.mode == Mode::InPlace && !request.confirm_destructive {
            return Err(Error::new(
                Code::ConfirmationMissing,
                "an in-place restore drops what the target holds now",
            ));
        }
        if request.mode == Mode::InPlace && request.created_database.is_some() {
            return Err(Error::new(
                Code::ArgumentInvalid,
                "a database can be named only for mode new_database",
            ));
        }
        if let Some(name) = &request.created_database
            && (name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0'))
        {
            let message = format!(
                "a database's name has 1 to {LONGEST_NAME} bytes, none of them zero created_database={name:?}"
            );
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        if request.mode == Mode::InPlace && request.jobs > 1 {
            let message =
                "an in-place restore is one transaction and takes one job; more are for mode new_database";
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        if request.mode == Mode::NewDatabase && request.scope == Scope::DataOnly {
            let message =
                "a new database has no tables that could take data alone; that is for mode in_place";
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        if request.jobs == 0 {
            return Err(Error::new(Code::ArgumentInvalid, "a restore needs at least one job"));
        }
        let cancel = request.cancel.clone();
        let planned = cancel.or_drop(async {
            let from = request.from.as_ref();
            let manifest = self.manifest(from, request.manifest_sha256, &request.trusted_keys).await?;
            let mut plan = inspect::plan(request, manifest).await?;
            plan.notices.extend(self.put_back(&plan).await?);
            Ok(plan)
        });
        planned.await.unwrap_or_else(|| {
            Err(Error::new(Code::Cancelled, "planning the restore was cancelled; nothing was changed"))
        })
    }

    async fn apply(&self, mut plan: RestorePlan, watch: &dyn Watch) -> Result<Restored> {
        // A lost lease stops this restore alone, not what else the caller may stop with it, and hurries nobody.
        let asked_to_stop = plan.request.cancel.clone();
        plan.request.cancel = asked_to_stop.child();
        match self.enter(&plan.manifest, watch).await? {
            Some(job) => self.record_and_carry_out(&plan, job, &asked_to_stop, watch).await,
            None => self.carry_out_unrecorded(&plan, &asked_to_stop, watch).await,
        }
    }
}
