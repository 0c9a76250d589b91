//! What a database holds, table by table, independent of row order.

use std::collections::BTreeMap;
use std::fmt;

use futures::{StreamExt, pin_mut};
use tokio_postgres::{Client, SimpleQueryMessage, Transaction};

use walwarden_archive::RowCounter;
use walwarden_verify::Sha256;

use super::Dsn;
use super::connect::explain;
use super::snapshot::SESSION;
use crate::error::Result;

#[cfg(test)]
mod tests;

/// A table by schema and name, as in the catalogue and in the archive index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema; empty for [large objects](TableName::large_objects).
    pub schema: String,
    /// The table's own name.
    pub name: String,
}

impl TableName {
    /// Stands for all large objects. Their "rows" are pieces of up to 1 MiB.
    pub fn large_objects() -> TableName {
        TableName { schema: String::new(), name: "large objects".to_owned() }
    }
}

/// Quoted as in SQL.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// Rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableContent {
    /// How many.
    pub rows: u64,
    /// What is in them, in whatever order: the `rowsDigest` of the archive index. It shows accidental loss; whoever can choose
    /// rows freely can forge it.
    pub digest: Sha256,
}

/// Reads every table that a dump of the whole database contains, in one snapshot, and counts and digests its rows.
/// Columns that are generated are left out, as in a dump; memory does not grow with rows, nor with their size beyond
/// what the server sends at once.
///
/// Tables of extensions are left out unless the extension marks them as user data. Large objects are included under
/// [`TableName::large_objects`] when there are any.
///
/// # Errors
/// `source-permission` when a table may not be read whole (row security included), `source-connection-lost`,
/// `source-unreachable`.
pub async fn fingerprint(client: &mut Client, dsn: &Dsn) -> Result<BTreeMap<TableName, TableContent>> {
    read(client).await.map_err(|error| explain(dsn, &error))
}

async fn read(client: &mut Client) -> Result<BTreeMap<TableName, TableContent>, tokio_postgres::Error> {
    let snapshot = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    snapshot.batch_execute(SESSION).await?;

    let mut contents = BTreeMap::new();
    for message in snapshot.simple_query(TABLES).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let text = |at| row.get(at).unwrap_or_default();
        let table = TableName { schema: text(0).to_owned(), name: text(1).to_owned() };
        let columns = if text(2).is_empty() { String::new() } else { format!(" ({})", text(2)) };
        let copy = format!("COPY {table}{columns} TO STDOUT");
        contents.insert(table, count(&snapshot, &copy).await?);
    }
    let large_objects = count(&snapshot, LARGE_OBJECTS).await?;
    if large_objects.rows > 0 {
        contents.insert(TableName::large_objects(), large_objects);
    }
    snapshot.rollback().await?;
    Ok(contents)
}

async fn count(snapshot: &Transaction<'_>, copy: &str) -> Result<TableContent, tokio_postgres::Error> {
    let chunks = snapshot.copy_out(copy).await?;
    pin_mut!(chunks);
    let mut counter = CopyCounter::default();
    while let Some(chunk) = chunks.next().await {
        counter.take(&chunk?);
    }
    Ok(counter.finish())
}

/// Counts what COPY sends, which has no end marker.
#[derive(Debug, Default)]
pub(crate) struct CopyCounter(RowCounter);

impl CopyCounter {
    pub(crate) fn take(&mut self, lines: &[u8]) {
        self.0.update(lines).expect("COPY escapes every backslash in values, so that none ends the rows");
    }

    pub(crate) fn finish(mut self) -> TableContent {
        self.take(b"\\.\n");
        let rows = self.0.finish().expect("the end marker has come");
        TableContent { rows: rows.count, digest: rows.digest }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Schema, name and quoted columns of the tables whose rows a dump contains.
const TABLES: &str = "
    SELECT n.nspname, c.relname,
           (SELECT string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't'
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (
           SELECT 1 FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
              AND NOT c.oid = ANY (coalesce(e.extconfig, '{}')))
     ORDER BY 1, 2";

/// Oid, offset and digest of every piece of every large object; a piece that is full is followed by another.
const LARGE_OBJECTS: &str = "
    COPY (
        WITH RECURSIVE piece AS (
            SELECT m.oid, 0::bigint AS start, length(first.data) AS size,
                   sha256(first.data) AS digest
              FROM pg_catalog.pg_largeobject_metadata AS m,
                   LATERAL (SELECT lo_get(m.oid, 0, 1048576) AS data OFFSET 0) AS first
            UNION ALL
            SELECT p.oid, p.start + 1048576, length(next.data), sha256(next.data)
              FROM piece AS p, LATERAL (SELECT lo_get(p.oid, p.start + 1048576, 1048576) AS data OFFSET 0) AS next
             WHERE p.size = 1048576
        )
        SELECT oid, start, size, digest FROM piece
    ) TO STDOUT";
