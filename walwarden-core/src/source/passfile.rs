//! Passwords kept in a file, as libpq keeps them (`passfile`, `PGPASSFILE`, `~/.pgpass`).

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::Dsn;
use super::dsn::HostPort;
use crate::secret::Secret;

/// The password for one host, where the connection string has none.
///
/// As with libpq, a file that is missing, is no regular file, or lets others read it counts as empty; so does a line
/// with fewer than five fields. A connection string without a user finds only lines for every user (`*`).
pub(super) fn password(dsn: &Dsn, host: &HostPort) -> Option<Secret> {
    let named = dsn.parameter("passfile").filter(|path| !path.is_empty()).map(PathBuf::from);
    let file = named.or_else(|| Some(dsn.home()?.join(".pgpass")))?;
    let metadata = fs::metadata(&file).ok()?;
    if !metadata.is_file() {
        return None;
    }
    if is_open_to_others(&metadata) {
        tracing::warn!(file = %file.display(), "password file is ignored: others may read it (chmod 600)");
        return None;
    }
    let text = fs::read_to_string(&file).ok()?;
    let wanted =
        [name_in_file(host), &host.port.to_string(), dsn.dbname(), dsn.user().unwrap_or(ANYTHING_BUT)];
    text.lines().find_map(|line| matching(line, wanted))
}

/// libpq looks a server in the default socket folder up as `localhost`.
fn name_in_file(host: &HostPort) -> &str {
    match host.name.as_deref().or(host.address.as_deref()) {
        None => "localhost",
        Some(folder) if Path::new(folder) == Path::new(super::dsn::socket_dir()) => "localhost",
        Some(name) => name,
    }
}

/// The password of a line `host:port:database:user:password` whose first four fields fit.
fn matching(line: &str, wanted: [&str; 4]) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for wanted in wanted {
        let end = end_of_field(rest)?;
        let (field, after) = (&rest[..end], &rest[end + 1..]);
        if field != "*" && unescaped(field) != wanted {
            return None;
        }
        rest = after;
    }
    Some(Secret::new(unescaped(rest))).filter(|password| !password.expose().is_empty())
}

/// Where the colon stands that ends the field; a backslash takes the character after it as it is.
fn end_of_field(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return Some(at),
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
    None
}

fn unescaped(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &Metadata) -> bool {
    false
}

/// Equals no user's name: names hold no zero byte.
const ANYTHING_BUT: &str = "\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<String> {
        matching(line, ["db.example.com", "5432", "a:b", "o\\k"]).map(|password| password.expose().to_owned())
    }

    #[test]
    fn a_line_fits_field_by_field() {
        assert_eq!(found(r"db.example.com:5432:a\:b:o\\k:pw").as_deref(), Some("pw"));
        assert_eq!(found(r"*:*:*:*:p\:w:x\\y").as_deref(), Some(r"p:w:x\y"));
        for other in [
            r"db.example.org:5432:a\:b:o\\k:pw",
            r"db.example.com:5433:a\:b:o\\k:pw",
            r"db.example.com:5432:a\:c:o\\k:pw",
            r"db.example.com:5432:a\:b:k:pw",
            r"\*:*:*:*:pw",
            "# *:*:*:*:pw",
            "*:*:*:pw",
            "*:*:*:*:",
            "",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
