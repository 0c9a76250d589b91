//! `walwarden database`.

use std::path::PathBuf;

use serde_json::{Value, json};
use walwarden_core::secret::Secret;
use walwarden_core::source::Dsn;
use walwarden_core::storage::Location;
use walwarden_core::verify::DatabaseId;
use walwarden_core::{Code, Error, Result};

use super::check;
use crate::arguments::{DatabaseAdd, DatabaseCommand};
use crate::exit::{DONE, Ending};
use crate::home::{Home, dump_options};
use crate::output::Output;
use crate::settings::{self, DatabaseSettings, DumpSettings, SourceSettings};

pub(crate) async fn run(command: DatabaseCommand, home: &Home, output: Output) -> Ending {
    match command {
        DatabaseCommand::Add(add) => self::add(*add, home, output),
        DatabaseCommand::List => list(home, output),
        DatabaseCommand::Show(database) => show(home.database(&database.name)?, output),
        DatabaseCommand::Check(database) => check::run(home.database(&database.name)?, home, output).await,
        DatabaseCommand::Remove(database) => remove(&database.name, home, output),
    }
}

fn add(add: DatabaseAdd, home: &Home, output: Output) -> Ending {
    let source = match (add.source.dsn, add.source.dsn_env) {
        (Some(dsn), _) => {
            if Dsn::parse(&dsn)?.password().is_some() {
                output.note(
                    "warning: the password now stands in the settings file, and other users of this machine could read \
                     it while it was typed; --dsn-env or --password-file keep it out of both",
                );
            }
            SourceSettings::Dsn(Secret::new(dsn))
        }
        (None, variable) => SourceSettings::Environment(variable.unwrap_or_default()),
    };
    let destination = Location::parse(&add.destination)?.to_string();
    let database = DatabaseSettings {
        name: add.name,
        source,
        password_file: add.password_file.map(absolute).transpose()?,
        destination,
        dump: DumpSettings::from(add.dump),
    };
    dump_options(&database.dump)?;
    home.create()?;
    let path = home.settings_file();
    settings::change(&path, |text| {
        settings::added(&text.unwrap_or_else(|| settings::TEMPLATE.to_owned()), &database)
    })?;
    let name = &database.name;
    output.result(
        format_args!("added {name} to {}\nnext: walwarden database check {name}", path.display()),
        &json!({ "database": name.as_str(), "settingsFile": path }),
    )?;
    Ok(DONE)
}

/// What was typed starts at the working directory, what stands in the settings at the home folder.
fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).map_err(|error| {
        Error::new(Code::FileFailed, format!("password file is no path path={}", path.display()))
            .with_source(error)
    })
}

fn list(home: &Home, output: Output) -> Ending {
    let databases: Vec<Value> = home.databases().iter().map(described).collect();
    let width = home.databases().iter().map(|database| database.name.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for database in home.databases() {
        let (name, source) = (database.name.as_str(), source_text(database));
        text.push_str(&format!("{name:width$}  {source}  ->  {}\n", database.destination));
    }
    if text.is_empty() {
        text.push_str(
            "no database is configured\nnext: walwarden database add NAME --dsn DSN --destination URL",
        );
    }
    output.result(text, &json!({ "databases": databases }))?;
    Ok(DONE)
}

fn show(database: &DatabaseSettings, output: Output) -> Ending {
    let data = described(database);
    let mut text =
        format!("name               {}\nsource             {}\n", database.name, source_text(database));
    if let Some(path) = &database.password_file {
        text.push_str(&format!("password           from file {}\n", path.display()));
    }
    text.push_str(&format!("destination        {}\n", database.destination));
    for (key, value) in data["dump"].as_object().into_iter().flatten() {
        let shown = match value {
            Value::Array(patterns) => {
                patterns.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("  ")
            }
            Value::String(text) => text.clone(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if !shown.is_empty() {
            text.push_str(&format!("{key:<18} {shown}\n"));
        }
    }
    output.result(text, &data)?;
    Ok(DONE)
}

fn remove(name: &DatabaseId, home: &Home, output: Output) -> Ending {
    let path = home.settings_file();
    home.database(name)?;
    settings::change(&path, |text| settings::removed(&text.unwrap_or_default(), name))?;
    output.result(
        format_args!("removed {name} from {}; its backups and its audit chain stay", path.display()),
        &json!({ "database": name.as_str(), "settingsFile": path }),
    )?;
    Ok(DONE)
}

/// The source as it may be shown: without password.
fn source_text(database: &DatabaseSettings) -> String {
    match &database.source {
        SourceSettings::Environment(variable) => format!("from ${variable}"),
        SourceSettings::Dsn(text) => match Dsn::parse(text.expose()) {
            Ok(dsn) => dsn.to_string(),
            Err(_) => "(not understood)".to_owned(),
        },
    }
}

fn described(database: &DatabaseSettings) -> Value {
    let dump = &database.dump;
    json!({
        "name": database.name.as_str(),
        "source": source_text(database),
        "passwordFile": database.password_file,
        "destination": database.destination,
        "dump": {
            "compression": dump.compression,
            "schemas": dump.schemas,
            "excludeSchemas": dump.exclude_schemas,
            "tables": dump.tables,
            "excludeTables": dump.exclude_tables,
            "excludeTableData": dump.exclude_table_data,
            "noOwner": dump.no_owner,
            "noPrivileges": dump.no_privileges,
            "lockTimeoutSeconds": dump.lock_timeout_seconds,
            "jobs": dump.jobs,
            "globals": dump.globals,
        },
    })
}
