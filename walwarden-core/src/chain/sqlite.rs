use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, Sqlite, Transaction};
use tokio::sync::OwnedMutexGuard;
use walwarden_verify::ChainId;
use walwarden_verify::event::Machine;

use super::database::{Database, Tips};
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

    async fn key_rows(&self) -> Result<Vec<Row>> {
        // A payload may hold such a text too: the rows found are looked at.
        let found = sqlx::query(
            "SELECT seq, row FROM event WHERE chain_id = ? \
             AND (seq = 1 OR instr(row, CAST('\"kind\":\"key.' AS BLOB)) > 0) ORDER BY seq",
        )
        .bind(self.chain_id.to_string())
        .fetch_all(self.database.pool())
        .await
        .map_err(|error| self.database.fault(error))?;
        let mut rows = found.iter().map(|row| read(&self.database, row)).collect::<Result<Vec<_>>>()?;
        rows.retain(super::is_about_keys);
        Ok(rows)
    }
}

/// A write to one chain, and to whatever else is to be committed with it. Dropped without a commit it leaves nothing.
#[derive(Debug)]
pub(crate) struct Writer {
    // Dropped in this order: the transaction is rolled back before the next writer's turn.
    transaction: Transaction<'static, Sqlite>,
    end: End,
}

impl Writer {
    /// Takes the write lock and reads on to the chain's end, holding each row to the chain's rules.
    pub(crate) async fn begin(database: &Database, chain_id: ChainId) -> Result<Self> {
        let tips = database.tips().await;
        let mut transaction = database.begin().await?;
        let mut end = End { tips, database: database.clone(), chain_id, ahead: true };
        end.catch_up(&mut transaction).await?;
        end.ahead = false;
        Ok(Writer { transaction, end })
    }

    /// The connection, for what belongs into the same commit.
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Links a fact as the next row.
    pub(crate) async fn append(&mut self, fact: Fact) -> Result<Row> {
        let row = self.end.tip().link(fact)?;
        self.insert(&row).await?;
        Ok(row)
    }

    /// Takes over a row written elsewhere as the next.
    pub(crate) async fn adopt(&mut self, row: &Row) -> Result<()> {
        self.end.ahead = true;
        self.end.tip().follow(row)?;
        self.insert(row).await
    }

    /// Where the chain ends, with what was appended.
    pub(crate) fn head(&mut self) -> Head {
        self.end.tip().head()
    }

    /// Makes everything durable at once.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.transaction.commit().await.map_err(|error| self.end.database.fault(error))?;
        self.end.ahead = false;
        Ok(())
    }

    async fn insert(&mut self, row: &Row) -> Result<()> {
        self.end.ahead = true;
        sqlx::query("INSERT INTO event (chain_id, seq, row) VALUES (?, ?, ?)")
            .bind(self.end.chain_id.to_string())
            .bind(i64::try_from(row.seq).unwrap_or(i64::MAX))
            .bind(row.to_canonical())
            .execute(&mut *self.transaction)
            .await
            .map_err(|error| self.end.database.fault(error))?;
        Ok(())
    }
}

// The chain's end as this process knows it. If it is ahead of what was committed when it is dropped, it is forgotten,
// and the next writer reads the chain from its beginning.
#[derive(Debug)]
struct End {
    tips: OwnedMutexGuard<Tips>,
    database: Database,
    chain_id: ChainId,
    ahead: bool,
}

impl End {
    fn tip(&mut self) -> &mut Tip {
        self.tips.entry(self.chain_id).or_default()
    }

    async fn catch_up(&mut self, connection: &mut SqliteConnection) -> Result<()> {
        let database = self.database.clone();
        let chain_id = self.chain_id.to_string();
        let tip = self.tip();
        let seen = tip.head();
        let mut rows = sqlx::query("SELECT seq, row FROM event WHERE chain_id = ? AND seq >= ? ORDER BY seq")
            .bind(chain_id)
            .bind(i64::try_from(seen.seq).unwrap_or(i64::MAX))
            .fetch(connection);
        // The last row seen is looked at again: the file may have been exchanged underneath.
        let mut still_there = seen == Head::START;
        while let Some(row) = rows.try_next().await.map_err(|error| database.fault(error))? {
            let row = parse(&database, &row)?;
            if still_there {
                tip.follow(&row)?;
            } else if row.head() == seen {
                still_there = true;
            } else {
                break;
            }
        }
        if still_there {
            return Ok(());
        }
        let message = format!("the audit chain lost or changed a row seq={}", seen.seq);
        Err(Error::new(Code::ChainDamaged, message))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.ahead {
            self.tips.remove(&self.chain_id);
        }
    }
}

// A row as stored, held to its own hash and place.
fn read(database: &Database, stored: &SqliteRow) -> Result<Row> {
    let row = parse(database, stored)?;
    let seq: i64 = stored.try_get("seq").map_err(|error| database.fault(error))?;
    if i64::try_from(row.seq) == Ok(seq) && row.hash == row.expected_hash() {
        Ok(row)
    } else {
        Err(damaged(seq))
    }
}

// A row as stored, its hash and place left to a tip that follows.
fn parse(database: &Database, stored: &SqliteRow) -> Result<Row> {
    let text: &[u8] = stored.try_get("row").map_err(|error| database.fault(error))?;
    Row::parse(text).map_err(|error| match stored.try_get("seq") {
        Ok(seq) => damaged(seq).with_source(error),
        Err(error) => database.fault(error),
    })
}

fn damaged(seq: i64) -> Error {
    Error::new(Code::ChainDamaged, format!("a row of the audit chain is damaged seq={seq}"))
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
