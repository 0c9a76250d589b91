use std::fmt;

use crate::header::Format;
use crate::toc::Kind;
use crate::wire::{put_int, put_text};
use crate::{Header, Text};

/// One entry of the table of contents. A text that is absent is another thing than an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number other entries and the data blocks know it by: 1 or more, one of a kind in the archive.
    pub dump_id: i32,
    /// Whether `pg_dump` had data to dump for it.
    pub has_data: bool,
    /// OID of the system catalogue it comes from, 0 if it comes from none.
    pub catalog_oid: u32,
    /// OID in that catalogue.
    pub oid: u32,
    /// Its name, for example `orders`, or with its table, `orders orders_pkey`.
    pub tag: Option<Text>,
    /// What it is, for example `TABLE DATA`; see [`kind`](Self::kind).
    pub desc: Option<Text>,
    /// When it is restored.
    pub section: Section,
    /// SQL that creates it.
    pub definition: Option<Text>,
    /// SQL that drops it.
    pub drop_statement: Option<Text>,
    /// The `COPY … FROM stdin` its data belongs to; absent or empty if the data are SQL statements.
    pub copy_statement: Option<Text>,
    /// Schema.
    pub schema: Option<Text>,
    /// Tablespace; empty for the default one.
    pub tablespace: Option<Text>,
    /// Table access method, since archive version 1.14.
    pub table_access_method: Option<Text>,
    /// `pg_class.relkind` as a number, since archive version 1.16; 0 before and for what is no relation.
    pub relation_kind: i32,
    /// Owner.
    pub owner: Option<Text>,
    /// Whether a table has OIDs, which none has since PostgreSQL 12.
    pub with_oids: bool,
    /// dumpIds of entries that must be restored before it. They need not be in the archive.
    pub dependencies: Vec<i32>,
    /// What the table of contents says about where the data lies.
    pub data_place: DataPlace,
}

/// When an entry is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Settings and comments on the dump itself: in every section.
    None,
    /// Definitions that data needs: tables, types, functions.
    PreData,
    /// Data.
    Data,
    /// Definitions that need data: indexes, foreign keys, triggers.
    PostData,
}

/// What the table of contents says about where an entry's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataPlace {
    /// Somewhere: the dump went into a pipe.
    Unknown,
    /// In a block at this byte of the archive.
    At(u64),
    /// There is none.
    None,
}

impl Entry {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.desc.as_ref().and_then(Text::as_str).map_or(Kind::Other, Kind::from_desc)
    }

    /// Whether its data are COPY lines, as opposed to SQL statements (`pg_dump --inserts`) or large objects.
    pub fn has_copy_lines(&self) -> bool {
        self.has_data && self.copy_statement.as_ref().is_some_and(|statement| !statement.is_empty())
    }

    /// Whether a block of data belongs to it.
    pub fn has_block(&self) -> bool {
        self.has_data && self.data_place != DataPlace::None
    }

    /// Name of the file it has in a dump in directory format, without the compression's suffix.
    pub(crate) fn file_name(&self, header: &Header) -> Option<String> {
        if !self.has_block() {
            return None;
        }
        Some(match self.kind() {
            Kind::Blobs if header.version.has_relation_kinds() => format!("blobs_{}.toc", self.dump_id),
            Kind::Blobs => "blobs.toc".to_owned(),
            _ => format!("{}.dat", self.dump_id),
        })
    }

    pub(crate) fn put(&self, header: &Header, out: &mut Vec<u8>) {
        fn text(out: &mut Vec<u8>, text: &Option<Text>) {
            put_text(out, text.as_ref().map(Text::as_bytes));
        }
        put_int(out, self.dump_id);
        put_int(out, i32::from(self.has_data));
        put_text(out, Some(self.catalog_oid.to_string().as_bytes()));
        put_text(out, Some(self.oid.to_string().as_bytes()));
        text(out, &self.tag);
        text(out, &self.desc);
        put_int(out, self.section.code());
        text(out, &self.definition);
        text(out, &self.drop_statement);
        text(out, &self.copy_statement);
        text(out, &self.schema);
        text(out, &self.tablespace);
        if header.version.has_table_access_methods() {
            text(out, &self.table_access_method);
        }
        if header.version.has_relation_kinds() {
            put_int(out, self.relation_kind);
        }
        text(out, &self.owner);
        put_text(out, Some(if self.with_oids { b"true" } else { b"false" }));
        for dependency in &self.dependencies {
            put_text(out, Some(dependency.to_string().as_bytes()));
        }
        put_text(out, None);
        match header.format {
            Format::Custom => self.data_place.put(out),
            Format::Directory => {
                put_text(out, Some(self.file_name(header).unwrap_or_default().as_bytes()));
            }
        }
    }
}

impl Section {
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        [Section::None, Section::PreData, Section::Data, Section::PostData]
            .into_iter()
            .find(|section| section.code() == code)
    }

    const fn code(self) -> i32 {
        self as i32 + 1
    }

    /// The word `pg_restore --section` takes; `none` for entries that belong to no section.
    pub const fn name(self) -> &'static str {
        match self {
            Section::None => "none",
            Section::PreData => "pre-data",
            Section::Data => "data",
            Section::PostData => "post-data",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DataPlace {
    pub(crate) fn from_code(code: u8, offset: u64) -> Option<Self> {
        match (code, offset) {
            (1, 0) => Some(DataPlace::Unknown),
            (2, offset) => Some(DataPlace::At(offset)),
            (3, 0) => Some(DataPlace::None),
            _ => None,
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        let (code, offset) = match self {
            DataPlace::Unknown => (1, 0),
            DataPlace::At(offset) => (2, offset),
            DataPlace::None => (3, 0),
        };
        out.push(code);
        out.extend_from_slice(&offset.to_le_bytes());
    }
}
