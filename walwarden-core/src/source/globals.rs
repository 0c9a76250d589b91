//! Roles and tablespaces, which no database dump contains.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::program::Program;
use super::{Client, Dsn, connect};
use crate::error::{Code, Error, Result};

/// Roles (without passwords), role memberships and tablespaces of the whole server as SQL text, from `pg_dumpall`.
///
/// # Errors
/// As [`Dump::finish`](super::Dump::finish); `dump-failed` when there are more than 64 MiB of it.
pub async fn globals(client: &Client, dsn: &Dsn) -> Result<Bytes> {
    let arguments = [
        format!("--dbname={}", dsn.libpq_conninfo_without_password()),
        // pg_dumpall takes the place of login from here, not from the connection string.
        format!("--database={}", dsn.dbname()),
        "--globals-only".to_owned(),
        "--no-role-passwords".to_owned(),
        "--no-password".to_owned(),
        "--encoding=UTF8".to_owned(),
    ];
    let (program, mut stdout) = Program::start(client, "pg_dumpall", arguments, dsn)?;
    let mut text = BytesMut::new();
    loop {
        let count = stdout.read_buf(&mut text).await.map_err(|error| {
            Error::new(Code::DumpFailed, "output of pg_dumpall cannot be read").with_source(error)
        })?;
        if count == 0 {
            break;
        }
        if text.len() > LIMIT_BYTES {
            program.kill().await;
            return Err(Error::new(
                Code::DumpFailed,
                format!("roles and tablespaces exceed limit={LIMIT_BYTES}"),
            ));
        }
    }
    let said = match program.finish().await {
        Ok(said) => said,
        // pg_dumpall keeps to itself why it could not log in. Ours will fail for the same reason and say it.
        Err(error) if error.message().contains("could not connect to database") => {
            return Err(connect(dsn).await.err().unwrap_or(error));
        }
        Err(error) => return Err(error),
    };
    if text.is_empty() {
        return Err(Program::bad_output("pg_dumpall", "wrote nothing", said));
    }
    Ok(text.freeze())
}

const LIMIT_BYTES: usize = 64 * 1024 * 1024;
