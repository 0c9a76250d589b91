use std::fmt;
use std::str::FromStr;

use super::Manifest;
use crate::form::{Fields, FormError};
use crate::json::{Object, Value};
use crate::key::{KeyId, Signature};
use crate::{ChainId, DatabaseId, JobId, OrgId, Sha256, Timestamp, canonical};

/// How the archive's data blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib streams.
    Gzip,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

impl Compression {
    /// The text in a manifest.
    pub const fn text(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl FromStr for Compression {
    type Err = FormError;

    fn from_str(text: &str) -> Result<Self, FormError> {
        [Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd]
            .into_iter()
            .find(|compression| compression.text() == text)
            .ok_or_else(|| FormError::new("expected none, gzip, lz4 or zstd"))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How the dump was encrypted before it was stored; the scheme is `age-v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// age recipients.
    pub recipients: Vec<String>,
    /// SHA-256 of the archive before encryption.
    pub plaintext_sha256: Sha256,
    /// Bytes of the archive before encryption.
    pub plaintext_size_bytes: u64,
}

/// A stored object by key, size and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDigest {
    /// Its key.
    pub key: String,
    /// Bytes as stored.
    pub size_bytes: u64,
    /// SHA-256 of them.
    pub checksum_sha256: Sha256,
}

/// The chain's head when the manifest was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditAnchor {
    /// The chain.
    pub chain_id: ChainId,
    /// Its last row.
    pub seq: u64,
    /// That row's hash.
    pub hash: Sha256,
}

/// What a manifest says, without its signature. `backupKind` is always `logical`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestBody {
    /// Whose database.
    pub org_id: OrgId,
    /// Which database.
    pub database_id: DatabaseId,
    /// The job that made the backup.
    pub job_id: JobId,
    /// The database's name inside Postgres.
    pub database_name: String,
    /// When the job was queued; its UTC day names the folder.
    pub queued_at: Timestamp,
    /// When the dump began.
    pub started_at: Timestamp,
    /// When it was stored.
    pub finished_at: Timestamp,
    /// As the server prints its version, e.g. `17.11`.
    pub server_version: String,
    /// As pg_dump prints its version.
    pub dump_version: String,
    /// Where in the WAL the snapshot was taken, e.g. `0/16B3748`.
    pub snapshot_lsn: Option<String>,
    /// Key of the dump.
    pub artifact_key: String,
    /// Bytes of the dump as stored.
    pub size_bytes: u64,
    /// SHA-256 of the dump as stored.
    pub checksum_sha256: Sha256,
    /// How the archive is compressed.
    pub compression: Compression,
    /// How the dump is encrypted, if it is.
    pub encryption: Option<Encryption>,
    /// The archive index, if there is one.
    pub index: Option<ObjectDigest>,
    /// Roles and tablespaces, if they were taken.
    pub globals: Option<ObjectDigest>,
    /// Merkle root over the index's tables, exactly when there is an index.
    pub content_root: Option<Sha256>,
    /// The chain's head at signing.
    pub audit_anchor: AuditAnchor,
    /// The key that signs.
    pub signer: KeyId,
}

const TYPE: &str = "walwarden.backup-manifest";
const SCHEME: &str = "age-v1";

impl ManifestBody {
    /// The bytes to sign.
    pub fn canonical_body(&self) -> Vec<u8> {
        canonical::to_vec(&self.to_object().into())
    }

    /// Joins body and signature. Whether the signature is good is asked of [`Manifest::verify`].
    ///
    /// # Errors
    ///
    /// When the text of a field leaves the writing profile or a number is beyond 2^53−1.
    pub fn seal(self, signature: Signature) -> Result<Manifest, FormError> {
        canonical::check_profile(&self.to_object().into())?;
        Ok(Manifest::sealed(self, signature))
    }

    /// Obtains a signature over [`canonical_body`](Self::canonical_body) and joins the two.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal); nothing is signed then.
    pub fn sign_with(self, sign: impl FnOnce(&[u8]) -> Signature) -> Result<Manifest, FormError> {
        canonical::check_profile(&self.to_object().into())?;
        let signature = sign(&self.canonical_body());
        Ok(Manifest::sealed(self, signature))
    }

    pub(super) fn to_object(&self) -> Object {
        Object::from([
            ("type", Value::from(TYPE)),
            ("formatVersion", 1_u64.into()),
            ("orgId", self.org_id.as_str().into()),
            ("databaseId", self.database_id.as_str().into()),
            ("jobId", self.job_id.to_string().into()),
            ("databaseName", self.database_name.as_str().into()),
            ("backupKind", "logical".into()),
            ("queuedAt", self.queued_at.into()),
            ("startedAt", self.started_at.into()),
            ("finishedAt", self.finished_at.into()),
            ("serverVersion", self.server_version.as_str().into()),
            ("dumpVersion", self.dump_version.as_str().into()),
            ("snapshotLsn", self.snapshot_lsn.as_deref().into()),
            ("artifactKey", self.artifact_key.as_str().into()),
            ("sizeBytes", self.size_bytes.into()),
            ("checksumSha256", self.checksum_sha256.into()),
            ("compression", self.compression.text().into()),
            ("encryption", self.encryption.as_ref().map(Encryption::to_object).into()),
            ("index", self.index.as_ref().map(ObjectDigest::to_object).into()),
            ("globals", self.globals.as_ref().map(ObjectDigest::to_object).into()),
            ("contentRoot", self.content_root.into()),
            ("auditAnchor", self.audit_anchor.to_object().into()),
            ("signer", signer_object(self.signer).into()),
        ])
    }

    pub(super) fn from_signed(object: &Object) -> Result<(Self, Signature), FormError> {
        let mut fields = Fields::of(object);
        fields.document(TYPE)?;
        fields.exactly("backupKind", "logical")?;
        let body = ManifestBody {
            org_id: fields.parsed("orgId")?,
            database_id: fields.parsed("databaseId")?,
            job_id: fields.parsed("jobId")?,
            database_name: fields.text("databaseName")?.to_owned(),
            queued_at: fields.parsed("queuedAt")?,
            started_at: fields.parsed("startedAt")?,
            finished_at: fields.parsed("finishedAt")?,
            server_version: fields.text("serverVersion")?.to_owned(),
            dump_version: fields.text("dumpVersion")?.to_owned(),
            snapshot_lsn: fields.nullable("snapshotLsn", Fields::text)?.map(str::to_owned),
            artifact_key: fields.text("artifactKey")?.to_owned(),
            size_bytes: fields.number("sizeBytes")?,
            checksum_sha256: fields.parsed("checksumSha256")?,
            compression: fields.parsed("compression")?,
            encryption: fields.nullable("encryption", Encryption::read)?,
            index: fields.nullable("index", ObjectDigest::read)?,
            globals: fields.nullable("globals", ObjectDigest::read)?,
            content_root: fields.nullable("contentRoot", Fields::parsed)?,
            audit_anchor: AuditAnchor::read(&mut fields)?,
            signer: read_signer(&mut fields)?,
        };
        let signature = fields.parsed("signature")?;
        fields.end()?;
        Ok((body, signature))
    }
}

impl Encryption {
    fn to_object(&self) -> Object {
        let recipients = self.recipients.iter().map(|recipient| Value::from(recipient.as_str())).collect();
        Object::from([
            ("scheme", Value::from(SCHEME)),
            ("recipients", Value::Array(recipients)),
            ("plaintextSha256", self.plaintext_sha256.into()),
            ("plaintextSizeBytes", self.plaintext_size_bytes.into()),
        ])
    }

    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, FormError> {
        let mut fields = fields.object(name)?;
        fields.exactly("scheme", SCHEME)?;
        let recipients = fields.array("recipients")?.iter();
        let encryption = Encryption {
            recipients: recipients
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| FormError::field("recipients", "is not a list of texts"))?,
            plaintext_sha256: fields.parsed("plaintextSha256")?,
            plaintext_size_bytes: fields.number("plaintextSizeBytes")?,
        };
        fields.end()?;
        Ok(encryption)
    }
}

impl ObjectDigest {
    fn to_object(&self) -> Object {
        Object::from([
            ("key", Value::from(self.key.as_str())),
            ("sizeBytes", self.size_bytes.into()),
            ("checksumSha256", self.checksum_sha256.into()),
        ])
    }

    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, FormError> {
        let mut fields = fields.object(name)?;
        let digest = ObjectDigest {
            key: fields.text("key")?.to_owned(),
            size_bytes: fields.number("sizeBytes")?,
            checksum_sha256: fields.parsed("checksumSha256")?,
        };
        fields.end()?;
        Ok(digest)
    }
}

impl AuditAnchor {
    fn to_object(self) -> Object {
        Object::from([
            ("chainId", Value::from(self.chain_id.to_string())),
            ("seq", self.seq.into()),
            ("hash", self.hash.into()),
        ])
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FormError> {
        let mut fields = fields.object("auditAnchor")?;
        let anchor = AuditAnchor {
            chain_id: fields.parsed("chainId")?,
            seq: fields.number("seq")?,
            hash: fields.parsed("hash")?,
        };
        fields.end()?;
        Ok(anchor)
    }
}

/// `signer` of a manifest or receipt.
pub(crate) fn signer_object(key_id: KeyId) -> Object {
    Object::from([("alg", "ed25519".to_owned()), ("keyId", key_id.to_string())])
}

pub(crate) fn read_signer(fields: &mut Fields<'_>) -> Result<KeyId, FormError> {
    let mut signer = fields.object("signer")?;
    signer.exactly("alg", "ed25519")?;
    let key_id = signer.parsed("keyId")?;
    signer.end()?;
    Ok(key_id)
}
