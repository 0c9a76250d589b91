//! What was sent to the store, noted before it becomes visible.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use walwarden_verify::index::Index;
use walwarden_verify::manifest::{Compression, ManifestBody, ObjectDigest};
use walwarden_verify::{Sha256, Timestamp};

use crate::error::{Code, Error, Result};
use crate::pipeline::Measured;

/// The write-ahead note of one stored dump. Times and digests are kept in their text forms, so that the note reads
/// like the manifest it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    pub(super) database_name: String,
    pub(super) started_at: String,
    pub(super) finished_at: String,
    pub(super) server_version: String,
    pub(super) dump_version: String,
    pub(super) compression: String,
    /// Of which database of which cluster; none where that is not known.
    #[serde(default)]
    pub(super) source_sha256: Option<String>,
    pub(super) artifact: Object,
    /// None for a dump that was stored before there were indexes.
    #[serde(default)]
    pub(super) index: Option<Indexed>,
    pub(super) globals: Option<Object>,
}

/// Size and digest of the archive index, and the root over its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Indexed {
    pub(super) object: Object,
    pub(super) content_root: String,
}

impl Indexed {
    /// Of an index and its canonical bytes.
    pub(super) fn of(index: &Index, canonical: &[u8]) -> Self {
        let content_root = index.content_root().to_string();
        Indexed { object: Measured::of(canonical).into(), content_root }
    }

    pub(super) fn content_root(&self) -> Result<Sha256> {
        self.content_root.parse().map_err(damaged)
    }
}

/// Size and digest of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl From<Measured> for Object {
    fn from(measured: Measured) -> Self {
        Object { size_bytes: measured.size_bytes, sha256: measured.sha256.to_string() }
    }
}

impl From<&ObjectDigest> for Object {
    fn from(stated: &ObjectDigest) -> Self {
        Object { size_bytes: stated.size_bytes, sha256: stated.checksum_sha256.to_string() }
    }
}

impl Object {
    pub(super) fn measured(&self) -> Result<Measured> {
        let sha256: Sha256 = self.sha256.parse().map_err(damaged)?;
        Ok(Measured { size_bytes: self.size_bytes, sha256 })
    }
}

impl Receipt {
    /// The receipt from which this manifest was made.
    pub(super) fn of(body: &ManifestBody) -> Self {
        let artifact = Measured { size_bytes: body.size_bytes, sha256: body.checksum_sha256 };
        Receipt {
            database_name: body.database_name.clone(),
            started_at: body.started_at.to_string(),
            finished_at: body.finished_at.to_string(),
            server_version: body.server_version.clone(),
            dump_version: body.dump_version.clone(),
            compression: body.compression.text().to_owned(),
            source_sha256: None,
            artifact: artifact.into(),
            index: body
                .index
                .as_ref()
                .zip(body.content_root)
                .map(|(object, root)| Indexed { object: object.into(), content_root: root.to_string() }),
            globals: body.globals.as_ref().map(Object::from),
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("text and integers always serialise").into()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(damaged)
    }

    pub(super) fn compression(&self) -> Result<Compression> {
        self.compression.parse().map_err(damaged)
    }

    pub(super) fn started_at(&self) -> Result<Timestamp> {
        self.started_at.parse().map_err(damaged)
    }

    pub(super) fn finished_at(&self) -> Result<Timestamp> {
        self.finished_at.parse().map_err(damaged)
    }
}

fn damaged(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::CatalogCorrupt, "the noted receipt of an unfinished backup cannot be read")
        .with_source(source)
}
