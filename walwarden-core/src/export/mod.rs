//! Conducts the export of evidence: rows from the catalogue, manifests and dumps from the destination, one bundle.
//!
//! In: an [`ExportRequest`]. Out: the bundle's bytes and an [`Exported`]. What always holds: a bundle that was
//! finished is complete, or the request allowed gaps and each of them is named. A gap does not deceive anyone: the rows
//! announce the manifest, and a verifier finds that it is not there.

mod checkpoint;
mod find;
mod part;
mod rows;
mod writer;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use walwarden_verify::layout::BackupObject;
use walwarden_verify::manifest::Manifest;
use walwarden_verify::statement::Statement;
use walwarden_verify::{Budget, DatabaseId, JobId, Sha256};

use crate::catalog::{JobKind, JobQuery};
use crate::chain::{AuditChain, ChainKeys, Subject};
use crate::engine::Parts;
use crate::error::{Code, Error, Result};
use crate::evidence;
use crate::mirror::Mirror;
use crate::storage::{ObjectName, Storage};
use checkpoint::Given;
pub use part::Part;
use part::Shown;
use rows::Summary;
use writer::Writing;

/// README.txt, audit_events.json, bundle.json, checkpoint and the key.
const OWN_FILES: usize = 5;
const README: &[u8] = include_bytes!("README.txt");
const README_PART: &[u8] = include_bytes!("README-part.txt");

/// A bundle to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportRequest {
    /// Whose chain.
    pub database_id: DatabaseId,
    /// Where its backups lie; searched in this order.
    pub from: Vec<Arc<dyn Storage>>,
    /// Whether the dumps themselves go into the bundle. Without them an auditor checks them where they lie.
    pub artifacts: bool,
    /// Whether a bundle is made although manifests or dumps are gone. It does not reach level 2 if a manifest is.
    pub allow_missing: bool,
    /// A checkpoint of this chain that witnesses cosigned, the bytes of its note: the bundle ends with its last row.
    pub checkpoint: Option<Vec<u8>>,
    /// A timestamp over that checkpoint: what an authority answered (RFC 3161, DER).
    pub timestamp: Option<Vec<u8>>,
    /// Show only these rows, and hashes for all others. Such a bundle reaches level 1 at most.
    pub part: Option<Part>,
}

impl ExportRequest {
    /// A bundle of rows and manifests, without dumps.
    pub fn new(database_id: DatabaseId, from: Arc<dyn Storage>) -> Self {
        ExportRequest {
            database_id,
            from: vec![from],
            artifacts: false,
            allow_missing: false,
            checkpoint: None,
            timestamp: None,
            part: None,
        }
    }

    /// The same, searching here, too: some backups went elsewhere.
    #[must_use]
    pub fn and_from(mut self, from: Arc<dyn Storage>) -> Self {
        self.from.push(from);
        self
    }
}

/// A manifest or dump that should be in a bundle and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// Its name in every destination.
    pub name: ObjectName,
    /// `object-missing`, or `manifest-invalid` when what has its name is something else.
    pub why: Code,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Rows of the chain that it shows.
    pub rows: u64,
    /// Manifests, one for each completed backup.
    pub manifests: u64,
    /// Dumps.
    pub artifacts: u64,
    /// Hash of the last row.
    pub head: Sha256,
    /// What is not there; empty unless [`ExportRequest::allow_missing`].
    pub missing: Vec<Missing>,
}

/// Makes bundles with the engine's parts.
#[derive(Debug, Clone)]
pub struct Exporter {
    parts: Arc<Parts>,
}

/// One completed backup's part of the bundle.
struct Backup {
    job_id: JobId,
    bytes: Bytes,
    manifest: Manifest,
    /// Where its dump lies; none if it does not go into the bundle.
    dump: Option<Arc<dyn Storage>>,
    /// Its archive index, which goes with the dump.
    index: Option<Bytes>,
}

/// What closes the chain: the checkpoint, and a timestamp over it.
struct Closing {
    note: String,
    stamp: Option<Bytes>,
}

const TIMESTAMP: &str = "checkpoint.tsr";

/// All rows of a bundle, or those shown.
#[derive(Clone, Copy)]
struct Rows<'a> {
    chain: &'a dyn AuditChain,
    summary: &'a Summary,
    shown: Option<&'a Shown>,
}

