//! Cuts tables into pieces that several connections can read side by side.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::TableSource;
use crate::error::{Code, Error, Result};
use crate::source::Dsn;
use crate::source::connect::explain;

/// What one `COPY` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which table, by its place in the list.
    pub(super) table: usize,
    /// Whether the table ends with it.
    pub(super) ends_table: bool,
    /// The table as SQL names it, for its lock.
    pub(super) name: String,
    /// The statement.
    pub(super) copy: String,
}

/// What the server knows of a table's size.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Pages of the heap itself; none where it cannot be read by page numbers.
    pages: Option<u64>,
    /// Bytes with values stored out of line.
    total_bytes: u64,
}

/// The pieces of all tables, in the order in which their rows belong.
pub(super) async fn pieces(
    client: &Client,
    dsn: &Dsn,
    tables: &[TableSource],
    cut: bool,
) -> Result<Vec<Piece>> {
    if !cut {
        return Ok(tables.iter().enumerate().map(|(table, source)| Piece::whole(table, source)).collect());
    }
    let mut pieces = Vec::with_capacity(tables.len());
    for (table, source) in tables.iter().enumerate() {
        match extent(client, dsn, source).await? {
            Extent { pages: Some(pages), total_bytes }
                if total_bytes > PIECE_BYTES && source.condition.is_empty() =>
            {
                let step =
                    u64::try_from(u128::from(pages) * u128::from(PIECE_BYTES) / u128::from(total_bytes));
                cut_heap(&mut pieces, table, source, pages, step.unwrap_or(pages).max(1));
            }
            _ => pieces.push(Piece::whole(table, source)),
        }
    }
    Ok(pieces)
}

impl Piece {
    fn whole(table: usize, source: &TableSource) -> Piece {
        let TableSource { table: name, columns, condition } = source;
        let copy = match (columns.as_str(), condition.as_str()) {
            ("", "") => format!("COPY {name} TO STDOUT"),
            (_, "") => format!("COPY {name} ({columns}) TO STDOUT"),
            _ => format!("COPY (SELECT {columns} FROM ONLY {name} {condition}) TO STDOUT"),
        };
        Piece { table, ends_table: true, name: source.table.to_string(), copy }
    }
}

/// Page ranges, the last without an end: rows of the snapshot lie on pages that existed when it was taken, and the table's
/// lock keeps them there.
fn cut_heap(pieces: &mut Vec<Piece>, table: usize, source: &TableSource, pages: u64, step: u64) {
    let name = source.table.to_string();
    for first in (0..pages).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let ends_table = first + step >= pages;
        let end = if ends_table { String::new() } else { format!(" AND ctid < '({},0)'::tid", first + step) };
        let copy = format!(
            "COPY (SELECT {} FROM ONLY {name} WHERE ctid >= '({first},0)'::tid{end}) TO STDOUT",
            source.columns
        );
        pieces.push(Piece { table, ends_table, name: name.clone(), copy });
    }
}

async fn extent(client: &Client, dsn: &Dsn, source: &TableSource) -> Result<Extent> {
    // The size functions take the lock, too, and would wait for it.
    lock(client, dsn, &source.table.to_string()).await?;
    let sql = format!("{EXTENT} '{}'::pg_catalog.regclass", source.table.to_string().replace('\'', "''"));
    let messages = client.simple_query(&sql).await.map_err(|error| explain(dsn, &error))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let gone = || {
        Error::new(Code::DumpFailed, format!("a table vanished while it was dumped table={}", source.table))
    };
    let row = row.ok_or_else(gone)?;
    let number = |at: usize| row.get(at).and_then(|text| text.parse::<u64>().ok());
    // A table without columns has rows, too, but nothing to select.
    let pages = if source.columns.is_empty() { None } else { number(0) };
    Ok(Extent { pages, total_bytes: number(1).ok_or_else(gone)? })
}

/// Takes the lock that `pg_dump` holds. Were somebody waiting to change the table, we would wait behind them, and they
/// behind `pg_dump`, which waits for us; so this does not wait.
pub(super) async fn lock(client: &Client, dsn: &Dsn, name: &str) -> Result<()> {
    let lock = format!("LOCK TABLE ONLY {name} IN ACCESS SHARE MODE NOWAIT");
    client.batch_execute(&lock).await.map_err(|error| explain(dsn, &error))
}

/// How much of a table one piece should hold, and so what each connection may have read ahead.
pub(super) const PIECE_BYTES: u64 = 8 << 20;

/// Ranges of `ctid` are read without looking at the other pages from PostgreSQL 14 on.
const EXTENT: &str = "
    SELECT CASE WHEN c.relkind = 'r' AND a.amname = 'heap'
                 AND pg_catalog.current_setting('server_version_num')::int4 >= 140000
                THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8 END,
           pg_catalog.pg_table_size(c.oid)
      FROM pg_catalog.pg_class AS c LEFT JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
     WHERE c.oid =";
