//! `pg_dump`'s patterns, as far as to say whether one matches anything.
//!
//! `--strict-names` covers what is to be included only. A misspelt exclusion would go unnoticed, and what was to stay
//! out would be in the dump.

use tokio_postgres::Client;

use super::connect::explain;
use super::{Dsn, DumpOptions};
use crate::error::{Code, Error, Result};

/// Refuses exclusions that name something which is not in the connected database; returns those with wildcards that
/// match nothing now. These may be meant for what comes and goes, and no backup should fail because it has gone.
///
/// # Errors
/// `argument-invalid` with the first such name; what [`connect`](super::connect) tells of a server.
pub(crate) async fn idle_exclusions(
    client: &Client,
    dsn: &Dsn,
    options: &DumpOptions,
) -> Result<Vec<String>> {
    let of = |option, patterns: &'_ [String]| {
        patterns.iter().map(move |pattern| (option, pattern.clone())).collect()
    };
    let all: [Vec<(&str, String)>; 3] = [
        of("exclude-schema", &options.exclude_schemas),
        of("exclude-table", &options.exclude_tables),
        of("exclude-table-data", &options.exclude_table_data),
    ];
    let mut idle = Vec::new();
    for (option, pattern) in all.concat() {
        let mut parts = regexes(&pattern);
        let name = parts.pop().unwrap_or_default();
        let row = match option {
            "exclude-schema" => client.query_one(SCHEMA, &[&name]).await,
            _ => client.query_one(TABLE, &[&name, &parts.pop()]).await,
        };
        if row.map_err(|error| explain(dsn, &error))?.get::<_, bool>(0) {
            continue;
        }
        let told = format!("an exclusion matches nothing in the database {option}={pattern:?}");
        if !has_wildcard(&pattern) {
            return Err(Error::new(Code::ArgumentInvalid, told));
        }
        idle.push(told);
    }
    Ok(idle)
}

/// Whether anything outside of double quotes stands for more than itself.
fn has_wildcard(pattern: &str) -> bool {
    pattern.split('"').step_by(2).any(|plain| plain.contains(|c| "*?|+()[]{}^\\".contains(c)))
}

/// The pattern's parts between dots, each as a regular expression that must match a whole name. As for psql's `\d`:
/// `*` and `?` are wildcards, letters are folded to lower case, and nothing of that holds between double quotes.
fn regexes(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::from("^(")];
    let mut quoted = false;
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        let part = parts.last_mut().expect("there is always a last part");
        match character {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => part.push('"'),
            '"' => quoted = !quoted,
            '.' if !quoted => {
                part.push_str(")$");
                parts.push(String::from("^("));
            }
            '*' if !quoted => part.push_str(".*"),
            '?' if !quoted => part.push('.'),
            '[' if !quoted && rest.next_if_eq(&']').is_some() => part.push_str("\\[\\]"),
            '$' => part.push_str("\\$"),
            special if quoted && "|*+?()[]{}.^\\".contains(special) => part.extend(['\\', special]),
            plain if quoted => part.push(plain),
            plain => part.push(plain.to_ascii_lowercase()),
        }
    }
    parts.last_mut().expect("there is always a last part").push_str(")$");
    parts
}

const SCHEMA: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname::text ~ $1::text)";

/// Without a schema a pattern speaks of what the role's search path shows.
const TABLE: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND c.relname::text ~ $1::text
                      AND CASE WHEN $2::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
                               ELSE n.nspname::text ~ $2::text END)";

#[cfg(test)]
mod tests {
    use super::{has_wildcard, regexes};

    #[test]
    fn patterns_become_regular_expressions_as_psql_makes_them() {
        assert_eq!(regexes("Orders"), ["^(orders)$"]);
        assert_eq!(regexes("shop.log_*"), ["^(shop)$", "^(log_.*)$"]);
        assert_eq!(regexes(r#""Shop.X".a?c$"#), [r"^(Shop\.X)$", r"^(a.c\$)$"]);
        assert_eq!(regexes(r#""say ""hi""*""#), [r#"^(say "hi"\*)$"#]);
        assert_eq!(regexes("a|b[]"), [r"^(a|b\[\])$"]);
    }

    #[test]
    fn quoted_characters_are_no_wildcards() {
        assert!(has_wildcard("tmp_*") && has_wildcard(r#""A".b?"#) && has_wildcard("a|b"));
        assert!(!has_wildcard("a.b$1") && !has_wildcard(r#""a*""b?".c"#));
    }
}
