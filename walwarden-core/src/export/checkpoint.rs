//! Checkpoints for witnesses, and those that come back from them.

use bytes::Bytes;
use walwarden_verify::checkpoint::{AddCheckpoint, Checkpoint, SignedNote, origin};
use walwarden_verify::{DatabaseId, Sha256};

use super::Exporter;
use super::rows::{self, Summary};
use crate::catalog::ChainRecord;
use crate::chain::{AuditChain, ChainKeys, Subject};
use crate::error::{Code, Error, Result};
use crate::evidence;

impl Exporter {
    /// A checkpoint over a database's whole chain, for a witness: with the proof that it goes on from the first `since` rows, if
    /// the witness saw that many.
    ///
    /// # Errors
    /// `database-unknown` when there is no chain; `argument-invalid` when it has not as many rows; the signer's.
    pub async fn checkpoint(&self, database_id: &DatabaseId, since: Option<u64>) -> Result<AddCheckpoint> {
        let (subject, record) = self.chain(database_id).await?;
        let chain = record.audit;
        let (tree, proof) = rows::tree_since(chain.as_ref(), since).await?;
        let signer = self.parts.signer_at(chain.as_ref(), tree.size()).await?;
        let note = evidence::checkpoint(&subject.org_id, chain.chain_id(), &tree, signer.as_ref()).await?;
        Ok(AddCheckpoint { old_size: since.unwrap_or(0), proof, note })
    }

    /// The note over exactly the rows summed up: a new one, or the one given.
    pub(super) async fn note(
        &self,
        subject: &Subject,
        chain: &dyn AuditChain,
        summary: &Summary,
        given: Option<Given>,
    ) -> Result<String> {
        if let Some(given) = &given {
            let keys = ChainKeys::of(chain).await?;
            // The bundle would end with rows of the former key, which signs no more.
            if keys.at(given.size()) != keys.current() {
                let message = format!(
                    "the chain's key was rotated after this checkpoint, have a later one cosigned size={}",
                    given.size()
                );
                return Err(Error::new(Code::CheckpointInvalid, message));
            }
        }
        let signer = self.parts.signer_at(chain, summary.head.seq).await?;
        let Some(given) = given else {
            return evidence::checkpoint(&subject.org_id, chain.chain_id(), &summary.tree, signer.as_ref())
                .await;
        };
        let origin = origin(&subject.org_id, chain.chain_id());
        let ours = Checkpoint { origin, size: summary.tree.size(), root: summary.tree.root() };
        if given.checkpoint != ours {
            let message =
                format!("the checkpoint is of another history than this chain's size={}", given.size());
            return Err(Error::new(Code::CheckpointInvalid, message));
        }
        match given.note.verify(&ours.origin, signer.public_key()) {
            Ok(true) => Ok(given.text),
            _ => Err(Error::new(
                Code::CheckpointInvalid,
                "the checkpoint is not signed by the chain's present key",
            )),
        }
    }

    pub(super) async fn chain(&self, database_id: &DatabaseId) -> Result<(Subject, ChainRecord)> {
        let subject =
            Subject { org_id: self.parts.settings.org_id.clone(), database_id: Some(database_id.clone()) };
        let record = self.parts.catalog.chain(&subject).await?.ok_or_else(|| {
            let message =
                format!("nothing is recorded of this database until it is backed up database={database_id}");
            Error::new(Code::DatabaseUnknown, message)
        })?;
        Ok((subject, record))
    }
}

/// A timestamp, if it speaks of this checkpoint. Verifiers look at the rest: it states the digest of what it is over, in
/// so many bytes.
pub(super) fn stamp(stamp: &[u8], note: &str) -> Result<Bytes> {
    let body = note.find("\n\n").map_or(note, |end| &note[..=end]);
    let digest = Sha256::of(body.as_bytes());
    if stamp.windows(digest.as_bytes().len()).any(|bytes| bytes == digest.as_bytes()) {
        return Ok(Bytes::copy_from_slice(stamp));
    }
    let message = "the timestamp is not over this checkpoint: stamp its first three lines, and name the checkpoint with it";
    Err(Error::new(Code::CheckpointInvalid, message))
}

/// A checkpoint that came back from witnesses.
pub(super) struct Given {
    text: String,
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl Given {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let malformed = |error: walwarden_verify::FormError| match AddCheckpoint::parse(bytes) {
            Ok(_) => {
                let message = "this is a request to a witness, name the checkpoint that it cosigned";
                Error::new(Code::CheckpointInvalid, message)
            }
            Err(_) => Error::new(Code::CheckpointInvalid, "this is no checkpoint").with_source(error),
        };
        let note = SignedNote::parse(bytes).map_err(malformed)?;
        let checkpoint = Checkpoint::parse_body(note.body()).map_err(malformed)?;
        Ok(Given { text: String::from_utf8_lossy(bytes).into_owned(), note, checkpoint })
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size
    }
}
