//! From the catalogue to the destination.

use bytes::Bytes;
use walwarden_verify::merkle::Tree;
use walwarden_verify::{ChainId, DatabaseId, Head, Row, layout};

use super::{SEGMENT_LIMIT_BYTES, segment};
use crate::catalog::{CatalogExt, ChainRecord};
use crate::chain::Subject;
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::evidence;
use crate::storage::{ObjectName, Storage, StorageExt};

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
}

impl Mirror<'_> {
    /// Refuses to begin a chain beside one that the destination holds of this database already. That one belongs to a
    /// catalogue which is lost, or to another installation; a second one would be complete in itself and hide it.
    /// `ours` is the chain already begun, if it is.
    ///
    /// # Errors
    /// `chain-exists`; the store's.
    pub(crate) async fn refuse_second_chain(&self, ours: Option<ChainId>) -> Result<()> {
        let folder = layout::chains_prefix(&self.subject.org_id, self.database_id());
        let ours = ours.map(|id| layout::audit_prefix(&self.subject.org_id, self.database_id(), id));
        let listed = self.storage.list(folder.trim_end_matches('/')).await?;
        let is_ours = |name: &ObjectName| ours.as_ref().is_some_and(|ours| name.as_str().starts_with(ours));
        match listed.first() {
            Some(other) if !listed.iter().any(|listed| is_ours(&listed.name)) => Err(Error::new(
                Code::ChainExists,
                format!("the destination holds a chain that the catalogue does not have name={}", other.name),
            )),
            _ => Ok(()),
        }
    }

    /// Copies the rows that are not in the destination yet, then a checkpoint over all of them.
    pub(crate) async fn publish(&self) -> Result<()> {
        let head = self.push_rows().await?.head;
        let chain = self.chain().await?.audit;
        let signer = self.parts.signer_of(chain.as_ref()).await?;
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
    /// this very chain. Reads nothing but names while it holds what was copied from here.
    ///
    /// # Errors
    /// `chain-exists` when it holds another chain; `chain-damaged` when it holds other or more rows than the catalogue;
    /// the store's.
    pub(crate) async fn check(&self) -> Result<()> {
        self.compare(&self.chain().await?).await.map(drop)
    }

    /// Copies the rows that are not in the destination yet; returns how far they reach.
    pub(crate) async fn push_rows(&self) -> Result<Mirrored> {
        let record = self.chain().await?;
        let chain = &record.audit;
        let (through, head) = self.compare(&record).await?;
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

    /// How far the destination's copy reaches, and the chain's head. The destination is asked each time: it may be another
    /// one than before, or a copy. Rows that the catalogue does not know to lie there are compared: they are ours if a
    /// worker died between storing and noting them, and another history's if the catalogue was put back.
    async fn compare(&self, record: &ChainRecord) -> Result<(u64, Head)> {
        let (through, last) = self.stored_through(record.chain_id).await?;
        if through == 0 {
            self.refuse_second_chain(Some(record.chain_id)).await?;
        }
        // Read afterwards: no row reaches the destination before it is in the catalogue.
        let head = record.audit.head().await?;
        if through > head.seq {
            return Err(put_back(&format!(
                "more rows than the catalogue stored={through} head={}",
                head.seq
            )));
        }
        if let Some(last) = last
            && through > record.mirrored_through
        {
            let segment = self.storage.read(&last, SEGMENT_LIMIT_BYTES).await?;
            let ours = record.audit.rows(through, 1).await?;
            let same =
                |row: &Row| segment.strip_suffix(b"\n").is_some_and(|s| s.ends_with(&row.to_canonical()));
            if !ours.first().is_some_and(same) {
                return Err(put_back(&format!("other rows than the catalogue seq={through} name={last}")));
            }
        }
        Ok((through, head))
    }

    /// How far the segments in the destination reach without a gap, and the one that reaches so far.
    async fn stored_through(&self, chain_id: ChainId) -> Result<(u64, Option<ObjectName>)> {
        let folder = layout::audit_prefix(&self.subject.org_id, self.database_id(), chain_id);
        let mut reached = (0, None);
        for listed in self.storage.list(folder.trim_end_matches('/')).await? {
            let file = listed.name.as_str().strip_prefix(&folder).unwrap_or_default();
            if let Some((first, last)) = segment(file)
                && first <= reached.0 + 1
                && last > reached.0
            {
                reached = (last, Some(listed.name));
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
