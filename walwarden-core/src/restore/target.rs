//! Looks at the target, and creates, renames and drops databases there.

use std::time::Duration;

use tokio_postgres::{Client, Row};

use crate::error::{Code, Error, Result};
use crate::source::{self, Dsn, TableName};

/// An error of connecting, which speaks of a source, said of the target.
pub(super) fn as_target(error: Error) -> Error {
    let code = match error.code() {
        Code::SourceUnreachable => Code::TargetUnreachable,
        Code::SourceLoginRefused => Code::TargetLoginRefused,
        Code::SourceDatabaseMissing => Code::TargetMissing,
        Code::SourcePermission => Code::TargetPermission,
        Code::SourceConnectionLost => Code::TargetConnectionLost,
        other => other,
    };
    error.with_code(code)
}

/// A connection for work that takes as long as it takes, whatever role, database or server say about that. Its commits wait for
/// the WAL, their own and that of all before them.
pub(super) async fn session(dsn: &Dsn) -> Result<Client> {
    let client = source::connect(dsn).await.map_err(as_target)?;
    client.batch_execute(PATIENT).await.map_err(|error| as_target(source::explain(dsn, &error)))?;
    Ok(client)
}

/// The same with further settings.
pub(super) async fn session_with(dsn: &Dsn, settings: &str) -> Result<Client> {
    let client = session(dsn).await?;
    client.batch_execute(settings).await.map_err(|error| as_target(source::explain(dsn, &error)))?;
    Ok(client)
}

/// Up to so many of them, at least one: as many as the server has to give.
pub(super) async fn sessions_with(dsn: &Dsn, settings: &str, wanted: usize) -> Result<Vec<Client>> {
    let mut sessions = vec![session_with(dsn, settings).await?];
    while sessions.len() < wanted {
        match session_with(dsn, settings).await {
            Ok(client) => sessions.push(client),
            Err(error) if error.code() == Code::TargetUnreachable => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sessions)
}

const PATIENT: &str = "
    SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN
        ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
         'transaction_timeout');
    SET synchronous_commit = on";

