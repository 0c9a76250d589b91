use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use walwarden_core::restore::{Check, Mode};
use walwarden_core::verify::Sha256;
use walwarden_core::{Code, Error, Result};

use super::variable_name;

/// Core's words for a choice, each with its help.
fn choice<T>(words: &'static [(&'static str, &'static str)]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    let words = words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

const MODES: &[(&str, &str)] = &[
    ("new_database", "Create a database; fails if one of that name exists"),
    (
        "in_place",
        "Drop what the dump holds too from the database that the DSN names, and restore it; other objects stay",
    ),
];
const CHECKS: &[(&str, &str)] = &[
    ("none", "Compare nothing"),
    ("counts", "Count the rows of each table"),
    ("digests", "Read every row of each table and compare the digests"),
];

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Hash of the manifest to restore from: exactly 64 lower-case hex digits
    #[arg(long, value_name = "SHA256")]
    pub(crate) manifest: Sha256,
    /// The destination that holds the backup [default: that of the configured database it belongs to]
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// The target server; with new_database any database that exists there, customarily `postgres`
    ///
    /// The password may stand in the DSN, where other users of the machine can read it, or in PGPASSWORD; on a terminal
    /// it is asked for when the server wants one.
    #[arg(long, value_name = "DSN", required_unless_present = "target_env", conflicts_with = "target_env")]
    pub(crate) target: Option<String>,
    /// The same from the environment variable of this name
    #[arg(long, value_name = "VARIABLE", value_parser = variable_name)]
    pub(crate) target_env: Option<String>,
    /// Into what to restore
    #[arg(long, value_parser = choice::<Mode>(MODES))]
    pub(crate) mode: Mode,
    /// Restore into a new database of this name instead of the source's; only with new_database
    #[arg(long, value_name = "NAME", value_parser = created_database)]
    pub(crate) created_database: Option<String>,
    /// Required with in_place: what the target holds now may be dropped
    #[arg(long)]
    pub(crate) confirm_destructive: bool,
    /// Restore this table alone, as NAME or SCHEMA.NAME; may be repeated
    ///
    /// Its definition, rows, owner and privileges, and unlike with pg_restore --table also its partitions, indexes,
    /// constraints, triggers, policies, defaults and own sequences. Without a schema it is looked for in all of them. A view, materialized view or sequence can be named, too. Names are exact; one
    /// with dots or double quotes in it is written in double quotes. Into a new database the definitions that it depends on
    /// come with it; foreign keys to tables that do not come are left out, and named.
    #[arg(long, value_name = "TABLE", value_parser = TableArgument::parse)]
    pub(crate) table: Vec<TableArgument>,
    /// Restore what is in this schema alone; may be repeated. With --table, those tables in these schemas
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) schema: Vec<String>,
    /// Restore definitions only
    #[arg(long, conflicts_with = "data_only")]
    pub(crate) schema_only: bool,
    /// Add rows and large objects only, to tables that are there; only with in_place
    ///
    /// The comparison with the index expects that the tables were empty before.
    #[arg(long)]
    pub(crate) data_only: bool,
    /// How many connections to the target to use; an in-place restore takes one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) jobs: u32,
    /// How closely restored tables are compared with the backup's index; any difference fails the restore
    #[arg(long, value_name = "CHECK", default_value = "counts", value_parser = choice::<Check>(CHECKS))]
    pub(crate) check: Check,
    /// Copy what is restored into this folder first and verify it there as a whole
    ///
    /// Without it that is done only where it has to be, in the home folder's spool: for in_place, and for a backup without an
    /// index. Else rows go straight from the destination into the target, each piece verified before.
    #[arg(long, value_name = "DIR", conflicts_with = "no_spool")]
    pub(crate) spool: Option<PathBuf>,
    /// Refuse a restore that would have to copy the dump first
    #[arg(long)]
    pub(crate) no_spool: bool,
    /// A public key to trust, SPKI PEM; may be repeated [default: the public part of your own key]
    #[arg(long, value_name = "FILE")]
    pub(crate) pubkey: Vec<PathBuf>,
    /// Leave ownership to the restoring role
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Leave GRANT and REVOKE out
    #[arg(long)]
    pub(crate) no_privileges: bool,
    /// Show the plan and stop
    #[arg(long)]
    pub(crate) plan: bool,
}

impl RestoreArguments {
    /// What can be refused before anything is looked at.
    pub(crate) fn check(&self) -> Result<()> {
        if self.mode == Mode::InPlace && !self.confirm_destructive && !self.plan {
            return Err(Error::new(
                Code::ConfirmationMissing,
                "a restore with --mode in_place drops what the target holds and was not confirmed",
            ));
        }
        if self.mode == Mode::InPlace && self.created_database.is_some() {
            return Err(Error::new(
                Code::ArgumentInvalid,
                "--created-database goes with --mode new_database only",
            ));
        }
        Ok(())
    }
}

/// A table as `NAME` or `SCHEMA.NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableArgument {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl TableArgument {
    fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        let (first, rest) = identifier(text).ok_or(NO_TABLE)?;
        let Some(rest) = rest.strip_prefix('.') else {
            let alone = TableArgument { schema: None, name: first };
            return if rest.is_empty() { Ok(alone) } else { Err(NO_TABLE) };
        };
        match identifier(rest) {
            Some((name, "")) => Ok(TableArgument { schema: Some(first), name }),
            _ => Err(NO_TABLE),
        }
    }
}

const NO_TABLE: &str =
    "a table is NAME or SCHEMA.NAME; a part with dots or double quotes in it stands in double quotes";

/// A name, and what follows it. In double quotes it may hold anything, and is otherwise taken as it is, too: nothing is folded to
/// lower case.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(mut inside) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
        return (!name.is_empty() && !name.contains('"')).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, rest) = inside.split_once('"')?;
        name.push_str(part);
        match rest.strip_prefix('"') {
            Some(doubled) => {
                name.push('"');
                inside = doubled;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

fn created_database(text: &str) -> std::result::Result<String, String> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts_well && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err("a database name starts with a letter or underscore and goes on with letters, digits, \
             underscores and hyphens, 63 at most"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::TableArgument;

    #[test]
    fn a_table_is_a_name_or_a_schema_and_a_name() {
        let read = |text| TableArgument::parse(text).map(|table| (table.schema, table.name)).ok();
        let table = |schema: Option<&str>, name: &str| Some((schema.map(str::to_owned), name.to_owned()));
        assert_eq!(read("orders"), table(None, "orders"));
        assert_eq!(read("Shop.Orders"), table(Some("Shop"), "Orders"));
        assert_eq!(read("\"a.b\".\"c\"\"d\""), table(Some("a.b"), "c\"d"));
        assert_eq!(read("a b.c*"), table(Some("a b"), "c*"));
        for wrong in ["", ".", "a.", ".a", "a.b.c", "\"a", "\"\"", "a\"b", "\"a\"b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
