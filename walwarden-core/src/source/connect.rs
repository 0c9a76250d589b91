//! Our own connection to a server, for looking before and counting after a dump.

use std::error::Error as StdError;
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Dsn;
use super::dsn::HostPort;
use super::tls::{self, Encryption};
use crate::error::{Code, Error, Result};

/// Logs in to the first host of the connection string that answers. The connection is driven by the current tokio
/// runtime and ends with the client.
///
/// # Errors
/// - `source-unreachable`: no host answered in time (`connect_timeout`, 15 seconds unless given), or TLS failed.
/// - `source-login-refused`: user, password or `pg_hba.conf`.
/// - `source-database-missing`, `source-permission`: the server said so.
/// - `dsn-invalid`: a certificate or key file cannot be used.
pub async fn connect(dsn: &Dsn) -> Result<Client> {
    let tls = MakeRustlsConnect::new(tls::client_config(dsn)?);
    let mut last = None;
    for host in dsn.hosts() {
        match connect_host(dsn, &host, &tls).await {
            Ok(client) => return Ok(client),
            // As with libpq, a server that answers ends the search, unless it is the wrong kind of server.
            Err(error) if error.code().is_some() => return Err(explain(dsn, &error)),
            Err(error) => last = Some(error),
        }
    }
    Err(last
        .map_or_else(|| Error::new(Code::DsnInvalid, "no host to connect to"), |error| explain(dsn, &error)))
}

async fn connect_host(
    dsn: &Dsn,
    host: &HostPort,
    tls: &MakeRustlsConnect,
) -> Result<Client, tokio_postgres::Error> {
    let attempt = async |mode| {
        let (client, connection) = config(dsn, host, mode).connect(tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn StdError, "connection to Postgres ended");
            }
        });
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

fn config(dsn: &Dsn, host: &HostPort, mode: SslMode) -> Config {
    let mut config = Config::new();
    match &host.name {
        Some(name) => config.host(name),
        None if host.address.is_none() => config.host("localhost"),
        None => &mut config,
    };
    if let Some(address) = host.address.as_ref().and_then(|address| address.parse().ok()) {
        config.hostaddr(address);
    }
    config.port(host.port).dbname(dsn.dbname()).ssl_mode(mode);
    config.application_name(dsn.parameter("application_name").unwrap_or("walwarden"));
    if let Some(user) = dsn.user() {
        config.user(user);
    }
    if let Some(password) = dsn.password() {
        config.password(password.expose());
    }
    if let Some(options) = dsn.parameter("options") {
        config.options(options);
    }
    let timeout =
        dsn.parameter("connect_timeout").and_then(|text| text.trim().parse().ok()).filter(|s| *s > 0);
    config.connect_timeout(Duration::from_secs(timeout.unwrap_or(15)));
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
pub(super) fn explain(dsn: &Dsn, error: &tokio_postgres::Error) -> Error {
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
