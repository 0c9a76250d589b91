//! The database itself, as the dump has it: encoding, locale and owner, then comment, privileges and settings.
//!
//! `pg_restore --create` would make it under its real name at once. Here its statements are read from what it prints,
//! and the one that creates gets the name that the database is built under.

use super::apply::Application;
use super::target::quoted;
use crate::error::{Code, Error, Result};

/// The statements of an archive that are about its database.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DatabaseStatements {
    /// Create it and give it its owner, under the other name.
    pub(super) creation: Vec<String>,
    /// Set what belongs to it, by its own name.
    pub(super) properties: Vec<String>,
}

/// Reads them, to create the database as `name`.
pub(super) async fn read(application: &Application<'_>, name: &str) -> Result<DatabaseStatements> {
    let mut arguments = application.arguments();
    arguments.push("--list").push("--create");
    let entries = application.pg_restore().print(arguments).await?;
    let wanted: Vec<&str> = entries.lines().filter(|line| is_about_the_database(line)).collect();
    let list = application.dump.folder().join("database.list");
    tokio::fs::write(&list, wanted.join("\n")).await.map_err(|error| {
        let message = format!("the spool folder cannot be written path={}", list.display());
        Error::new(Code::FileFailed, message).with_source(error)
    })?;
    let mut arguments = application.arguments();
    arguments.push("--create").path("--use-list", &list).push("--file=-");
    let script = application.pg_restore().print(arguments).await?;
    sort(&script, name).ok_or_else(|| {
        Error::new(Code::RestoreFailed, "the archive has no statement that creates its database")
    })
}

/// Whether a line of `pg_restore -l` (`dumpId; tableoid oid DESC schema tag owner`) is about the database.
fn is_about_the_database(line: &str) -> bool {
    const KINDS: [&str; 5] = [
        "DATABASE - ",
        "DATABASE PROPERTIES - ",
        "ACL - DATABASE ",
        "COMMENT - DATABASE ",
        "SECURITY LABEL - DATABASE ",
    ];
    let entry = line.split_once("; ").and_then(|(id, rest)| {
        let is_entry = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        is_entry.then(|| rest.splitn(3, ' ').nth(2)).flatten()
    });
    entry.is_some_and(|entry| KINDS.iter().any(|kind| entry.starts_with(kind)))
}

fn sort(script: &str, name: &str) -> Option<DatabaseStatements> {
    const PROPERTIES: [&str; 7] = [
        "ALTER DATABASE ",
        "COMMENT ON DATABASE ",
        "GRANT ",
        "REVOKE ",
        "SECURITY LABEL ",
        "SET SESSION AUTHORIZATION ",
        "RESET SESSION AUTHORIZATION",
    ];
    let mut found = DatabaseStatements { creation: Vec::new(), properties: Vec::new() };
    for statement in statements(script) {
        let created = renamed(&statement, "CREATE DATABASE ", name, "");
        let owned = renamed(&statement, "ALTER DATABASE ", name, " OWNER TO ");
        if let Some(statement) = created.or(owned) {
            found.creation.push(statement);
        } else if PROPERTIES.iter().any(|verb| statement.starts_with(verb)) {
            found.properties.push(statement);
        }
    }
    let creates = found.creation.first().is_some_and(|first| first.starts_with("CREATE DATABASE "));
    creates.then_some(found)
}

/// The statements of a script that `pg_restore` printed, without their semicolons, comments and psql's commands.
/// Its strings double every quote and its identifiers every double quote (`standard_conforming_strings` is on).
fn statements(script: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut quote: Option<char> = None;
    for line in script.split_inclusive('\n') {
        let is_aside = quote.is_none() && (line.starts_with('\\') || line.starts_with("--"));
        if is_aside {
            continue;
        }
        for character in line.chars() {
            match (quote, character) {
                (None, ';') => {
                    statements.push(std::mem::take(&mut statement).trim().to_owned());
                    continue;
                }
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), _) if open == character => quote = None,
                _ => {}
            }
            statement.push(character);
        }
    }
    statements
}

/// The statement with another identifier after its verb, if that is what it begins with and `then` follows.
fn renamed(statement: &str, verb: &str, name: &str, then: &str) -> Option<String> {
    let rest = after_identifier(statement.strip_prefix(verb)?)?;
    rest.starts_with(then).then(|| format!("{verb}{}{rest}", quoted(name)))
}

/// What follows an SQL identifier, bare or in double quotes.
fn after_identifier(text: &str) -> Option<&str> {
    let Some(mut inside) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))?;
        return Some(&text[end..]);
    };
    loop {
        inside = &inside[inside.find('"')? + 1..];
        match inside.strip_prefix('"') {
            Some(doubled) => inside = doubled,
            None => return Some(inside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_sorted_renamed_and_kept_to_the_letter() {
        let script = "--\n-- Name: it's; Type: DATABASE\n--\n\n\\restrict abc\n\nSET lock_timeout = 0;\n\
                      CREATE DATABASE \"Shöp \"\"x\" WITH TEMPLATE = template0 ENCODING = 'UTF8';\n\n\n\
                      ALTER DATABASE \"Shöp \"\"x\" OWNER TO app;\n\\connect -reuse-previous=on \"dbname='x'\"\n\
                      COMMENT ON DATABASE \"Shöp \"\"x\" IS 'one; it''s\n\\connect no\n-- two';\n\
                      ALTER DATABASE \"Shöp \"\"x\" SET work_mem TO '8MB';\n";
        let sorted = sort(script, "b\"c").unwrap();
        assert_eq!(
            sorted.creation,
            [
                "CREATE DATABASE \"b\"\"c\" WITH TEMPLATE = template0 ENCODING = 'UTF8'",
                "ALTER DATABASE \"b\"\"c\" OWNER TO app"
            ]
        );
        assert_eq!(
            sorted.properties,
            [
                "COMMENT ON DATABASE \"Shöp \"\"x\" IS 'one; it''s\n\\connect no\n-- two'",
                "ALTER DATABASE \"Shöp \"\"x\" SET work_mem TO '8MB'"
            ]
        );
        assert_eq!(sort("SELECT 1;\n", "b"), None);
        assert!(sort("CREATE DATABASE shop WITH X;\n", "b").is_some());
    }
}
