//! From the catalogue to the destination.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use walwarden_verify::merkle::Tree;
use walwarden_verify::{ChainId, DatabaseId, Head, Row, layout};

use super::{SEGMENT_LIMIT_BYTES, segment};
use crate::catalog::{CatalogExt, ChainRecord};
use crate::chain::Subject;
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::evidence;
use crate::storage::{Listed, ObjectName, Storage, StorageExt};
use crate::watch::{Cancel, Watch};

/// Rows in one segment at most; also how many are held in memory at once.
const SEGMENT_ROWS: usize = 10_000;

/// How far a chain lies in the destination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mirrored {
    pub(crate) chain_id: ChainId,
    pub(crate) head: Head,
}

/// Copies one subject's chain into one destination.
#[derive(Debug)]
pub(crate) struct Mirror<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) storage: &'a dyn Storage,
    pub(crate) subject: &'a Subject,
    /// Whether the chain may begin here, as in a destination that is new. Otherwise it goes on only where it lies.
    pub(crate) may_begin: bool,
}

impl Mirror<'_> {
    /// Refuses to begin a chain beside one that the destination holds of this database already. That one belongs to a
    /// catalogue which is lost, or to another installation; a second one would be complete in itself and hide it.
    /// `ours` is the chain already begun, if it is: it stands in the way of taking up the other one.
    ///
    /// # Errors
    /// `chain-exists`; the store's.
    pub(crate) async fn refuse_second_chain(&self, ours: Option<ChainId>) -> Result<()> {
        let folder = layout::chains_prefix(&self.subject.org_id, self.database_id());
        let what = match ours {
            Some(_) => {
                "another chain of this database than the catalogue; back it up to another destination, or under another \
                 name"
            }
            None => "a chain that the catalogue does not have",
        };
        let ours = ours.map(|id| layout::audit_prefix(&self.subject.org_id, self.database_id(), id));
        let listed = self.storage.list(folder.trim_end_matches('/')).await?;
        let is_ours = |name: &ObjectName| ours.as_ref().is_some_and(|ours| name.as_str().starts_with(ours));
        match listed.first() {
            Some(other) if !listed.iter().any(|listed| is_ours(&listed.name)) => Err(Error::new(
                Code::ChainExists,
                format!("the destination holds {what} name={}", other.name),
            )),
            _ => Ok(()),
        }
    }

    /// Copies rows and checkpoint once a job has ended. The destination may be the very thing that is broken: what fails
    /// here is told, and follows with the next job. `grace` is how long it may go on once stopping is asked for.
    pub(crate) async fn publish_or_tell(&self, cancel: &Cancel, grace: Duration, watch: &dyn Watch) {
        let silent = || Error::new(Code::StorageUnavailable, "it did not answer in time");
        let published = cancel.or_grace(grace, self.publish()).await;
        if let Err(error) = published.unwrap_or_else(|| Err(silent())) {
            let causes = error.with_causes();
            watch.notice(&format!("events and checkpoint are not in the destination yet: {causes}"));
        }
    }

    /// Copies the rows that are not in the destination yet, then a checkpoint over all of them.
    async fn publish(&self) -> Result<()> {
        let head = self.push_rows().await?.head;
        let chain = self.chain().await?.audit;
        let signer = self.parts.signer_at(chain.as_ref(), head.seq).await?;
        let mut tree = Tree::new();
        let mut next = 1;
        while next <= head.seq {
            let rows = chain.rows(next, SEGMENT_ROWS).await?;
            for row in rows.iter().filter(|row| row.seq <= head.seq) {
                tree.push(&row.to_canonical());
            }
            next += rows.len().max(1) as u64;
        }
        let note =
            evidence::checkpoint(&self.subject.org_id, chain.chain_id(), &tree, signer.as_ref()).await?;
        let name =
            layout::checkpoint_key(&self.subject.org_id, self.database_id(), chain.chain_id(), head.seq);
        self.put_same(&ObjectName::new(name)?, note.clone().into()).await?;
        self.parts.catalog.checkpoint(self.subject, head.seq, note).await
    }

    /// Looks whether this chain can go on in the destination: it holds nothing of the database yet, or the first rows of
    /// this very chain. Fewer than were copied to a destination before are told of: that may be right for another
    /// destination, and is wrong for one whose disk is not mounted.
    ///
    /// # Errors
    /// `chain-exists` when it holds another chain; `chain-damaged` when it holds other or more rows than the catalogue;
    /// the store's.
    pub(crate) async fn check(&self, watch: &dyn Watch) -> Result<()> {
        let record = self.chain().await?;
        let (through, _) = self.compare(&record).await?;
        let copied = record.mirrored_through;
        if through < copied {
            let holds = if through == 0 { "nothing of it".to_owned() } else { format!("{through} of them") };
            watch.notice(&format!(
                "{copied} rows of the audit chain were copied to the destination before, but this one holds {holds}: is it \
                 mounted, or was it emptied? It is taken for a new destination, and gets the rest; earlier backups may lie \
                 elsewhere"
            ));
        }
        Ok(())
    }

    /// Copies the rows that are not in the destination yet; returns how far they reach.
    pub(crate) async fn push_rows(&self) -> Result<Mirrored> {
        let record = self.chain().await?;
        let chain = &record.audit;
        let (through, head) = self.compare(&record).await?;
        if through > record.mirrored_through {
            self.parts.catalog.mirrored(self.subject, through).await?;
        }
        let mut next = through + 1;
        while next <= head.seq {
            let rows = chain.rows(next, SEGMENT_ROWS).await?;
            let Some(last) = rows.last().map(|row| row.seq) else { break };
            let mut segment = Vec::new();
            for row in &rows {
                segment.extend_from_slice(&row.to_canonical());
                segment.push(b'\n');
            }
            let name = layout::audit_segment_key(
                &self.subject.org_id,
                self.database_id(),
                chain.chain_id(),
                next,
                last,
            );
            self.put_same(&ObjectName::new(name)?, segment.into()).await?;
            self.parts.catalog.mirrored(self.subject, last).await?;
            next = last + 1;
        }
        Ok(Mirrored { chain_id: chain.chain_id(), head })
    }

    /// How far the destination's copy reaches, and the chain's head. The destination is asked each time, and its last row
    /// compared: it may be another one than before, or a copy. As rows are chained by their hashes, one stands for all
    /// before it; it is another history's if the catalogue was put back.
    async fn compare(&self, record: &ChainRecord) -> Result<(u64, Head)> {
        let (through, last) = self.stored_through(record.chain_id).await?;
        if through == 0 {
            self.refuse_second_chain(Some(record.chain_id)).await?;
            if !self.may_begin {
                return Err(Error::new(Code::ObjectMissing, "nothing of the audit chain lies there"));
            }
        }
        let head = self.agree(record, through, last).await?;
        Ok((through, head))
    }

    /// Looks whether the destination holds other or more rows of this chain than the catalogue: what is signed then would be a
    /// second history.
    ///
    /// # Errors
    /// `chain-damaged`; the store's.
    pub(crate) async fn refuse_put_back(&self, record: &ChainRecord) -> Result<()> {
        let (through, last) = self.stored_through(record.chain_id).await?;
        self.agree(record, through, last).await.map(drop)
    }

    /// The chain's head, if the destination's rows are among its own.
    async fn agree(&self, record: &ChainRecord, through: u64, last: Option<Listed>) -> Result<Head> {
        // Read afterwards: no row reaches the destination before it is in the catalogue.
        let head = record.audit.head().await?;
        if through > head.seq {
            return Err(put_back(&format!(
                "more rows than the catalogue stored={through} head={}",
                head.seq
            )));
        }
        if let Some(last) = last {
            let ours = record.audit.rows(through, 1).await?;
            let same = match ours.first() {
                Some(row) => self.ends_with(&last, row).await?,
                None => false,
            };
            if !same {
                let name = last.name;
                return Err(put_back(&format!("other rows than the catalogue seq={through} name={name}")));
            }
        }
        Ok(head)
    }

    /// Whether a segment's last row is this one.
    async fn ends_with(&self, segment: &Listed, row: &Row) -> Result<bool> {
        let mut line = row.to_canonical().to_vec();
        line.push(b'\n');
        let Some(start) = segment.size_bytes.checked_sub(line.len() as u64) else { return Ok(false) };
        let end = self.storage.get(&segment.name, Some(start..segment.size_bytes)).await?;
        Ok(end.body.try_collect::<Vec<Bytes>>().await?.concat() == line)
    }

    /// How far the segments in the destination reach without a gap, and the one that reaches so far.
    async fn stored_through(&self, chain_id: ChainId) -> Result<(u64, Option<Listed>)> {
        let folder = layout::audit_prefix(&self.subject.org_id, self.database_id(), chain_id);
        let mut reached = (0, None);
        for listed in self.storage.list(folder.trim_end_matches('/')).await? {
            let file = listed.name.as_str().strip_prefix(&folder).unwrap_or_default();
            if let Some((first, last)) = segment(file)
                && first <= reached.0 + 1
                && last > reached.0
            {
                reached = (last, Some(listed));
            }
        }
        Ok(reached)
    }

    /// Stores an object, content with finding it there already if it holds the same bytes.
    async fn put_same(&self, name: &ObjectName, body: Bytes) -> Result<()> {
        match self.storage.put(name, body.clone()).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Code::ObjectExists => {
                if self.storage.read(name, SEGMENT_LIMIT_BYTES).await? == body {
                    return Ok(());
                }
                let message = format!("the destination holds other rows under this name name={name}");
                Err(Error::new(Code::ChainDamaged, message))
            }
            Err(error) => Err(error),
        }
    }

    fn database_id(&self) -> &DatabaseId {
        self.subject.database_id.as_ref().expect("only chains of databases have a destination")
    }

    async fn chain(&self) -> Result<ChainRecord> {
        self.parts.catalog.chain(self.subject).await?.ok_or_else(|| {
            let message = format!("there is no audit chain yet database={}", self.database_id());
            Error::new(Code::DatabaseUnknown, message)
        })
    }
}

/// The catalogue and the destination tell different histories.
fn put_back(what: &str) -> Error {
    let message = format!(
        "the destination holds {what}; if the catalogue was put back to an earlier state, or copied, move it aside and \
         rebuild it from the destination"
    );
    Error::new(Code::ChainDamaged, message)
}