impl Exporter {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Exporter { parts }
    }

    /// Writes the bundle of one database to `out` and returns it with what the bundle holds.
    ///
    /// # Errors
    /// `database-unknown` when there is no chain; `chain-damaged` when a destination holds other or more rows of it than the catalogue, which
    /// was put back; `object-missing` or `manifest-invalid` when a completed backup's
    /// manifest is in no destination as the chain names it, unless the request allows that; `artifact-mismatch` when a dump is not what its
    /// manifest names; `checkpoint-invalid` when the checkpoint is not one of this chain by its own key; `job-unknown` when a
    /// job of the part is not in the chain; `argument-invalid` when the part shows too many rows; `file-failed` when `out` cannot be written.
    pub async fn export<W: Write + Send + 'static>(
        &self,
        request: &ExportRequest,
        out: W,
    ) -> Result<(W, Exported)> {
        let (subject, record) = self.chain(&request.database_id).await?;
        for storage in &request.from {
            let mirror =
                Mirror { parts: &self.parts, storage: storage.as_ref(), subject: &subject, may_begin: false };
            mirror.refuse_put_back(&record).await?;
        }
        let chain = record.audit;
        let given = request.checkpoint.as_deref().map(Given::parse).transpose()?;
        let through = given.as_ref().map(Given::size);
        let mut summary = Summary::of(chain.as_ref(), through).await?;
        let shown = match &request.part {
            Some(part) => Some(part.show(chain.as_ref(), &mut summary).await?),
            None => None,
        };
        let (backups, missing) = self.backups(request, &subject, &summary).await?;
        check_size(&backups, &summary)?;
        let note = self.note(&subject, chain.as_ref(), &summary, given).await?;
        let rows = Rows { chain: chain.as_ref(), summary: &summary, shown: shown.as_ref() };
        let stamp = request.timestamp.as_deref().map(|stamp| checkpoint::stamp(stamp, &note)).transpose()?;
        let closing = Closing { note, stamp };
        let (out, mut exported) = self.write(&subject, rows, closing, &backups, out).await?;
        exported.missing = missing;
        Ok((out, exported))
    }

    /// The manifest of every completed backup, each compared with the hash that the chain names, and what is missing.
    async fn backups(
        &self,
        request: &ExportRequest,
        subject: &Subject,
        summary: &Summary,
    ) -> Result<(Vec<Backup>, Vec<Missing>)> {
        let jobs = self.parts.catalog.jobs(JobQuery::of(subject).kind(JobKind::Backup)).await?;
        let mut backups = Vec::new();
        let mut missing = Vec::new();
        for (job_id, announced) in &summary.completed {
            let job = jobs.iter().find(|job| job.id == *job_id).ok_or_else(|| {
                Error::new(
                    Code::CatalogCorrupt,
                    format!("the chain names a job that the catalogue lacks job={job_id}"),
                )
            })?;
            let name = job.object_name(BackupObject::Manifest)?;
            let bytes = match find::manifest(&request.from, &name, *announced).await {
                Err(error) if request.allow_missing && find::is_gone(&error) => {
                    missing.push(Missing { name, why: error.code() });
                    continue;
                }
                found => found?,
            };
            let manifest = Manifest::parse(&bytes).map_err(|error| {
                Error::new(Code::ManifestInvalid, format!("malformed manifest name={name}"))
                    .with_source(error)
            })?;
            let dump = match request.artifacts {
                true => {
                    let name = ObjectName::new(manifest.body().artifact_key.clone())?;
                    match find::dump(&request.from, &name).await {
                        Err(error) if request.allow_missing && find::is_gone(&error) => {
                            missing.push(Missing { name, why: error.code() });
                            None
                        }
                        found => Some(found?),
                    }
                }
                false => None,
            };
            let stated = manifest.body().index.as_ref().filter(|_| dump.is_some());
            let index = match stated {
                Some(stated) => match find::index(&request.from, stated).await {
                    Err(error) if request.allow_missing && find::is_gone(&error) => {
                        let name = ObjectName::new(stated.key.clone())?;
                        missing.push(Missing { name, why: error.code() });
                        None
                    }
                    found => Some(found?),
                },
                None => None,
            };
            backups.push(Backup { job_id: *job_id, bytes, manifest, dump, index });
        }
        backups.sort_by_key(|backup| backup.job_id);
        Ok((backups, missing))
    }

    async fn write<W: Write + Send + 'static>(
        &self,
        subject: &Subject,
        rows: Rows<'_>,
        closing: Closing,
        backups: &[Backup],
        out: W,
    ) -> Result<(W, Exported)> {
        let Rows { chain, summary, shown } = rows;
        let Closing { note, stamp } = closing;
        let readme = if shown.is_some() { README_PART } else { README };
        let signer = self.parts.signer_at(chain, summary.head.seq).await?;
        let keys = ChainKeys::of(chain).await?;
        let mut hints: BTreeMap<String, Bytes> = BTreeMap::new();
        for key in keys.public().chain([signer.public_key()]) {
            hints.insert(format!("keys/{}.pem", key.key_id().digest()), key.to_pem().into());
        }

        let mut files = vec![
            ("README.txt".to_owned(), Sha256::of(readme)),
            match shown {
                Some(shown) => ("disclosure.json".to_owned(), Sha256::of(&shown.bytes)),
                None => ("audit_events.json".to_owned(), summary.sha256),
            },
            ("checkpoint".to_owned(), Sha256::of(note.as_bytes())),
        ];
        files.extend(stamp.iter().map(|stamp| (TIMESTAMP.to_owned(), Sha256::of(stamp))));
        files.extend(hints.iter().map(|(path, pem)| (path.clone(), Sha256::of(pem))));
        for backup in backups {
            files.push((path(backup, "manifest.json"), Sha256::of(&backup.bytes)));
            if backup.dump.is_some() {
                files.push((path(backup, "artifact.dump"), backup.manifest.body().checksum_sha256));
            }
            if let Some(index) = &backup.index {
                files.push((path(backup, "index.json"), Sha256::of(index)));
            }
        }
        files.sort();
        let statement = Statement {
            org_id: subject.org_id.clone(),
            database_id: subject.database_id.clone(),
            chain_id: chain.chain_id(),
            first_seq: 1,
            last_seq: summary.head.seq,
            backups: summary.completed.len() as u64,
            rows_shown: shown.map(|shown| shown.rows),
            created_at: self.parts.clock.now().max(summary.last_at),
            files,
        };
        let index = evidence::index(&statement, signer.as_ref()).await?;

        // In the order of the names, so that the same evidence makes the same bytes.
        let with_dumps = backups.iter().any(|backup| backup.dump.is_some());
        let mut bundle = Writing::start(out, with_dumps);
        bundle.add("README.txt", Bytes::from_static(readme)).await?;
        if shown.is_none() {
            bundle.begin("audit_events.json", summary.size_bytes).await?;
            rows::write(chain, summary, &mut bundle).await?;
            bundle.end().await?;
        }
        for backup in backups {
            if let Some(storage) = &backup.dump {
                write_artifact(storage.as_ref(), backup, &mut bundle).await?;
            }
            if let Some(index) = &backup.index {
                bundle.add(&path(backup, "index.json"), index.clone()).await?;
            }
            bundle.add(&path(backup, "manifest.json"), backup.bytes.clone()).await?;
        }
        bundle.add("bundle.json", index.into()).await?;
        bundle.add("checkpoint", note.into()).await?;
        if let Some(stamp) = stamp {
            bundle.add(TIMESTAMP, stamp).await?;
        }
        if let Some(shown) = shown {
            bundle.add("disclosure.json", shown.bytes.clone()).await?;
        }
        for (path, pem) in hints {
            bundle.add(&path, pem).await?;
        }
        let out = bundle.finish().await?;
        let exported = Exported {
            rows: shown.map_or(summary.head.seq, |shown| shown.rows),
            manifests: backups.len() as u64,
            artifacts: backups.iter().filter(|backup| backup.dump.is_some()).count() as u64,
            head: summary.head.hash,
            missing: Vec::new(),
        };
        Ok((out, exported))
    }
}

