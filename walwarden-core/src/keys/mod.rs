//! Conducts changes of the signing key: a rotation or a revocation is told by a row of every chain it concerns.
//!
//! In: the present signer and its successor. Out: rows. What always holds: a rotation is signed by both keys for its
//! very place in the chain, and whatever is interrupted is completed by the same call again.

use std::sync::Arc;

use walwarden_verify::chain::rotation_message;
use walwarden_verify::json::{Object, Value};
use walwarden_verify::{EventKind, KeyId};

use crate::catalog::JobQuery;
use crate::chain::{AuditChain, ChainKeys, Fact, OLD_PUBLIC_KEY, Subject};
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::manifest::ManifestSigner;

/// Changes keys with the engine's parts.
#[derive(Debug, Clone)]
pub struct Keys {
    parts: Arc<Parts>,
}

/// A chain and what became of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChange {
    /// Whose chain.
    pub subject: Subject,
    /// What was done.
    pub outcome: KeyOutcome,
}

/// What became of a chain's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOutcome {
    /// This row tells of it.
    Recorded(u64),
    /// An earlier call recorded it.
    AlreadyRecorded,
    /// The chain goes on with neither of the keys, and was left alone.
    OtherKey(KeyId),
}

impl Keys {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Keys { parts }
    }

    /// Lets every chain of the organisation go on with the successor's key.
    ///
    /// # Errors
    /// `key-missing` when the engine has no signer or no successor; `job-held` while a worker is at a job: what it signs
    /// last would be by the old key. Chains rotated before an error stay so; call again to go on.
    pub async fn rotate(&self) -> Result<Vec<KeyChange>> {
        let (old, new) = (self.parts.signer()?, self.parts.successor()?);
        let subjects = self.subjects().await?;
        self.refuse_while_working().await?;
        let mut changes = Vec::new();
        for subject in subjects {
            let Some(record) = self.parts.catalog.chain(&subject).await? else { continue };
            let chain = record.audit.as_ref();
            let current = ChainKeys::of(chain).await?.current();
            let outcome = if current == new.public_key().key_id() {
                KeyOutcome::AlreadyRecorded
            } else if current == old.public_key().key_id() {
                KeyOutcome::Recorded(self.append_rotation(chain, old.as_ref(), new.as_ref()).await?)
            } else {
                KeyOutcome::OtherKey(current)
            };
            changes.push(KeyChange { subject, outcome });
        }
        self.parts.catalog.settle().await;
        Ok(changes)
    }

    /// Makes a key bad from now on in every chain that had it: what it signed before stays good.
    ///
    /// # Errors
    /// `argument-invalid` when no chain had the key, or one goes on with it: a chain whose own key is revoked ends, so
    /// rotate first. Nothing is recorded then.
    pub async fn revoke(&self, key_id: KeyId, reason: &str) -> Result<Vec<KeyChange>> {
        let mut concerned = Vec::new();
        for subject in self.subjects().await? {
            let Some(record) = self.parts.catalog.chain(&subject).await? else { continue };
            let keys = ChainKeys::of(record.audit.as_ref()).await?;
            if keys.current() == key_id {
                let message = format!(
                    "a chain goes on with this key: rotate first, revoke after {subject} key={key_id}"
                );
                return Err(Error::new(Code::ArgumentInvalid, message));
            }
            if keys.contains(key_id) {
                concerned.push((subject, record.audit, keys.is_revoked(key_id)));
            }
        }
        if concerned.is_empty() {
            let message = format!("no chain of this catalogue ever had this key key={key_id}");
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        let mut changes = Vec::new();
        for (subject, chain, revoked) in concerned {
            let outcome = if revoked {
                KeyOutcome::AlreadyRecorded
            } else {
                let payload = Object::from([("keyId", key_id.to_string()), ("reason", reason.to_owned())]);
                let at = self.parts.clock.now();
                let fact = Fact { at, job_id: None, kind: EventKind::KeyRevoked, payload };
                KeyOutcome::Recorded(chain.append(fact).await?.seq)
            };
            changes.push(KeyChange { subject, outcome });
        }
        self.parts.catalog.settle().await;
        Ok(changes)
    }

    async fn subjects(&self) -> Result<Vec<Subject>> {
        let mut subjects = self.parts.catalog.subjects().await?;
        subjects.retain(|subject| subject.org_id == self.parts.settings.org_id);
        Ok(subjects)
    }

    async fn refuse_while_working(&self) -> Result<()> {
        let now = self.parts.clock.now();
        let jobs = self.parts.catalog.jobs(JobQuery::default().unfinished()).await?;
        let held = |job: &&crate::catalog::Job| job.lease.as_ref().is_some_and(|lease| lease.holds(now));
        match jobs.iter().find(held) {
            None => Ok(()),
            Some(job) => {
                let message =
                    format!("a worker is at a job, which would end with the old key job={}", job.id);
                Err(Error::new(Code::JobHeld, message))
            }
        }
    }

    /// The signatures name the row's place. Where another row took it meanwhile, they are made anew.
    async fn append_rotation(
        &self,
        chain: &dyn AuditChain,
        old: &dyn ManifestSigner,
        new: &dyn ManifestSigner,
    ) -> Result<u64> {
        loop {
            let head = chain.head().await?;
            let fact = self.rotation(chain, head.seq + 1, old, new).await?;
            match chain.append(fact).await {
                Err(_) if chain.head().await? != head => {}
                appended => return Ok(appended?.seq),
            }
        }
    }

    async fn rotation(
        &self,
        chain: &dyn AuditChain,
        seq: u64,
        old: &dyn ManifestSigner,
        new: &dyn ManifestSigner,
    ) -> Result<Fact> {
        let (old_key, new_key) = (old.public_key(), new.public_key());
        let message = rotation_message(chain.chain_id(), seq, old_key.key_id(), new_key.key_id());
        let (old_signature, new_signature) = (old.sign(&message).await?, new.sign(&message).await?);
        old_key.verify(&message, &old_signature).map_err(|error| {
            let message = format!("the signer's signature does not verify key={}", old_key.key_id());
            Error::new(Code::KeyInvalid, message).with_source(error)
        })?;
        let payload = Object::from([
            ("oldKeyId", Value::from(old_key.key_id().to_string())),
            (OLD_PUBLIC_KEY, old_key.to_pem().into()),
            ("newKeyId", new_key.key_id().to_string().into()),
            ("newPublicKey", new_key.to_pem().into()),
            ("oldSignature", old_signature.to_string().into()),
            ("newSignature", new_signature.to_string().into()),
        ]);
        Ok(Fact { at: self.parts.clock.now(), job_id: None, kind: EventKind::KeyRotated, payload })
    }
}
