//! Looks before a dump: what will stop it, what it will not contain, what will make it slow.

use std::fmt;

use serde::Serialize;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::connect::{connect, explain};
use super::{ClientSet, Codec, Dsn};
use crate::error::Result;

mod checks;

/// What was seen of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Preflight {
    /// The server's version as it prints it, e.g. `17.12`.
    pub server_version: String,
    /// Its major version.
    pub major: u32,
    /// The database's name as the server has it.
    pub database: String,
    /// Size of the database on the server's disk, in bytes, indexes included.
    pub size_bytes: u64,
    /// Encoding of the database, e.g. `UTF8`.
    pub encoding: String,
    /// The role that is logged in.
    pub role: String,
    /// Tables whose rows a dump can contain.
    pub tables: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Installed extensions with their versions; they must be there where the backup is restored.
    pub extensions: Vec<(String, String)>,
    /// What there is to know, the worst first.
    pub findings: Vec<Finding>,
}

impl Preflight {
    /// Whether nothing found would make a dump of the whole database fail.
    pub fn is_clear(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name, e.g. `table-unreadable`.
    pub code: &'static str,
    /// What it is about.
    pub object: String,
    /// One sentence for the reader.
    pub what_to_do: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A dump that includes the object fails.
    Error,
    /// The dump may fail, or lack what one would expect in it.
    Warning,
    /// Good to know.
    Info,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code, self.object, self.what_to_do)
    }
}

/// Connects, reads the catalogues in one read-only transaction, and reports. Nothing is locked or changed.
///
/// `clients` and `codec` are what the dump would use: a server newer than all of them is a finding. Findings speak of a
/// dump of everything; what the settings exclude may be ignored.
///
/// # Errors
/// Those of [`connect`], when the database cannot be looked at at all.
pub async fn preflight(dsn: &Dsn, clients: &ClientSet, codec: impl Into<Option<Codec>>) -> Result<Preflight> {
    let client = connect(dsn).await?;
    let look = Look { client: &client };
    let mut seen = look.at_everything(dsn).await.map_err(|error| explain(dsn, &error))?;
    if let Err(error) = clients.choose_for_dump(seen.major, codec) {
        seen.findings.push(Finding {
            severity: Severity::Error,
            code: "client-missing",
            object: format!("server {}", seen.server_version),
            what_to_do: format!("{}; {}", error.message(), error.code().next_action()),
        });
    }
    seen.findings.sort_by_key(|finding| finding.severity);
    Ok(seen)
}

/// Reads as text and in one transaction, so that it works through any pooler.
struct Look<'a> {
    client: &'a Client,
}

type Row = Vec<String>;

impl Look<'_> {
    async fn at_everything(&self, dsn: &Dsn) -> Result<Preflight, tokio_postgres::Error> {
        self.client.batch_execute(BEGIN).await?;
        let facts = self.rows(FACTS).await?;
        let fact = |at: usize| facts.first().and_then(|row| row.get(at)).cloned().unwrap_or_default();
        let number = |at: usize| fact(at).parse::<u64>().unwrap_or_default();
        let extensions = self.rows(EXTENSIONS).await?.into_iter().map(|row| (cell(&row, 0), cell(&row, 1)));
        let mut seen = Preflight {
            server_version: fact(0).split_whitespace().next().unwrap_or_default().to_owned(),
            major: u32::try_from(number(1) / 10_000).unwrap_or_default(),
            database: fact(2),
            size_bytes: number(3),
            encoding: fact(4),
            role: fact(5),
            tables: number(6),
            large_objects: number(7),
            extensions: extensions.collect(),
            findings: Vec::new(),
        };
        for check in checks::ALL {
            let rows = self.rows(check.sql).await?;
            seen.findings.extend(check.findings(&rows));
        }
        let server_port = fact(8);
        seen.findings.extend(checks::pooler(dsn.port(), &server_port));
        self.client.batch_execute("ROLLBACK").await?;
        Ok(seen)
    }

    async fn rows(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows
            .map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
            .collect())
    }
}

fn cell(row: &Row, at: usize) -> String {
    row.get(at).cloned().unwrap_or_default()
}

const BEGIN: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL search_path = '';
    SET LOCAL statement_timeout = '120s';
    SET LOCAL lock_timeout = '10s'";

const FACTS: &str = "
    SELECT current_setting('server_version'), current_setting('server_version_num'), current_database(),
           pg_database_size(current_database()),
           (SELECT pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()),
           current_user,
           (SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
               AND n.nspname <> 'information_schema'),
           (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
           inet_server_port()";

const EXTENSIONS: &str =
    "SELECT extname, extversion FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY extname";
