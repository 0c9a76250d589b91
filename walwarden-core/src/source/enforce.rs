//! What libpq enforces and our own connection cannot: refused, so that it is never the weaker of the two.

use super::Dsn;
use super::tls;
use crate::error::{Code, Error, Result};

/// Refuses parameters that our connection would have to ignore although they guard something.
///
/// # Errors
/// `dsn-invalid` naming the parameter. Parameters that libpq itself refuses (`sslrootcert=system` under a weak
/// `sslmode`) are refused alike.
pub(super) fn check(dsn: &Dsn) -> Result<()> {
    for (keyword, harmless) in GUARDS {
        match dsn.parameter(keyword) {
            Some(value) if !value.is_empty() && !harmless.contains(&value) => {
                return Err(unsupported(keyword, value));
            }
            _ => {}
        }
    }
    let encrypted = tls::mode(dsn) != "disable";
    for keyword in ["sslcrl", "sslcrldir"] {
        if let Some(value) = dsn.parameter(keyword).filter(|value| encrypted && !value.is_empty()) {
            return Err(unsupported(keyword, value));
        }
    }
    let default_list = dsn.home().map(|home| home.join(".postgresql/root.crl"));
    if let Some(list) = default_list.filter(|list| encrypted && list.exists()) {
        return Err(unsupported("sslcrl", &list.display().to_string()));
    }
    let is_strict = ["require", "verify-ca", "verify-full"].contains(&tls::mode(dsn));
    if dsn.parameter("sslnegotiation") == Some("direct") && !is_strict {
        return Err(Error::new(Code::DsnInvalid, "sslnegotiation=direct needs sslmode=require or stricter"));
    }
    if dsn.parameter("sslrootcert") == Some("system") && tls::mode(dsn) != "verify-full" {
        return Err(Error::new(Code::DsnInvalid, "sslrootcert=system needs sslmode=verify-full"));
    }
    Ok(())
}

fn unsupported(keyword: &str, value: &str) -> Error {
    Error::new(
        Code::DsnInvalid,
        format!("our own connection cannot enforce a parameter of the connection string {keyword}={value:?}"),
    )
}

/// Parameters that guard something, and the values that ask for no more than we do.
const GUARDS: [(&str, &[&str]); 8] = [
    ("require_auth", &[]),
    ("requirepeer", &[]),
    ("gssencmode", &["disable", "prefer"]),
    ("sslcertmode", &["disable", "allow"]),
    ("channel_binding", &["disable", "prefer", "require"]),
    ("sslnegotiation", &["postgres", "direct"]),
    ("min_protocol_version", &["3.0"]),
    ("ssl_max_protocol_version", &["TLSv1.2", "TLSv1.3"]),
];
