//! Tables of one snapshot, read over several connections and handed on in order.

mod plan;
mod worker;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use self::worker::{Open, Part};
use super::{Snapshot, TableName};
use crate::error::{Code, Error, Result};

/// A table whose rows are wanted, as a dump's `COPY` statement names its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSource {
    /// The table.
    pub table: TableName,
    /// Its columns as SQL, in the order of the dump: `id, "Name"`. Empty where it has none.
    pub columns: String,
    /// `WHERE …`, for tables of extensions of which only some rows are the user's; empty for all rows.
    pub condition: String,
}

impl TableSource {
    /// The column list of a dump's `COPY schema.table (a, b) FROM stdin;`, empty for a table without columns; none for
    /// another statement.
    pub fn columns_of(copy: &str) -> Option<String> {
        let list = copy.trim_end().strip_suffix("FROM stdin;")?.trim_end();
        let Some(list) = list.strip_suffix(')') else { return Some(String::new()) };
        // Quoted names may hold parentheses: the list begins with the last one outside quotes.
        let mut quoted = false;
        let begin = list.char_indices().rev().find_map(|(at, letter)| {
            quoted ^= letter == '"';
            (letter == '(' && !quoted).then_some(at)
        })?;
        Some(list[begin + 1..].to_owned())
    }
}

/// What comes next from [`Copies`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// Lines of COPY text of the table with this place in the list; a line may go on in the next chunk.
    Lines(usize, Bytes),
    /// The table with this place in the list has no more rows.
    End(usize),
}

/// Rows of many tables, in the order of the list and, within a table, in the order of its heap: what one connection
/// would have read, whatever the number of connections.
///
/// Memory: each connection reads at most one piece of about 8 MiB ahead of what was handed on, or one row where that is
/// larger. Dropping the value ends the connections.
#[derive(Debug)]
pub struct Copies {
    current: Option<Open>,
    upcoming: Receiver<Open>,
    pieces_left: usize,
    connections: usize,
    _workers: JoinSet<()>,
}

impl Snapshot {
    /// Begins to read the tables over up to `jobs` connections, the snapshot's own included. Where the server has fewer
    /// to give, those are used; [`Copies::connections`] says how many.
    ///
    /// # Errors
    /// As [`connect`](super::connect) when it fails for another reason than a lack of connections.
    pub async fn copy(self, tables: &[TableSource], jobs: usize) -> Result<Copies> {
        let mut clients = Vec::new();
        while clients.len() + 1 < jobs {
            match self.join().await {
                Ok(client) => clients.push(client),
                Err(error) if error.code() == Code::SourceUnreachable => break,
                Err(error) => return Err(error),
            }
        }
        let connections = clients.len() + 1;
        let pieces = plan::pieces(self.holder(), self.dsn(), tables, connections > 1).await?;
        let dsn = self.dsn().clone();
        clients.push(self.into_holder());

        let pieces_left = pieces.len();
        let (announce, upcoming) = mpsc::channel(connections);
        let (tasks, queue) = mpsc::channel(1);
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = JoinSet::new();
        for client in clients {
            workers.spawn(worker::work(client, dsn.clone(), Arc::clone(&queue)));
        }
        workers.spawn(worker::hand_out(pieces.into(), tasks, announce));
        Ok(Copies { current: None, upcoming, pieces_left, connections, _workers: workers })
    }
}

impl Copies {
    /// Over how many connections the tables are read.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// What comes next; none after the last table's end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `source-locked` when somebody waits to change a table that is still to be read, `source-connection-lost`,
    /// `source-permission`, `dump-failed`: the whole reading has failed then.
    pub async fn next(&mut self) -> Result<Option<Copied>> {
        loop {
            if self.current.is_none() {
                if self.pieces_left == 0 {
                    return Ok(None);
                }
                self.current = Some(self.upcoming.recv().await.ok_or_else(broken_off)?);
                self.pieces_left -= 1;
            }
            let Some(open) = &mut self.current else { continue };
            let (table, ends_table) = (open.table, open.ends_table);
            match open.parts.recv().await.ok_or_else(broken_off)?? {
                Part::Lines(lines) => return Ok(Some(Copied::Lines(table, lines))),
                Part::End => self.current = None,
            }
            if ends_table {
                return Ok(Some(Copied::End(table)));
            }
        }
    }
}

fn broken_off() -> Error {
    Error::new(Code::Internal, "a connection ended without a word while tables were read")
}

#[cfg(test)]
mod tests {
    use super::TableSource;

    #[test]
    fn columns_are_those_of_the_copy_statement() {
        let read = |copy| TableSource::columns_of(copy).unwrap();
        assert_eq!(read("COPY public.orders (id, \"Name\") FROM stdin;\n"), "id, \"Name\"");
        assert_eq!(read("COPY public.none  FROM stdin;\n"), "");
        let odd = "COPY public.\"a (b)\" (\"x(y\", \"q\"\"(\") FROM stdin;\n";
        assert_eq!(read(odd), "\"x(y\", \"q\"\"(\"");
        assert_eq!(TableSource::columns_of("COPY public.t (a) TO stdout;"), None);
    }
}
