//! The archive index: where each entry of a dump lies and what it should contain (`spec/archive-index.md`).

use crate::canonical::Scanner;
use crate::form::{Fields, FormError, read_items, read_members};
use crate::json::{Object, Value};
use crate::merkle::Tree;
use crate::{JobId, Sha256, canonical};

const TYPE: &str = "walwarden.archive-index";
const TABLE_DATA: &str = "TABLE DATA";

/// Bytes of the artifact under each digest of `chunks`, but for the last one.
pub const CHUNK_SIZE_BYTES: u64 = 8 << 20;

/// What an archive index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The backup.
    pub job_id: JobId,
    /// Version of the custom format, e.g. `1.16`.
    pub archive_version: String,
    /// Bytes of header and table of contents.
    pub toc_size_bytes: u64,
    /// SHA-256 of each [`CHUNK_SIZE_BYTES`] of the artifact as stored.
    pub chunks: Vec<Sha256>,
    /// The archive's entries, in its order.
    pub entries: Vec<Entry>,
}

/// One entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// pg_dump's number of it.
    pub dump_id: u64,
    /// `pre-data`, `data`, `post-data` or another word of pg_dump.
    pub section: String,
    /// What it is, e.g. `TABLE DATA`.
    pub desc: String,
    /// Its schema.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: Option<String>,
    /// Its data, if it has any.
    pub data: Option<Block>,
}

/// Where the data of an entry lies. Of an encrypted artifact this speaks of the plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// First byte, from the beginning of the archive.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// SHA-256 of them.
    pub sha256: Sha256,
    /// Bytes of the data once decompressed.
    pub raw_bytes: u64,
    /// Rows, of table data only.
    pub rows: Option<Rows>,
}

/// How many rows a table has, and their digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// Sum modulo 2^256 of the SHA-256 of each COPY line.
    pub digest: Sha256,
}

impl Entry {
    /// Whether this is a table's data, and so a leaf under `contentRoot`.
    pub fn is_table_data(&self) -> bool {
        self.desc == TABLE_DATA
    }

    /// The canonical JSON of the entry.
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical::to_vec(&self.to_object().into())
    }

    /// Where it contradicts itself, or the size of its archive.
    pub(crate) fn contradictions(&self, plaintext_bytes: u64) -> impl Iterator<Item = String> {
        let dump_id = self.dump_id;
        let ends_beyond =
            |data: &Block| data.offset.checked_add(data.length).is_none_or(|end| end > plaintext_bytes);
        let beyond = self
            .data
            .as_ref()
            .is_some_and(ends_beyond)
            .then(|| format!("entry {dump_id} lies beyond the end of the archive"));
        let miscounted = self
            .data
            .as_ref()
            .is_some_and(|data| data.rows.is_some() != self.is_table_data())
            .then(|| format!("entry {dump_id} counts rows but is no table data, or the reverse"));
        beyond.into_iter().chain(miscounted)
    }

    fn to_object(&self) -> Object {
        let (data, rows) = (self.data.as_ref(), self.data.as_ref().and_then(|data| data.rows));
        Object::from([
            ("dumpId", Value::from(self.dump_id)),
            ("section", self.section.as_str().into()),
            ("desc", self.desc.as_str().into()),
            ("schema", self.schema.as_deref().into()),
            ("name", self.name.as_str().into()),
            ("owner", self.owner.as_deref().into()),
            ("offset", data.map(|data| data.offset).into()),
            ("length", data.map(|data| data.length).into()),
            ("blockSha256", data.map(|data| data.sha256).into()),
            ("rawBytes", data.map(|data| data.raw_bytes.to_string()).into()),
            ("rowCount", rows.map(|rows| rows.count.to_string()).into()),
            ("rowsDigest", rows.map(|rows| rows.digest).into()),
        ])
    }

    fn read(object: &Object) -> Result<Self, FormError> {
        let mut fields = Fields::of(object);
        let entry = Entry {
            dump_id: fields.number("dumpId")?,
            section: fields.text("section")?.to_owned(),
            desc: fields.text("desc")?.to_owned(),
            schema: fields.nullable("schema", Fields::text)?.map(str::to_owned),
            name: fields.text("name")?.to_owned(),
            owner: fields.nullable("owner", Fields::text)?.map(str::to_owned),
            data: Block::read(&mut fields)?,
        };
        fields.end()?;
        Ok(entry)
    }
}

impl Block {
    fn read(fields: &mut Fields<'_>) -> Result<Option<Self>, FormError> {
        let offset = fields.nullable("offset", Fields::number)?;
        let length = fields.nullable("length", Fields::number)?;
        let sha256 = fields.nullable("blockSha256", Fields::parsed)?;
        let raw_bytes = fields.nullable("rawBytes", Fields::count)?;
        let rows =
            (fields.nullable("rowCount", Fields::count)?, fields.nullable("rowsDigest", Fields::parsed)?);
        let rows = match rows {
            (Some(count), Some(digest)) => Some(Rows { count, digest }),
            (None, None) => None,
            _ => return Err(FormError::new("rowCount and rowsDigest are not null together")),
        };
        match (offset, length, sha256, raw_bytes, rows) {
            (Some(offset), Some(length), Some(sha256), Some(raw_bytes), rows) => {
                Ok(Some(Block { offset, length, sha256, raw_bytes, rows }))
            }
            (None, None, None, None, None) => Ok(None),
            _ => Err(FormError::new("the fields of an entry's data are not null together")),
        }
    }
}

