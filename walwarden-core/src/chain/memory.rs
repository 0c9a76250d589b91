use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use walwarden_verify::ChainId;

use super::{AuditChain, Fact, Genesis, Head, Row, Tip};
use crate::error::Result;

/// A chain that lives in this process only: the reference implementation, durable as long as its value lives.
#[derive(Debug)]
pub struct MemoryChain {
    chain_id: ChainId,
    ledger: Mutex<Ledger>,
}

impl MemoryChain {
    /// Starts a chain with its genesis row.
    pub fn start(genesis: &Genesis) -> Result<Self> {
        let mut ledger = Ledger::default();
        ledger.append(genesis.fact())?;
        Ok(MemoryChain { chain_id: genesis.chain_id, ledger: Mutex::new(ledger) })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AuditChain for MemoryChain {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    async fn append(&self, fact: Fact) -> Result<Row> {
        self.ledger().append(fact)
    }

    async fn head(&self) -> Result<Head> {
        Ok(self.ledger().head())
    }

    async fn rows(&self, first_seq: u64, limit: usize) -> Result<Vec<Row>> {
        Ok(self.ledger().rows(first_seq, limit))
    }
}

/// The rows of a chain in memory.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    tip: Tip,
    rows: Vec<Row>,
}

impl Ledger {
    /// Takes over rows written elsewhere; `chain-damaged` when they contradict each other.
    pub(crate) fn from_rows(rows: Vec<Row>) -> Result<Self> {
        let mut tip = Tip::default();
        rows.iter().try_for_each(|row| tip.follow(row))?;
        Ok(Ledger { tip, rows })
    }

    pub(crate) fn append(&mut self, fact: Fact) -> Result<Row> {
        let row = self.tip.link(fact)?;
        self.rows.push(row.clone());
        Ok(row)
    }

    /// Appends all of the facts, or none.
    pub(crate) fn append_all(&mut self, facts: Vec<Fact>) -> Result<Vec<Row>> {
        let mut tip = self.tip.clone();
        let rows = facts.into_iter().map(|fact| tip.link(fact)).collect::<Result<Vec<_>>>()?;
        self.rows.extend_from_slice(&rows);
        self.tip = tip;
        Ok(rows)
    }

    pub(crate) fn head(&self) -> Head {
        self.tip.head()
    }

    pub(crate) fn rows(&self, first_seq: u64, limit: usize) -> Vec<Row> {
        let first = usize::try_from(first_seq.saturating_sub(1)).unwrap_or(usize::MAX);
        self.rows.iter().skip(first).take(limit).cloned().collect()
    }
}
