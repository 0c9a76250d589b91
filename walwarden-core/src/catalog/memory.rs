use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use walwarden_verify::event::Machine;
use walwarden_verify::{ChainId, EventKind, JobId};

use super::plan::{self, Plan};
use super::{Catalog, ChainRecord, Genesis, Job, JobQuery, Write, Written, adopt};
use crate::chain::{self, AuditChain, Fact, Head, Ledger, Row, Subject};
use crate::error::Result;

/// A catalogue that lives in this process only: the reference implementation.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    contents: Arc<Mutex<Contents>>,
}

#[derive(Debug, Default)]
struct Contents {
    chains: HashMap<Subject, Chain>,
    jobs: HashMap<JobId, Job>,
}

#[derive(Debug)]
struct Chain {
    id: ChainId,
    ledger: Ledger,
    mirrored_through: u64,
    checkpoint: Option<(u64, String)>,
}

impl MemoryCatalog {
    /// A catalogue that knows of nothing.
    pub fn new() -> Self {
        MemoryCatalog::default()
    }

    fn audit(&self, subject: &Subject, chain_id: ChainId) -> Arc<dyn AuditChain> {
        let contents = Arc::clone(&self.contents);
        Arc::new(CatalogChain { contents, subject: subject.clone(), chain_id })
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn write(&self, write: Write) -> Result<Written> {
        let mut contents = lock(&self.contents);
        match write {
            Write::Mirrored { subject, through_seq } => {
                let chain = contents.chain(&subject)?;
                plan::check_published(chain.ledger.head(), through_seq)?;
                chain.mirrored_through = chain.mirrored_through.max(through_seq);
                Ok(Written { job: None, row: None })
            }
            Write::Checkpoint { subject, size, note } => {
                let chain = contents.chain(&subject)?;
                plan::check_published(chain.ledger.head(), size)?;
                if chain.checkpoint.as_ref().is_none_or(|(kept, _)| *kept <= size) {
                    chain.checkpoint = Some((size, note));
                }
                Ok(Written { job: None, row: None })
            }
            of_a_job => {
                let stored = of_a_job.job_id().and_then(|id| contents.jobs.get(&id)).cloned();
                let mut plan = Plan::new(of_a_job, stored)?;
                let facts = std::mem::take(&mut plan.facts);
                let rows = contents.chain(&plan.subject)?.ledger.append_all(facts)?;
                let written = plan.carried_out(rows);
                contents.jobs.extend(written.job.clone().map(|job| (job.id, job)));
                Ok(written)
            }
        }
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<Job>> {
        let contents = lock(&self.contents);
        let mut found: Vec<Job> = contents.jobs.values().filter(|job| query.matches(job)).cloned().collect();
        found.sort_by_key(|job| Reverse((job.queued_at, job.id)));
        if query.limit > 0 {
            found.truncate(query.limit);
        }
        Ok(found)
    }

    async fn chain(&self, subject: &Subject) -> Result<Option<ChainRecord>> {
        Ok(lock(&self.contents).chains.get(subject).map(|chain| ChainRecord {
            audit: self.audit(subject, chain.id),
            chain_id: chain.id,
            subject: subject.clone(),
            mirrored_through: chain.mirrored_through,
            checkpoint: chain.checkpoint.clone(),
        }))
    }

    async fn subjects(&self) -> Result<Vec<Subject>> {
        Ok(lock(&self.contents).chains.keys().cloned().collect())
    }

    async fn start_chain(&self, genesis: Genesis) -> Result<Arc<dyn AuditChain>> {
        let mut contents = lock(&self.contents);
        if !contents.chains.contains_key(&genesis.subject) {
            let mut ledger = Ledger::default();
            ledger.append(genesis.fact())?;
            let chain = Chain { id: genesis.chain_id, ledger, mirrored_through: 0, checkpoint: None };
            contents.chains.insert(genesis.subject.clone(), chain);
        }
        let chain_id = contents.chain(&genesis.subject)?.id;
        Ok(self.audit(&genesis.subject, chain_id))
    }

    async fn adopt(&self, subject: &Subject, rows: Vec<Row>, jobs: Vec<Job>) -> Result<()> {
        let mut contents = lock(&self.contents);
        if contents.chains.contains_key(subject) {
            return Err(adopt::chain_exists(subject));
        }
        let id = adopt::check(subject, &rows, &jobs)?;
        let ledger = Ledger::from_rows(rows)?;
        let mirrored_through = ledger.head().seq;
        contents.chains.insert(subject.clone(), Chain { id, ledger, mirrored_through, checkpoint: None });
        contents.jobs.extend(jobs.into_iter().map(|job| (job.id, Job { lease: None, ..job })));
        Ok(())
    }
}

impl Contents {
    fn chain(&mut self, subject: &Subject) -> Result<&mut Chain> {
        self.chains.get_mut(subject).ok_or_else(|| plan::unknown_subject(subject))
    }
}

impl JobQuery {
    fn matches(&self, job: &Job) -> bool {
        self.id.is_none_or(|id| id == job.id)
            && self.subject.as_ref().is_none_or(|subject| *subject == job.subject)
            && self.kind.is_none_or(|kind| kind == job.kind)
            && self.manifest_sha256.is_none_or(|hash| job.manifest_sha256 == Some(hash))
            && !(self.unfinished && job.is_finished())
    }
}

#[derive(Debug)]
struct CatalogChain {
    contents: Arc<Mutex<Contents>>,
    subject: Subject,
    chain_id: ChainId,
}

#[async_trait]
impl AuditChain for CatalogChain {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    async fn append(&self, fact: Fact) -> Result<Row> {
        let mut contents = lock(&self.contents);
        let moves = matches!(fact.kind.machine(), Some(Machine::Backup | Machine::Restore))
            && fact.kind != EventKind::BackupPruned;
        if moves && fact.job_id.is_some_and(|id| contents.jobs.contains_key(&id)) {
            return Err(chain::moves_a_job(&fact));
        }
        contents.chain(&self.subject)?.ledger.append(fact)
    }

    async fn head(&self) -> Result<Head> {
        Ok(lock(&self.contents).chain(&self.subject)?.ledger.head())
    }

    async fn rows(&self, first_seq: u64, limit: usize) -> Result<Vec<Row>> {
        Ok(lock(&self.contents).chain(&self.subject)?.ledger.rows(first_seq, limit))
    }
}

fn lock(contents: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    contents.lock().unwrap_or_else(PoisonError::into_inner)
}
