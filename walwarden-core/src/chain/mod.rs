//! States what happened, in an order nobody can change unseen.
//!
//! In: [`Fact`]s. Out: [`Row`]s linked by hash. What always holds: `seq` rises by one, `at` never runs backwards,
//! and a row once returned is durable and never edited.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use walwarden_verify::json::{Object, Value};
use walwarden_verify::key::KeyId;
use walwarden_verify::{ChainId, DatabaseId, EventKind, JobId, OrgId, Timestamp};
pub use walwarden_verify::{Head, Row};

use crate::error::{Code, Error, Result};

pub(crate) mod database;
mod keys;
mod memory;
mod sqlite;
mod tip;

pub(crate) use keys::{ChainKeys, OLD_PUBLIC_KEY};
pub(crate) use memory::Ledger;
pub use memory::MemoryChain;
pub(crate) use sqlite::{SqliteChain, Writer};
pub(crate) use tip::Tip;

/// What a chain speaks of: one database, or (with `database_id` none) the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The organisation.
    pub org_id: OrgId,
    /// The database, or none for the organisation's own chain.
    pub database_id: Option<DatabaseId>,
}

impl fmt::Display for Subject {
    /// `org=acme database=shop`, or `org=acme` alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "org={}", self.org_id)?;
        self.database_id.iter().try_for_each(|id| write!(f, " database={id}"))
    }
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

/// A chain's beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Genesis {
    /// Whose chain.
    pub subject: Subject,
    /// Its id.
    pub chain_id: ChainId,
    /// The key that signs from now on.
    pub key_id: KeyId,
    /// The caller's clock.
    pub at: Timestamp,
}

impl Genesis {
    pub(crate) fn fact(&self) -> Fact {
        let payload = Object::from([
            ("chainId", Value::from(self.chain_id.to_string())),
            ("orgId", self.subject.org_id.to_string().into()),
            ("databaseId", self.subject.database_id.as_ref().map(ToString::to_string).into()),
            ("formatVersion", 1_u64.into()),
            ("keyId", self.key_id.to_string().into()),
        ]);
        Fact { at: self.at, job_id: None, kind: EventKind::ChainGenesis, payload }
    }
}

/// One chain of one [`Subject`]. Implementations run `walwarden_testkit::chain::suite`.
///
/// - [`append`](Self::append) MUST be durable before it returns, and MUST give each `seq` to one writer only, also
///   across processes.
/// - MUST refuse a fact that the job's state machine does not allow (`job-state`), whose payload breaks the format or
///   that does not belong in such a chain (`internal`), and any fact after the chain's own key was revoked
///   (`chain-ended`).
/// - A chain of a [`Catalog`](crate::catalog::Catalog) MUST refuse (`job-state`) facts that move a job the catalogue
///   knows: those are written there, together with the job.
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

    /// The genesis row and all rows about keys, in order. An implementation may know a faster way than to read all rows.
    async fn key_rows(&self) -> Result<Vec<Row>> {
        const PAGE: usize = 10_000;
        let (mut found, mut next) = (Vec::new(), 1);
        loop {
            let rows = self.rows(next, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(found) };
            next = last.seq + 1;
            found.extend(rows.into_iter().filter(is_about_keys));
        }
    }
}

/// The genesis row names the first key.
pub(crate) fn is_about_keys(row: &Row) -> bool {
    use EventKind as K;
    matches!(row.kind, K::ChainGenesis | K::KeyAdded | K::KeyRevoked | K::KeyRotated)
}

/// A fact about a job that is to be written through the catalogue.
pub(crate) fn moves_a_job(fact: &Fact) -> Error {
    Error::new(Code::JobState, format!("the catalogue moves this job kind={}", fact.kind))
}
