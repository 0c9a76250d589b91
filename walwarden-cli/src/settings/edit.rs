//! Edits the settings file's text; whatever else stands there stays as it is.

use toml_edit::{Array, DocumentMut, Item, Table, value};
use walwarden_core::verify::DatabaseId;
use walwarden_core::{Code, Error, Result};

use super::{DatabaseSettings, SourceSettings, read};

/// The text with one more database.
///
/// # Errors
/// `database-exists` when the name is taken, `settings-invalid` when the text cannot be understood.
pub(crate) fn added(text: &str, database: &DatabaseSettings) -> Result<String> {
    let mut document = editable(text)?;
    let databases = document
        .entry("database")
        .or_insert_with(|| {
            let mut parent = Table::new();
            parent.set_implicit(true);
            Item::Table(parent)
        })
        .as_table_like_mut()
        .ok_or_else(|| Error::new(Code::SettingsInvalid, "settings file: `database` holds no tables"))?;
    if databases.contains_key(database.name.as_str()) {
        let message = format!("a database of that name is configured already name={}", database.name);
        return Err(Error::new(Code::DatabaseExists, message));
    }
    let mut table = table(database);
    if !text.is_empty() {
        table.decor_mut().set_prefix("\n");
    }
    databases.insert(database.name.as_str(), Item::Table(table));
    Ok(document.to_string())
}

/// The text without that database.
///
/// # Errors
/// `database-unknown` when there is none, `settings-invalid` when the text cannot be understood.
pub(crate) fn removed(text: &str, name: &DatabaseId) -> Result<String> {
    let mut document = editable(text)?;
    document
        .get_mut("database")
        .and_then(Item::as_table_like_mut)
        .and_then(|databases| databases.remove(name.as_str()))
        .ok_or_else(|| {
            Error::new(Code::DatabaseUnknown, format!("no database of that name is configured name={name}"))
        })?;
    Ok(document.to_string())
}

fn editable(text: &str) -> Result<DocumentMut> {
    read::parse(text)?;
    text.parse().map_err(|_| Error::new(Code::SettingsInvalid, "settings file is not TOML"))
}

fn table(database: &DatabaseSettings) -> Table {
    let mut table = Table::new();
    match &database.source {
        SourceSettings::Dsn(dsn) => table["dsn"] = value(dsn.expose()),
        SourceSettings::Environment(variable) => table["dsn_env"] = value(variable),
    }
    if let Some(path) = &database.password_file {
        table["password_file"] = value(path.to_string_lossy().into_owned());
    }
    table["destination"] = value(&database.destination);
    let dump = &database.dump;
    if let Some(compression) = &dump.compression {
        table["compression"] = value(compression);
    }
    if let Some(seconds) = dump.lock_timeout_seconds {
        table["lock_timeout_seconds"] = value(i64::from(seconds));
    }
    if let Some(jobs) = dump.jobs {
        table["jobs"] = value(i64::from(jobs));
    }
    let lists = [
        ("schemas", &dump.schemas),
        ("exclude_schemas", &dump.exclude_schemas),
        ("tables", &dump.tables),
        ("exclude_tables", &dump.exclude_tables),
        ("exclude_table_data", &dump.exclude_table_data),
    ];
    for (key, patterns) in lists.into_iter().filter(|(_, patterns)| !patterns.is_empty()) {
        table[key] = value(patterns.iter().collect::<Array>());
    }
    let flags =
        [("no_owner", dump.no_owner), ("no_privileges", dump.no_privileges), ("globals", dump.globals)];
    for (key, _) in flags.into_iter().filter(|(_, set)| *set) {
        table[key] = value(true);
    }
    table
}