async fn write_artifact<W: Write + Send + 'static>(
    storage: &dyn Storage,
    backup: &Backup,
    bundle: &mut Writing<W>,
) -> Result<()> {
    let body = backup.manifest.body();
    let name = ObjectName::new(body.artifact_key.clone())?;
    let mut measure = crate::pipeline::Measure::default();
    bundle.begin(&path(backup, "artifact.dump"), body.size_bytes).await?;
    let mut chunks = storage.get(&name, None).await?.body;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        measure.update(&chunk);
        bundle.write(chunk).await?;
    }
    bundle.end().await?;
    if measure.finish().sha256 == body.checksum_sha256 {
        return Ok(());
    }
    Err(Error::new(Code::ArtifactMismatch, format!("the dump is not what its manifest names name={name}")))
}

/// A bundle that no verifier would take is not made.
fn check_size(backups: &[Backup], summary: &Summary) -> Result<()> {
    let with_dump = || backups.iter().filter(|backup| backup.dump.is_some());
    let dumps: u64 = with_dump().map(|backup| backup.manifest.body().size_bytes).sum();
    let indexes = backups.iter().filter_map(|backup| backup.index.as_ref());
    let index_bytes: u64 = indexes.clone().map(|index| index.len() as u64).sum();
    let size_bytes = summary.size_bytes + dumps + index_bytes;
    let Budget { input_bytes: limit, entries, .. } = Budget::default();
    let files = OWN_FILES + backups.len() + with_dump().count() + indexes.count();
    if files > entries {
        let message =
            format!("the bundle would hold more files than verifiers take files={files} limit={entries}");
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    if size_bytes < limit {
        return Ok(());
    }
    let message = format!(
        "the bundle would exceed what verifiers take size={size_bytes} limit={limit}; leave the dumps out"
    );
    Err(Error::new(Code::ArgumentInvalid, message))
}

fn path(backup: &Backup, file: &str) -> String {
    format!("backups/{}/{file}", backup.job_id)
}
