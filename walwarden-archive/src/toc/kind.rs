/// What an entry is, as far as this crate treats it differently or programs commonly ask. Everything else, and
/// whatever later versions of `pg_dump` may add, is [`Other`](Kind::Other): its [`desc`](crate::Entry::desc) has the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `TABLE`
    Table,
    /// `TABLE DATA`: rows of a table.
    TableData,
    /// `TABLE ATTACH`: a partition joins its table.
    TableAttach,
    /// `SEQUENCE`
    Sequence,
    /// `SEQUENCE SET`: a sequence's value.
    SequenceSet,
    /// `VIEW`
    View,
    /// `MATERIALIZED VIEW`
    MaterializedView,
    /// `MATERIALIZED VIEW DATA`: a `REFRESH`, not data.
    MaterializedViewData,
    /// `STATISTICS DATA`: what the planner knew, since PostgreSQL 18.
    StatisticsData,
    /// `BLOB`: a large object without its data, in archives before 1.16.
    Blob,
    /// `BLOB METADATA`: a batch of large objects without their data, since archive version 1.16.
    BlobMetadata,
    /// `BLOBS`: the data of large objects: all of them before archive version 1.16, a batch since.
    Blobs,
    /// `INDEX`
    Index,
    /// `CONSTRAINT`
    Constraint,
    /// `FK CONSTRAINT`: a foreign key.
    ForeignKey,
    /// `TRIGGER`
    Trigger,
    /// `FUNCTION`
    Function,
    /// `TYPE`
    Type,
    /// `SCHEMA`
    Schema,
    /// `EXTENSION`
    Extension,
    /// `COMMENT`
    Comment,
    /// `ACL`: privileges.
    Acl,
    /// `DATABASE`
    Database,
    /// `ENCODING`: the dump's encoding.
    Encoding,
    /// `STDSTRINGS`: how string literals of the dump are written.
    StandardStrings,
    /// `SEARCHPATH`: the schemas that names of the dump are looked up in.
    SearchPath,
    /// Anything else.
    Other,
}

const DESCS: [(&str, Kind); 26] = [
    ("TABLE", Kind::Table),
    ("TABLE DATA", Kind::TableData),
    ("TABLE ATTACH", Kind::TableAttach),
    ("SEQUENCE", Kind::Sequence),
    ("SEQUENCE SET", Kind::SequenceSet),
    ("VIEW", Kind::View),
    ("MATERIALIZED VIEW", Kind::MaterializedView),
    ("MATERIALIZED VIEW DATA", Kind::MaterializedViewData),
    ("STATISTICS DATA", Kind::StatisticsData),
    ("BLOB", Kind::Blob),
    ("BLOB METADATA", Kind::BlobMetadata),
    ("BLOBS", Kind::Blobs),
    ("INDEX", Kind::Index),
    ("CONSTRAINT", Kind::Constraint),
    ("FK CONSTRAINT", Kind::ForeignKey),
    ("TRIGGER", Kind::Trigger),
    ("FUNCTION", Kind::Function),
    ("TYPE", Kind::Type),
    ("SCHEMA", Kind::Schema),
    ("EXTENSION", Kind::Extension),
    ("COMMENT", Kind::Comment),
    ("ACL", Kind::Acl),
    ("DATABASE", Kind::Database),
    ("ENCODING", Kind::Encoding),
    ("STDSTRINGS", Kind::StandardStrings),
    ("SEARCHPATH", Kind::SearchPath),
];

impl Kind {
    pub(crate) fn from_desc(desc: &str) -> Self {
        DESCS.iter().find(|(known, _)| *known == desc).map_or(Kind::Other, |(_, kind)| *kind)
    }
}