impl Index {
    /// The exact bytes to store.
    pub fn to_canonical(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|entry| entry.to_object().into());
        canonical::to_vec(&Value::Object(Object::from([
            ("type", Value::from(TYPE)),
            ("formatVersion", 1_u64.into()),
            ("jobId", self.job_id.to_string().into()),
            ("archiveVersion", self.archive_version.as_str().into()),
            ("tocSizeBytes", self.toc_size_bytes.into()),
            ("chunkSizeBytes", CHUNK_SIZE_BYTES.into()),
            ("chunks", Value::Array(self.chunks.iter().map(|chunk| (*chunk).into()).collect())),
            ("entries", Value::Array(entries.collect())),
        ])))
    }

    /// Reads the stored bytes.
    ///
    /// # Errors
    ///
    /// When they are not canonical, or a field is missing, unknown or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let mut entries = Vec::new();
        let frame = read(bytes, u64::MAX, |entry| entries.push(entry))?;
        let Frame { job_id, archive_version, toc_size_bytes, chunks, .. } = frame;
        Ok(Index { job_id, archive_version, toc_size_bytes, chunks, entries })
    }

    /// The root a manifest names as `contentRoot`: over the canonical JSON of the table-data entries, in order.
    pub fn content_root(&self) -> Sha256 {
        let mut tree = Tree::new();
        for entry in self.entries.iter().filter(|entry| entry.is_table_data()) {
            tree.push(&entry.to_canonical());
        }
        tree.root()
    }

    /// Where the index contradicts itself, or the sizes of its artifact: as stored, and as plaintext.
    pub fn contradictions(&self, stored_bytes: u64, plaintext_bytes: u64) -> Vec<String> {
        frame_contradictions(self.chunks.len() as u64, self.toc_size_bytes, stored_bytes, plaintext_bytes)
            .chain(self.entries.iter().flat_map(|entry| entry.contradictions(plaintext_bytes)))
            .collect()
    }
}

/// An index but for its entries.
pub(crate) struct Frame {
    pub(crate) job_id: JobId,
    archive_version: String,
    toc_size_bytes: u64,
    chunk_count: u64,
    /// The first of the chunks, as many as were asked for.
    pub(crate) chunks: Vec<Sha256>,
}

impl Frame {
    /// Where it contradicts the sizes of its artifact: as stored, and as plaintext.
    pub(crate) fn contradictions(
        &self,
        stored_bytes: u64,
        plaintext_bytes: u64,
    ) -> impl Iterator<Item = String> {
        frame_contradictions(self.chunk_count, self.toc_size_bytes, stored_bytes, plaintext_bytes)
    }

    /// Whether there is a digest for each chunk of an artifact of this size; they were all asked for, then.
    pub(crate) fn is_cut_as(&self, stored_bytes: u64) -> bool {
        self.chunk_count == stored_bytes.div_ceil(CHUNK_SIZE_BYTES)
    }
}

fn frame_contradictions(
    chunks: u64,
    toc_size_bytes: u64,
    stored_bytes: u64,
    plaintext_bytes: u64,
) -> impl Iterator<Item = String> {
    let cut_otherwise = (chunks != stored_bytes.div_ceil(CHUNK_SIZE_BYTES))
        .then(|| format!("{chunks} chunks do not make {stored_bytes} bytes"));
    let too_long = (toc_size_bytes > plaintext_bytes)
        .then(|| "the table of contents is longer than the archive".to_owned());
    cut_otherwise.into_iter().chain(too_long)
}

/// Reads the stored bytes and hands over entry by entry, which are many times as long in memory; when this fails they are of nothing.
/// Of the digests of chunks those of an artifact of `artifact_bytes` are kept.
///
/// # Errors
///
/// As [`Index::parse`].
pub(crate) fn read(
    bytes: &[u8],
    artifact_bytes: u64,
    mut each: impl FnMut(Entry),
) -> Result<Frame, FormError> {
    let kept = artifact_bytes.div_ceil(CHUNK_SIZE_BYTES);
    let (mut chunks, mut chunk_count) = (Vec::new(), 0);
    let small = read_members(bytes, |scanner, key| match key {
        "chunks" => read_items(scanner, "chunks", 0, |chunk| {
            let text = Scanner::of(chunk).string()?;
            let digest = text.parse::<Sha256>().map_err(|_| FormError::new("this is no SHA-256"))?;
            chunks.extend((chunk_count < kept).then_some(digest));
            chunk_count += 1;
            Ok(())
        }),
        "entries" => read_items(scanner, "entries", 1, |entry| {
            each(Entry::read(&canonical::parse_object(entry.as_bytes())?)?);
            Ok(())
        }),
        _ => Ok(false),
    })?;
    let mut fields = Fields::of(&small);
    fields.document(TYPE)?;
    fields.value("chunks")?;
    fields.value("entries")?;
    if fields.number("chunkSizeBytes")? != CHUNK_SIZE_BYTES {
        return Err(FormError::field("chunkSizeBytes", "is not 8388608"));
    }
    let frame = Frame {
        job_id: fields.parsed("jobId")?,
        archive_version: fields.text("archiveVersion")?.to_owned(),
        toc_size_bytes: fields.number("tocSizeBytes")?,
        chunk_count,
        chunks,
    };
    fields.end()?;
    Ok(frame)
}
