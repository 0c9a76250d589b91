use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, Sqlite, Transaction};
use walwarden_verify::ChainId;
use walwarden_verify::event::Machine;

use super::database::Database;
use super::{AuditChain, Fact, Head, Row, Tip};
use crate::error::{Code, Error, Result};

/// A chain whose rows lie in a catalogue's file.
#[derive(Debug)]
pub(crate) struct SqliteChain {
    database: Database,
    chain_id: ChainId,
}

impl SqliteChain {
    pub(crate) fn new(database: Database, chain_id: ChainId) -> Self {
        SqliteChain { database, chain_id }
    }
}

#[async_trait]
impl AuditChain for SqliteChain {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    async fn append(&self, fact: Fact) -> Result<Row> {
        let mut writer = Writer::begin(&self.database, self.chain_id).await?;
        if matches!(fact.kind.machine(), Some(Machine::Backup | Machine::Restore)) {
            refuse_catalogued(&self.database, writer.connection(), &fact).await?;
        }
        let row = writer.append(fact).await?;
        writer.commit().await?;
        Ok(row)
    }

    async fn head(&self) -> Result<Head> {
        let last = sqlx::query("SELECT seq, row FROM event WHERE chain_id = ? ORDER BY seq DESC LIMIT 1")
            .bind(self.chain_id.to_string())
            .fetch_one(self.database.pool())
            .await
            .map_err(|error| self.database.fault(error))?;
        Ok(read(&self.database, &last)?.head())
    }

    async fn rows(&self, first_seq: u64, limit: usize) -> Result<Vec<Row>> {
        let found =
            sqlx::query("SELECT seq, row FROM event WHERE chain_id = ? AND seq >= ? ORDER BY seq LIMIT ?")
                .bind(self.chain_id.to_string())
                .bind(i64::try_from(first_seq).unwrap_or(i64::MAX))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(self.database.pool())
                .await
                .map_err(|error| self.database.fault(error))?;
        found.iter().map(|row| read(&self.database, row)).collect()
    }
}

/// A write to one chain, and to whatever else is to be committed with it.
#[derive(Debug)]
pub(crate) struct Writer {
    transaction: Transaction<'static, Sqlite>,
    tip: BorrowedTip,
}

impl Writer {
    /// Takes the write lock and reads on to the chain's end, holding each row to the chain's rules.
    pub(crate) async fn begin(database: &Database, chain_id: ChainId) -> Result<Self> {
        let mut transaction = database.begin().await?;
        let mut tip = BorrowedTip::take(database, chain_id);
        tip.catch_up(&mut transaction).await?;
        Ok(Writer { transaction, tip })
    }

    /// The connection, for what belongs into the same commit.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Links a fact as the next row.
    pub(crate) async fn append(&mut self, fact: Fact) -> Result<Row> {
        let row = self.tip.tip.link(fact)?;
        self.tip.ahead = true;
        insert(&self.tip.database, &mut self.transaction, self.tip.chain_id, &row).await?;
        Ok(row)
    }

    /// Takes over a row written elsewhere as the next.
    pub(crate) async fn adopt(&mut self, row: &Row) -> Result<()> {
        self.tip.ahead = true;
        self.tip.tip.follow(row)?;
        insert(&self.tip.database, &mut self.transaction, self.tip.chain_id, row).await
    }

    /// Where the chain ends, with what was appended.
    pub(crate) fn head(&self) -> Head {
        self.tip.tip.head()
    }

    /// Makes everything durable at once.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.transaction.commit().await.map_err(|error| self.tip.database.fault(error))?;
        self.tip.ahead = false;
        Ok(())
    }
}

// The chain's end as this process knows it. Given back when dropped, unless it knows of rows that were never
// committed; then it is forgotten, and the next writer reads the chain from its beginning.
#[derive(Debug)]
struct BorrowedTip {
    database: Database,
    chain_id: ChainId,
    tip: Tip,
    ahead: bool,
}

impl BorrowedTip {
    fn take(database: &Database, chain_id: ChainId) -> Self {
        let tip = database.tips().remove(&chain_id).unwrap_or_default();
        BorrowedTip { database: database.clone(), chain_id, tip, ahead: false }
    }

    async fn catch_up(&mut self, connection: &mut SqliteConnection) -> Result<()> {
        self.ahead = true;
        let seen = self.tip.head();
        let mut rows = sqlx::query("SELECT seq, row FROM event WHERE chain_id = ? AND seq >= ? ORDER BY seq")
            .bind(self.chain_id.to_string())
            .bind(i64::try_from(seen.seq).unwrap_or(i64::MAX))
            .fetch(connection);
        let mut seen_again = seen == Head::START;
        while let Some(row) = rows.try_next().await.map_err(|error| self.database.fault(error))? {
            let row = read(&self.database, &row)?;
            if seen_again {
                self.tip.follow(&row)?;
            } else if row.head() == seen {
                seen_again = true;
            } else {
                break;
            }
        }
        if !seen_again {
            return Err(Error::new(
                Code::ChainDamaged,
                format!("the audit chain lost or changed a row seq={}", seen.seq),
            ));
        }
        self.ahead = false;
        Ok(())
    }
}

impl Drop for BorrowedTip {
    fn drop(&mut self) {
        if !self.ahead {
            self.database.tips().insert(self.chain_id, std::mem::take(&mut self.tip));
        }
    }
}

async fn insert(
    database: &Database,
    connection: &mut SqliteConnection,
    chain_id: ChainId,
    row: &Row,
) -> Result<()> {
    sqlx::query("INSERT INTO event (chain_id, seq, row) VALUES (?, ?, ?)")
        .bind(chain_id.to_string())
        .bind(i64::try_from(row.seq).unwrap_or(i64::MAX))
        .bind(row.to_canonical())
        .execute(connection)
        .await
        .map_err(|error| database.fault(error))?;
    Ok(())
}

fn read(database: &Database, stored: &SqliteRow) -> Result<Row> {
    let seq: i64 = stored.try_get("seq").map_err(|error| database.fault(error))?;
    let text: &[u8] = stored.try_get("row").map_err(|error| database.fault(error))?;
    let damaged = || Error::new(Code::ChainDamaged, format!("a row of the audit chain is damaged seq={seq}"));
    let row = Row::parse(text).map_err(|error| damaged().with_source(error))?;
    if i64::try_from(row.seq) != Ok(seq) || row.hash != row.expected_hash() {
        return Err(damaged());
    }
    Ok(row)
}

// Pruning does not move the job: a pruned backup stays completed.
async fn refuse_catalogued(
    database: &Database,
    connection: &mut SqliteConnection,
    fact: &Fact,
) -> Result<()> {
    let known: i64 = sqlx::query_scalar("SELECT count(*) FROM job WHERE job_id = ?")
        .bind(fact.job_id.map(|id| id.to_string()))
        .fetch_one(connection)
        .await
        .map_err(|error| database.fault(error))?;
    if known == 0 || fact.kind == walwarden_verify::EventKind::BackupPruned {
        return Ok(());
    }
    Err(super::moves_a_job(fact))
}
