//! States what happened, in an order nobody can change unseen.
//!
//! In: [`Fact`]s. Out: [`Row`]s linked by hash. What always holds: `seq` rises by one, `at` never runs backwards,
//! and a row once returned is durable and never edited.

use std::fmt::Debug;

use async_trait::async_trait;
use walwarden_verify::json::Object;
use walwarden_verify::{ChainId, DatabaseId, EventKind, JobId, OrgId, Row, Sha256, Timestamp};

use crate::error::Result;

/// What a chain speaks of: one database, or (with `database_id` none) the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The organisation.
    pub org_id: OrgId,
    /// The database, or none for the organisation's own chain.
    pub database_id: Option<DatabaseId>,
}

/// Something that happened and is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// When, by the caller's clock. Where that is earlier than the last row, the chain records the last row's time.
    pub at: Timestamp,
    /// The job concerned.
    pub job_id: Option<JobId>,
    /// What happened.
    pub kind: EventKind,
    /// Digests, sizes, counts and labels; never row data, DSNs or secrets.
    pub payload: Object,
}

/// The last row's place and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last row.
    pub seq: u64,
    /// Its hash.
    pub hash: Sha256,
}

/// One chain of one [`Subject`]. Implementations run `walwarden_testkit::chain::suite`.
///
/// - [`append`](Self::append) MUST be durable before it returns, and MUST give each `seq` to one writer only, also
///   across processes.
/// - MUST refuse a fact that the job's state machine does not allow (`job-state`) or whose payload breaks the
///   format (`internal`).
/// - MUST keep the exact canonical bytes of each row; they are never derived again.
/// - MUST NOT edit or remove a row. A chain found to contradict itself is `chain-damaged` and takes no more rows.
#[async_trait]
pub trait AuditChain: Debug + Send + Sync + 'static {
    /// The chain's id, as in its genesis row.
    fn chain_id(&self) -> ChainId;

    /// Records a fact as the next row.
    async fn append(&self, fact: Fact) -> Result<Row>;

    /// The last row's place; a chain always has its genesis row.
    async fn head(&self) -> Result<Head>;

    /// Up to `limit` rows from `first_seq` on, in order.
    async fn rows(&self, first_seq: u64, limit: usize) -> Result<Vec<Row>>;
}
