//! Writes an evidence bundle: a deterministic gzipped tar whose signed index lists every other file in it.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use walwarden_verify::json::{Object, Value};
use walwarden_verify::{ChainId, DatabaseId, OrgId, Sha256, Timestamp, canonical};

use crate::error::{Code, Error, Result};
use crate::manifest::ManifestSigner;

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://walwarden.dev/evidence-bundle/v1";

/// A file that the bundle will hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInBundle {
    /// Its path in the bundle.
    pub path: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// What the signed index says beside the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    /// The organisation.
    pub org_id: OrgId,
    /// The database.
    pub database_id: Option<DatabaseId>,
    /// The chain.
    pub chain_id: ChainId,
    /// Its last row in the bundle; the first is always 1.
    pub last_seq: u64,
    /// How many `backup.completed` rows there are.
    pub backups: u64,
    /// When the bundle is made, not before the last row's time.
    pub created_at: Timestamp,
}

/// The signed index, `bundle.json`: a DSSE envelope around an in-toto statement.
///
/// # Errors
/// The signer's.
pub async fn index(
    facts: &BundleFacts,
    files: &[FileInBundle],
    signer: &dyn ManifestSigner,
) -> Result<Vec<u8>> {
    let mut files: Vec<&FileInBundle> = files.iter().collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let subjects: Vec<Value> = files
        .iter()
        .map(|file| {
            let digest = Object::from([("sha256", Value::from(file.sha256))]);
            Object::from([("digest", Value::from(digest)), ("name", Value::from(file.path.as_str()))]).into()
        })
        .collect();
    let predicate = Object::from([
        ("backups", Value::from(facts.backups)),
        ("chainId", facts.chain_id.to_string().into()),
        ("createdAt", facts.created_at.into()),
        ("databaseId", facts.database_id.as_ref().map(|id| id.as_str().to_owned()).into()),
        ("firstSeq", 1_u64.into()),
        ("lastSeq", facts.last_seq.into()),
        ("orgId", facts.org_id.as_str().into()),
    ]);
    let statement = Object::from([
        ("_type", Value::from(STATEMENT_TYPE)),
        ("predicate", predicate.into()),
        ("predicateType", PREDICATE_TYPE.into()),
        ("subject", Value::Array(subjects)),
    ]);
    let payload = canonical::to_vec(&statement.into());
    let signature = signer.sign(&pre_authentication_encoding(&payload)).await?;
    let signature = Object::from([
        ("keyid", Value::from(signer.public_key().key_id().to_string())),
        ("sig", STANDARD.encode(signature.as_bytes()).into()),
    ]);
    let envelope = Object::from([
        ("payload", Value::from(STANDARD.encode(&payload))),
        ("payloadType", PAYLOAD_TYPE.into()),
        ("signatures", Value::Array(vec![signature.into()])),
    ]);
    Ok(canonical::to_vec(&envelope.into()))
}

/// What a DSSE signature covers (DSSE v1.0.2, "PAE").
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// Writes the files of a bundle one after the other.
pub struct BundleWriter<W: Write> {
    tar: GzEncoder<W>,
    /// Bytes the file being written still lacks, and the padding that follows it.
    open: Option<(u64, u64)>,
}

impl<W: Write> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter").field("open", &self.open).finish_non_exhaustive()
    }
}

impl<W: Write> BundleWriter<W> {
    /// Starts a bundle.
    pub fn new(out: W) -> Self {
        BundleWriter { tar: GzBuilder::new().mtime(0).write(out, Compression::default()), open: None }
    }

    /// Adds a whole file.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.begin(path, content.len() as u64)?;
        self.write(content)?;
        self.end()
    }

    /// Begins a file of known size.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn begin(&mut self, path: &str, size_bytes: u64) -> Result<()> {
        assert!(self.open.is_none(), "the file before was ended");
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(failed)?;
        header.set_size(size_bytes);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.tar.write_all(header.as_bytes()).map_err(failed)?;
        self.open = Some((size_bytes, size_bytes.next_multiple_of(512) - size_bytes));
        Ok(())
    }

    /// Writes the next bytes of the file begun.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written, `artifact-mismatch` when there are more bytes than announced.
    pub fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let (left, _) = self.open.as_mut().expect("a file was begun");
        *left = left.checked_sub(chunk.len() as u64).ok_or_else(wrong_size)?;
        self.tar.write_all(chunk).map_err(failed)
    }

    /// Ends the file begun.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written, `artifact-mismatch` when bytes are missing.
    pub fn end(&mut self) -> Result<()> {
        let (left, padding) = self.open.take().expect("a file was begun");
        if left > 0 {
            return Err(wrong_size());
        }
        self.tar.write_all(&[0; 512][..padding as usize]).map_err(failed)
    }

    /// Ends the bundle and returns the output.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn finish(mut self) -> Result<W> {
        self.tar.write_all(&[0; 1024]).map_err(failed)?;
        self.tar.finish().map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Code::FileFailed, "the bundle cannot be written").with_source(error)
}

fn wrong_size() -> Error {
    Error::new(Code::ArtifactMismatch, "a file for the bundle is not as long as announced")
}
