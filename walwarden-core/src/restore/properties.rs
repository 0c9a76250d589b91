//! The database itself, as the dump has it: encoding, locale and owner, then comment, privileges and settings.
//!
//! `pg_restore --create` would make it under its real name at once, and knows no other. Here its statements are read from
//! what it prints, and name the database that is being built.

use tokio_postgres::Client;

use super::apply::Application;
use super::target::{self, quoted};
use crate::error::{Code, Error, Result};

/// The statements of an archive that are about its database, naming another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DatabaseStatements {
    /// Creates it, with its encoding and locale.
    pub(super) creation: String,
    /// Give it its owner and set what else belongs to it.
    pub(super) properties: Vec<String>,
}

/// Reads them, to create the database as `name`.
pub(super) async fn read(application: &Application<'_>, name: &str) -> Result<DatabaseStatements> {
    let mut arguments = application.arguments();
    arguments.push("--list").push("--create");
    let entries = application.pg_restore().print(arguments).await?;
    let wanted: Vec<&str> = entries.lines().filter(|line| is_about_the_database(line)).collect();
    let list = application.prepared.archive.folder().join("database.list");
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

/// Sets them. What the server refuses is returned as notices: the data are there all the same.
pub(super) async fn set(connection: &Client, properties: &[String], name: &str) -> Result<Vec<String>> {
    let mut notices = Vec::new();
    for statement in properties {
        let Err(error) = connection.batch_execute(statement).await else { continue };
        let Some(answer) = error.as_db_error() else { return Err(target::failed(error, name)) };
        // Answers of that class repeat the value.
        let is_about_a_value = answer.code().code().starts_with("22");
        let why = if is_about_a_value { "the server takes no such value" } else { answer.message() };
        notices.push(format!("refused, and left out: {} ({why})", without_values(statement)));
    }
    Ok(notices)
}

/// Settings may hold secrets of the application.
fn without_values(statement: &str) -> &str {
    let end = statement.find('\'').unwrap_or(statement.len());
    let head = statement[..end].trim_end();
    [" TO", " IS", " ="].iter().find_map(|word| head.strip_suffix(word)).unwrap_or(head)
}

fn sort(script: &str, name: &str) -> Option<DatabaseStatements> {
    let (mut creation, mut properties) = (None, Vec::new());
    for statement in statements(script) {
        if let Some(statement) = renamed(&statement, "CREATE DATABASE ", name) {
            creation.get_or_insert(statement);
        } else if let Some(statement) = property(&statement, name) {
            properties.push(statement);
        }
    }
    creation.map(|creation| DatabaseStatements { creation, properties })
}

/// The statement for the other database, if it sets a property.
fn property(statement: &str, name: &str) -> Option<String> {
    const BEFORE_ITS_NAME: [&str; 2] = ["ALTER DATABASE ", "COMMENT ON DATABASE "];
    const OF_IT: [&str; 3] = ["GRANT ", "REVOKE ", "SECURITY LABEL "];
    const OF_THE_SESSION: [&str; 2] = ["SET SESSION AUTHORIZATION ", "RESET SESSION AUTHORIZATION"];
    if let Some(role) = statement.strip_prefix("ALTER ROLE ") {
        let after_role = after_identifier(role)?;
        let (before, after) = statement.split_at(statement.len() - after_role.len());
        return renamed(after, " IN DATABASE ", name).map(|after| format!("{before}{after}"));
    }
    if OF_IT.iter().any(|verb| statement.starts_with(verb)) {
        let (before, after) = statement.split_at(statement.find(" ON DATABASE ")?);
        return renamed(after, " ON DATABASE ", name).map(|after| format!("{before}{after}"));
    }
    let of_the_session = OF_THE_SESSION.iter().any(|verb| statement.starts_with(verb));
    let renamed = BEFORE_ITS_NAME.iter().find_map(|verb| renamed(statement, verb, name));
    renamed.or_else(|| of_the_session.then(|| statement.to_owned()))
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

/// The statement with another identifier after its beginning, if that is what it begins with.
fn renamed(statement: &str, beginning: &str, name: &str) -> Option<String> {
    let rest = after_identifier(statement.strip_prefix(beginning)?)?;
    Some(format!("{beginning}{}{rest}", quoted(name)))
}

/// What follows an SQL identifier, bare or in double quotes.
pub(super) fn after_identifier(text: &str) -> Option<&str> {
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
                      ALTER DATABASE \"Shöp \"\"x\" SET work_mem TO '8MB';\n\
                      ALTER ROLE \"in DATABASE x\" IN DATABASE \"Shöp \"\"x\" SET work_mem TO '9MB';\n\
                      REVOKE CONNECT,TEMPORARY ON DATABASE \"Shöp \"\"x\" FROM PUBLIC;\n\
                      SET SESSION AUTHORIZATION app;\nGRANT CONNECT ON DATABASE \"Shöp \"\"x\" TO \"ON DATABASE\";\n\
                      RESET SESSION AUTHORIZATION;\n";
        let sorted = sort(script, "b\"c").unwrap();
        assert_eq!(sorted.creation, "CREATE DATABASE \"b\"\"c\" WITH TEMPLATE = template0 ENCODING = 'UTF8'");
        assert_eq!(
            sorted.properties,
            [
                "ALTER DATABASE \"b\"\"c\" OWNER TO app",
                "COMMENT ON DATABASE \"b\"\"c\" IS 'one; it''s\n\\connect no\n-- two'",
                "ALTER DATABASE \"b\"\"c\" SET work_mem TO '8MB'",
                "ALTER ROLE \"in DATABASE x\" IN DATABASE \"b\"\"c\" SET work_mem TO '9MB'",
                "REVOKE CONNECT,TEMPORARY ON DATABASE \"b\"\"c\" FROM PUBLIC",
                "SET SESSION AUTHORIZATION app",
                "GRANT CONNECT ON DATABASE \"b\"\"c\" TO \"ON DATABASE\"",
                "RESET SESSION AUTHORIZATION",
            ]
        );
        assert_eq!(sort("SELECT 1;\n", "b"), None);
        assert!(sort("CREATE DATABASE shop WITH X;\n", "b").is_some());
    }

    #[test]
    fn a_refused_setting_is_told_without_its_value() {
        let told = without_values("ALTER DATABASE \"b\" SET \"app.jwt_secret\" TO 'hunter2'");
        assert_eq!(told, "ALTER DATABASE \"b\" SET \"app.jwt_secret\"");
        assert_eq!(without_values("COMMENT ON DATABASE b IS 'x'"), "COMMENT ON DATABASE b");
        assert_eq!(without_values("GRANT ALL ON DATABASE b TO r"), "GRANT ALL ON DATABASE b TO r");
    }
}
