//! The two spellings of a connection string.

use std::collections::BTreeMap;

use super::{bad_port, invalid, is_port};
use crate::error::Result;

/// Keyword to value, `password` included.
pub(super) fn parameters(text: &str) -> Result<BTreeMap<String, String>> {
    if text.contains('\0') {
        return Err(invalid("connection string contains a zero byte"));
    }
    let text = text.trim();
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => url(rest),
        None if text.contains("://") => {
            Err(invalid("connection URL does not start with postgres:// or postgresql://"))
        }
        None if text.contains('=') => pairs(text),
        None => Err(invalid("connection string is neither a postgres:// URL nor key=value pairs")),
    }
}

// [user[:password]@][host[:port][,…]][/dbname][?keyword=value[&…]], every part percent-encoded.
fn url(rest: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    // As libpq does, the login is looked for before anything else, so that a password may hold a raw '?'.
    let before_path = rest.split('/').next().unwrap_or_default();
    let login_end =
        before_path.split('?').next().and_then(|text| text.rfind('@')).or_else(|| before_path.find('@'));
    let rest = match login_end {
        Some(at) => {
            let (user, password) = rest[..at].split_once(':').unwrap_or((&rest[..at], ""));
            insert_decoded(&mut found, "user", user)?;
            insert_decoded(&mut found, "password", password)?;
            &rest[at + 1..]
        }
        None => rest,
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    insert_hosts(&mut found, hosts)?;
    insert_decoded(&mut found, "dbname", dbname)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((keyword, value)) = pair.split_once('=') else {
            return Err(invalid("connection URL has a parameter without a value"));
        };
        match (&*decoded(keyword)?, &*decoded(value)?) {
            // Spelling of JDBC, which libpq takes as well.
            ("ssl", "true") => found.insert("sslmode".to_owned(), "require".to_owned()),
            (keyword, value) => found.insert(keyword.to_owned(), value.to_owned()),
        };
    }
    Ok(found)
}

fn insert_hosts(found: &mut BTreeMap<String, String>, hosts: &str) -> Result<()> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((address, port))) => match port.strip_prefix(':') {
                Some(port) => (address, port),
                None if port.is_empty() => (address, ""),
                None => return Err(invalid("connection URL has text after an IPv6 address")),
            },
            Some(None) => {
                return Err(invalid("connection URL has an IPv6 address without a closing bracket"));
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        // Checked here already: with a raw '/' in a password, its beginning stands where a port belongs.
        if !is_port(port) {
            return Err(bad_port());
        }
        names.push(decoded(name)?);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        found.insert("host".to_owned(), names.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        found.insert("port".to_owned(), ports.join(","));
    }
    Ok(())
}

fn insert_decoded(found: &mut BTreeMap<String, String>, keyword: &str, text: &str) -> Result<()> {
    if !text.is_empty() {
        found.insert(keyword.to_owned(), decoded(text)?);
    }
    Ok(())
}

// As libpq does: %XX only, `+` stands for itself, %00 is refused. What stands there is not repeated in the error,
// it may be the password.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match digit(rest.next()).zip(digit(rest.next())) {
            Some((high, low)) if high + low > 0 => bytes.push((high * 16 + low) as u8),
            _ => {
                return Err(invalid(
                    "connection URL has a percent sign that is not followed by two hex digits (write it as %25)",
                ));
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid("connection URL is not UTF-8 once decoded"))
}

// keyword = value or keyword = 'value', a backslash takes the next character as it is.
fn pairs(text: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(found);
        }
        let mut keyword = String::new();
        while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
            keyword.push(c);
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if keyword.is_empty() || rest.next_if_eq(&'=').is_none() {
            return Err(invalid("connection string has a keyword without `=`"));
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let value = if rest.next_if_eq(&'\'').is_some() { quoted(&mut rest)? } else { bare(&mut rest) };
        found.insert(keyword, value);
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn quoted(rest: &mut Chars<'_>) -> Result<String> {
    let mut value = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\'' => return Ok(value),
            '\\' => value.extend(rest.next()),
            c => value.push(c),
        }
    }
    Err(invalid("connection string has a quoted value without its closing quote"))
}

fn bare(rest: &mut Chars<'_>) -> String {
    let mut value = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        if c == '\\' {
            value.extend(rest.next());
        } else {
            value.push(c);
        }
    }
    value
}