/// Waits until nobody is connected to a database, or for five seconds: connections that are being closed count until the server
/// has noticed, and it may have none to give before.
pub(super) async fn until_left(server: &Dsn, database: &str) {
    let sql = "select exists (select from pg_catalog.pg_stat_activity where datname = $1)";
    for _ in 0..100 {
        if let Ok(client) = session(server).await
            && let Ok(row) = client.query_one(sql, &[&database]).await
            && !row.get::<_, bool>(0)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Names that a restore gives to a database until it is complete.
pub(super) const BUILDING_PREFIX: &str = "walwarden_restore_";

pub(super) async fn exists(client: &Client, database: &str) -> Result<bool> {
    let row = client
        .query_one("select exists (select from pg_catalog.pg_database where datname = $1)", &[&database])
        .await
        .map_err(|error| refused("the target's databases cannot be listed", error))?;
    Ok(row.get(0))
}

/// What the server knows a database by, whatever its name.
pub(super) async fn oid(client: &Client, database: &str) -> Result<Option<u32>> {
    let sql = "select oid from pg_catalog.pg_database where datname = $1";
    let row = client.query_opt(sql, &[&database]).await;
    let row = row.map_err(|error| refused("the target's databases cannot be listed", error))?;
    Ok(row.map(|row| row.get(0)))
}

/// The present name of a database, if it is still there.
pub(super) async fn name(client: &Client, oid: u32) -> Result<Option<String>> {
    let sql = "select datname::text from pg_catalog.pg_database where oid = $1";
    let row = client.query_opt(sql, &[&oid]).await;
    let row = row.map_err(|error| refused("the target's databases cannot be listed", error))?;
    Ok(row.map(|row| row.get(0)))
}

/// Databases that interrupted restores left behind: nobody is connected to them.
pub(super) async fn left_behind(client: &Client) -> Result<Vec<String>> {
    let sql = "select datname::text from pg_catalog.pg_database d where starts_with(datname, $1) \
         and not exists (select from pg_catalog.pg_stat_activity a where a.datname = d.datname) order by 1";
    let rows = client
        .query(sql, &[&BUILDING_PREFIX])
        .await
        .map_err(|error| refused("the target's databases cannot be listed", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Tables, views and sequences of the connected database that are not the system's or an extension's, each with how it is
/// shown.
pub(super) async fn relations(client: &Client) -> Result<Vec<(TableName, String)>> {
    let sql = "select n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname) as shown \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') \
           and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' \
           and not exists (select from pg_catalog.pg_depend d \
                           where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \
         order by shown";
    let rows = client
        .query(sql, &[])
        .await
        .map_err(|error| refused("the target's tables cannot be listed", error))?;
    let named = |row: &Row| (TableName { schema: row.get(0), name: row.get(1) }, row.get(2));
    Ok(rows.iter().map(named).collect())
}

/// Partitioned tables, and each of their partitions.
pub(super) async fn partitions(client: &Client) -> Result<Vec<(TableName, TableName)>> {
    let sql = "select pn.nspname::text, p.relname::text, cn.nspname::text, c.relname::text \
         from pg_catalog.pg_inherits i \
         join pg_catalog.pg_class p on p.oid = i.inhparent and p.relkind = 'p' \
         join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace \
         join pg_catalog.pg_class c on c.oid = i.inhrelid \
         join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace order by 3, 4";
    let rows = client
        .query(sql, &[])
        .await
        .map_err(|error| refused("the target's partitions cannot be listed", error))?;
    let name = |row: &Row, at: usize| TableName { schema: row.get(at), name: row.get(at + 1) };
    Ok(rows.iter().map(|row| (name(row, 0), name(row, 2))).collect())
}

/// Primary keys and unique constraints that partitions inherit. `pg_restore --clean` tries to drop each by itself,
/// which Postgres refuses; harmless, since the table goes next, but the end of a transaction.
pub(super) async fn has_inherited_constraints(client: &Client) -> Result<bool> {
    let sql = "select exists (select from pg_catalog.pg_constraint where contype in ('p', 'u') and coninhcount > 0)";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| refused("the target's constraints cannot be listed", error))?;
    Ok(row.get(0))
}

pub(super) async fn may_create_databases(client: &Client) -> Result<bool> {
    let sql = "select rolcreatedb or rolsuper from pg_catalog.pg_roles where rolname = current_user";
    let row =
        client.query_one(sql, &[]).await.map_err(|error| refused("the role cannot be looked up", error))?;
    Ok(row.get(0))
}

/// Gives a finished database its name. Fails if the name has been taken meanwhile.
pub(super) async fn rename(client: &Client, from: &str, to: &str) -> Result<()> {
    run(client, &format!("alter database {} rename to {}", quoted(from), quoted(to)), to).await
}

/// Drops a database that this restore created.
pub(super) async fn drop(client: &Client, database: &str) -> Result<()> {
    // It may have been made a template already, as its source was.
    let ordinary = format!("alter database {} is_template false", quoted(database));
    let _not_there = client.batch_execute(&ordinary).await;
    // A backend of a killed pg_restore may still be at work there.
    run(client, &format!("drop database if exists {} with (force)", quoted(database)), database).await
}

/// Runs one statement about a database.
pub(super) async fn run(client: &Client, sql: &str, database: &str) -> Result<()> {
    client.batch_execute(sql).await.map_err(|error| failed(error, database))
}

/// What a failed statement about a database means.
pub(super) fn failed(error: tokio_postgres::Error, database: &str) -> Error {
    let code = match error.code().map(tokio_postgres::error::SqlState::code) {
        // The second, a unique violation in pg_database, is what two at the same moment get.
        Some("42P04" | "23505") => Code::TargetExists,
        Some("42501") => Code::TargetPermission,
        None => Code::TargetConnectionLost,
        Some(_) => Code::RestoreFailed,
    };
    let detail = error.as_db_error().map_or("the connection broke", |error| error.message());
    Error::new(code, format!("{detail} database={database:?}")).with_source(error)
}

fn refused(what: &'static str, error: tokio_postgres::Error) -> Error {
    let code = match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("42501") => Code::TargetPermission,
        None => Code::TargetConnectionLost,
        Some(_) => Code::RestoreFailed,
    };
    Error::new(code, what).with_source(error)
}

/// An SQL identifier in double quotes, as the lexer of every supported version reads it.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
