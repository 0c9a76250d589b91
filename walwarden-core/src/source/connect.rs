//! Our own connection to a server, for looking before and counting after a dump.

use std::error::Error as StdError;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::HostPort;
use super::tls::{self, Encryption};
use super::{Dsn, enforce, passfile};
use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// Logs in to the first host of the connection string that answers. The connection is driven by the current tokio
/// runtime and ends with the client.
///
/// # Errors
/// - `source-unreachable`: no host answered in time (`connect_timeout`, 15 seconds unless given, for all from the first
///   packet to the answer of a first query), or TLS failed.
/// - `source-login-refused`: user, password or `pg_hba.conf`.
/// - `source-database-missing`, `source-permission`: the server said so.
/// - `dsn-invalid`: a certificate or key file cannot be used, or a parameter guards something that this connection, unlike
///   libpq, cannot: `require_auth`, `requirepeer`, `sslcrl`, `sslcrldir`, `sslcertmode=require`, `gssencmode=require`.
///
/// The password is that of the connection string, or else of libpq's password file.
pub async fn connect(dsn: &Dsn) -> Result<Client> {
    enforce::check(dsn)?;
    let tls = MakeRustlsConnect::new(tls::client_config(dsn)?);
    let mut last = None;
    for host in dsn.hosts() {
        match tokio::time::timeout(patience(dsn), connect_host(dsn, &host, &tls)).await {
            Ok(Ok(client)) => return Ok(client),
            // As with libpq, a server that answers ends the search, unless it is the wrong kind of server.
            Ok(Err(error)) if error.code().is_some() => return Err(explain(dsn, &error)),
            Ok(Err(error)) => last = Some(explain(dsn, &error)),
            Err(_elapsed) => last = Some(silent(dsn, &host)),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(Code::DsnInvalid, "no host to connect to")))
}

/// How long one host may take.
fn patience(dsn: &Dsn) -> Duration {
    let given = dsn.parameter("connect_timeout").and_then(|text| text.trim().parse().ok());
    given.filter(|seconds| *seconds > 0).map_or(PATIENCE, Duration::from_secs)
}

/// Some hosts take a connection and then say nothing: a stopped server, a firewall, a pooler without a server.
fn silent(dsn: &Dsn, host: &HostPort) -> Error {
    let name = host.name.as_deref().or(host.address.as_deref()).unwrap_or_default();
    let seconds = patience(dsn).as_secs();
    let message = format!("the login did not end within {seconds} s host={name:?} port={}", host.port);
    Error::new(Code::SourceUnreachable, message)
}

async fn connect_host(
    dsn: &Dsn,
    host: &HostPort,
    tls: &MakeRustlsConnect,
) -> Result<Client, tokio_postgres::Error> {
    let password = dsn.password().cloned().or_else(|| passfile::password(dsn, host));
    let attempt = async |mode| {
        let (client, connection) = config(dsn, host, mode, password.as_ref()).connect(tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn StdError, "connection to Postgres ended");
            }
        });
        // A pooler may let in without a server behind it.
        client.simple_query("SELECT 1").await?;
        Ok(client)
    };
    // TLS is not spoken over Unix sockets, whatever sslmode says.
    if host.is_socket() {
        return attempt(SslMode::Disable).await;
    }
    match tls::encryption(dsn) {
        Encryption::Never => attempt(SslMode::Disable).await,
        Encryption::Always => attempt(SslMode::Require).await,
        Encryption::IfPossible => match attempt(SslMode::Prefer).await {
            Err(first) if failed_in_tls(&first) || refused_by_hba(&first) => {
                attempt(SslMode::Disable).await.map_err(|_| first)
            }
            outcome => outcome,
        },
    }
}

fn config(dsn: &Dsn, host: &HostPort, mode: SslMode, password: Option<&Secret>) -> Config {
    let mut config = Config::new();
    if let Some(name) = &host.name {
        config.host(name);
    }
    if let Some(address) = host.address.as_ref().and_then(|address| address.parse().ok()) {
        config.hostaddr(address);
    }
    config.port(host.port).dbname(dsn.dbname()).ssl_mode(mode);
    config.application_name(dsn.parameter("application_name").unwrap_or("walwarden"));
    if let Some(user) = dsn.user() {
        config.user(user);
    }
    if let Some(password) = password {
        config.password(password.expose());
    }
    if let Some(options) = dsn.parameter("options") {
        config.options(options);
    }
    if dsn.parameter("sslnegotiation") == Some("direct") && mode == SslMode::Require {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    config.channel_binding(match dsn.parameter("channel_binding") {
        Some("disable") => ChannelBinding::Disable,
        Some("require") => ChannelBinding::Require,
        _ => ChannelBinding::Prefer,
    });
    config.target_session_attrs(match dsn.parameter("target_session_attrs") {
        Some("read-write" | "primary") => TargetSessionAttrs::ReadWrite,
        Some("read-only" | "standby") => TargetSessionAttrs::ReadOnly,
        _ => TargetSessionAttrs::Any,
    });
    config
}

fn failed_in_tls(error: &tokio_postgres::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.and_then(std::io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>())
}

fn refused_by_hba(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// What an error of the driver means to the user, while connecting or later.
pub(crate) fn explain(dsn: &Dsn, error: &tokio_postgres::Error) -> Error {
    let place = format!("host={:?} port={}", dsn.host(), dsn.port());
    let Some(said) = error.as_db_error() else {
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            line = format!("{line}: {inner}");
            cause = inner.source();
        }
        let code = if line.contains("password missing") || line.contains("authentication") {
            Code::SourceLoginRefused
        } else if error.is_closed() {
            Code::SourceConnectionLost
        } else {
            Code::SourceUnreachable
        };
        return Error::new(code, format!("{} {place}", dsn.mask(&line)));
    };
    let state = said.code();
    let code = if *state == SqlState::INVALID_CATALOG_NAME {
        Code::SourceDatabaseMissing
    } else if *state == SqlState::INSUFFICIENT_PRIVILEGE {
        Code::SourcePermission
    } else if *state == SqlState::LOCK_NOT_AVAILABLE {
        Code::SourceLocked
    } else {
        match state.code().get(..2) {
            Some("28") => Code::SourceLoginRefused,
            Some("53" | "58") => Code::SourceUnreachable,
            Some("57") => Code::SourceConnectionLost,
            _ => Code::DumpFailed,
        }
    };
    let starting = [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS].contains(state);
    let code = if starting { Code::SourceUnreachable } else { code };
    Error::new(code, format!("{} sqlstate={} {place}", dsn.mask(said.message()), state.code()))
}

/// How long one host may take unless `connect_timeout` says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);
