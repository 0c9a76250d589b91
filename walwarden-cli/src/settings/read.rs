//! Reads the settings file. Whatever it does not know is an error that names the line; values never show in errors,
//! since a misplaced one may be a password.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use toml_edit::{Document, Item, TableLike, Value};
use walwarden_core::secret::Secret;
use walwarden_core::{Code, Error, Result};

use super::{DatabaseSettings, DumpSettings, SettingsFile, SourceSettings};
use crate::arguments::MOST_JOBS;

/// Understands the file's text.
///
/// # Errors
/// `settings-invalid`, with the line.
pub(crate) fn parse(text: &str) -> Result<SettingsFile> {
    let document = Document::parse(text)
        .map_err(|error| at_line(text, error.span(), &error.message().replace('\n', ", ")))?;
    let reader = Reader { text };
    let mut settings = SettingsFile::default();
    for (key, item) in document.as_table().iter() {
        match key {
            "org" => settings.org = Some(reader.parsed(key, item)?),
            "key_file" => settings.key_file = Some(reader.path(key, item)?),
            "client_dirs" => {
                settings.client_dirs = reader.texts(key, item)?.into_iter().map(PathBuf::from).collect();
            }
            "spool_dir" => settings.spool_dir = Some(reader.path(key, item)?),
            "database" => settings.databases = reader.databases(item)?,
            _ => return Err(reader.unknown(document.as_table(), key, TOP_KEYS)),
        }
    }
    Ok(settings)
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn databases(&self, item: &Item) -> Result<Vec<DatabaseSettings>> {
        let table = item
            .as_table_like()
            .ok_or_else(|| self.wrong(item, "`database` holds tables: [database.<name>]"))?;
        table.iter().map(|(name, item)| self.database(table, name, item)).collect()
    }

    fn database(&self, parent: &dyn TableLike, name: &str, item: &Item) -> Result<DatabaseSettings> {
        let id = name.parse().map_err(|error| {
            at_line(self.text, key_span(parent, name), &format!("`{name}` is no database name: {error}"))
        })?;
        let table = item
            .as_table_like()
            .ok_or_else(|| self.wrong(item, &format!("`database.{name}` is to be a table")))?;
        let (mut dsn, mut dsn_env, mut destination, mut password_file) = (None, None, None, None);
        let mut dump = DumpSettings::default();
        for (key, item) in table.iter() {
            match key {
                "dsn" => dsn = Some(Secret::new(self.text_of(key, item)?)),
                "dsn_env" => dsn_env = Some(self.variable(key, item)?),
                "password_file" => password_file = Some(self.path(key, item)?),
                "destination" => destination = Some(self.text_of(key, item)?),
                "compression" => dump.compression = Some(self.text_of(key, item)?),
                "schemas" => dump.schemas = self.texts(key, item)?,
                "exclude_schemas" => dump.exclude_schemas = self.texts(key, item)?,
                "tables" => dump.tables = self.texts(key, item)?,
                "exclude_tables" => dump.exclude_tables = self.texts(key, item)?,
                "exclude_table_data" => dump.exclude_table_data = self.texts(key, item)?,
                "no_owner" => dump.no_owner = self.flag(key, item)?,
                "no_privileges" => dump.no_privileges = self.flag(key, item)?,
                "lock_timeout_seconds" => dump.lock_timeout_seconds = Some(self.number(key, item, 86_400)?),
                "jobs" => dump.jobs = Some(self.number(key, item, MOST_JOBS)?),
                "globals" => dump.globals = self.flag(key, item)?,
                _ => return Err(self.unknown(table, key, DATABASE_KEYS)),
            }
        }
        let source = match (dsn, dsn_env) {
            (Some(dsn), None) => SourceSettings::Dsn(dsn),
            (None, Some(variable)) => SourceSettings::Environment(variable),
            _ => {
                let rule = format!("[database.{name}] needs either `dsn` or `dsn_env`");
                return Err(at_line(self.text, key_span(parent, name), &rule));
            }
        };
        let destination = destination.ok_or_else(|| {
            at_line(self.text, key_span(parent, name), &format!("[database.{name}] needs `destination`"))
        })?;
        Ok(DatabaseSettings { name: id, source, password_file, destination, dump })
    }

    fn text_of(&self, key: &str, item: &Item) -> Result<String> {
        match item.as_str() {
            Some("") => Err(self.wrong(item, &format!("`{key}` is empty"))),
            Some(text) => Ok(text.to_owned()),
            None => Err(self.wrong(item, &format!("`{key}` is to be a text in quotes"))),
        }
    }

    /// A connection string that stands here by mistake is not to be shown later as a name.
    fn variable(&self, key: &str, item: &Item) -> Result<String> {
        crate::arguments::variable_name(&self.text_of(key, item)?)
            .map_err(|rule| self.wrong(item, &format!("`{key}`: {rule}")))
    }

    fn path(&self, key: &str, item: &Item) -> Result<PathBuf> {
        self.text_of(key, item).map(PathBuf::from)
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, key: &str, item: &Item) -> Result<T> {
        let text = self.text_of(key, item)?;
        text.parse().map_err(|error| self.wrong(item, &format!("`{key}`: {error}")))
    }

    fn texts(&self, key: &str, item: &Item) -> Result<Vec<String>> {
        item.as_array()
            .and_then(|array| array.iter().map(|value| Value::as_str(value).map(str::to_owned)).collect())
            .ok_or_else(|| self.wrong(item, &format!("`{key}` is to be a list of texts: [\"…\", \"…\"]")))
    }

    fn number(&self, key: &str, item: &Item, most: u32) -> Result<u32> {
        let number = item.as_integer().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| self.wrong(item, &format!("`{key}` is to be a number from 1 to {most}")))
    }

    fn flag(&self, key: &str, item: &Item) -> Result<bool> {
        item.as_bool().ok_or_else(|| self.wrong(item, &format!("`{key}` is to be true or false")))
    }

    fn unknown(&self, table: &dyn TableLike, key: &str, known: &[&str]) -> Error {
        let message = format!("`{key}` is not known here; known are {}", known.join(", "));
        at_line(self.text, key_span(table, key), &message)
    }

    fn wrong(&self, item: &Item, message: &str) -> Error {
        at_line(self.text, item.span(), message)
    }
}

fn key_span(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    table.key(key).and_then(toml_edit::Key::span)
}

fn at_line(text: &str, span: Option<Range<usize>>, message: &str) -> Error {
    let line = span.and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let message = match line {
        Some(line) => format!("settings file, line {line}: {message}"),
        None => format!("settings file: {message}"),
    };
    Error::new(Code::SettingsInvalid, message)
}

const TOP_KEYS: &[&str] = &["org", "key_file", "client_dirs", "spool_dir", "database"];

const DATABASE_KEYS: &[&str] = &[
    "dsn",
    "dsn_env",
    "password_file",
    "destination",
    "compression",
    "schemas",
    "exclude_schemas",
    "tables",
    "exclude_tables",
    "exclude_table_data",
    "no_owner",
    "no_privileges",
    "lock_timeout_seconds",
    "jobs",
    "globals",
];
