//! What a connected server is.

use tokio_postgres::Client;

use super::Dsn;
use super::connect::explain;
use crate::error::Result;

/// A server's version and the database that a connection speaks to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// As the server prints it, without what a packager added: `17.11`.
    pub version: String,
    /// Its major, e.g. `17`.
    pub major: u32,
    /// The database's name inside Postgres.
    pub database: String,
    /// The number that `initdb` gave the cluster and that its replicas share; none where the role may not read it.
    pub system_identifier: Option<String>,
    /// How role and database have it write `bytea`: `hex` unless somebody changed that.
    pub bytea_output: String,
}

impl Server {
    /// Asks a connected server. `dsn` is what it was connected with.
    ///
    /// # Errors
    /// As [`connect`](super::connect).
    pub async fn of(client: &Client, dsn: &Dsn) -> Result<Server> {
        let sql = "select current_setting('server_version'), current_setting('server_version_num')::int4, \
                   current_database()::text, current_setting('bytea_output')";
        let row = client.query_one(sql, &[]).await.map_err(|error| explain(dsn, &error))?;
        let (printed, number): (String, i32) = (row.get(0), row.get(1));
        let version = printed.split_whitespace().next().unwrap_or(&printed).to_owned();
        let sql = "select system_identifier::text from pg_catalog.pg_control_system()";
        let system_identifier = client.query_one(sql, &[]).await.ok().map(|row| row.get(0));
        let (major, database, bytea_output) = (number.unsigned_abs() / 10_000, row.get(2), row.get(3));
        Ok(Server { version, major, database, system_identifier, bytea_output })
    }
}
