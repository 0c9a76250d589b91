//! `walwarden restore`.

use std::io;

use serde_json::{Value, json};
use walwarden_core::engine::Engine;
use walwarden_core::restore::{
    CheckedTable, Mode, RestorePlan, RestoreRequest, RestoreSession as _, Scope, Spooling,
};
use walwarden_core::secret::Secret;
use walwarden_core::watch::Cancel;
use walwarden_core::{Code, Error, Result};

use crate::arguments::RestoreArguments;
use crate::exit::{DONE, Ending};
use crate::home::{Home, backup_place, trusted_keys};
use crate::output::{JobWatch, Output, bytes, password};
use crate::signals::unless_signalled;

pub(crate) async fn run(arguments: RestoreArguments, home: &Home, output: Output, cancel: &Cancel) -> Ending {
    let plan_only = arguments.plan;
    let (engine, mut request) = unless_signalled(cancel, request(arguments, home, output)).await?;
    request.cancel = cancel.clone();

    let plan = unless_signalled(cancel, plan(&engine, request, output)).await?;
    if plan_only {
        output.result(told(&plan), &json!({ "plan": described(&plan) }))?;
        return Ok(DONE);
    }
    if !output.is_json() {
        output.line(told(&plan))?;
    }
    // The text for people has them already.
    if output.is_json() {
        plan.notices().iter().for_each(|notice| output.note(format_args!("note: {notice}")));
    }
    let has_index = plan.manifest().body().index.is_some();
    let has_rows = plan.request().scope != Scope::SchemaOnly;
    let watch = JobWatch::new(output);
    let restored = engine.restore().apply(plan, &watch).await?;
    for notice in &restored.notices {
        output.note(format_args!("note: {notice}"));
    }
    if output.is_json() {
        if let Some(checked) = &restored.checked {
            output.record(&json!({ "checkedTables": checked_tables(checked) }))?;
        }
    } else {
        output.line(format_args!(
            "\nrestored into database {} in {}\n{}",
            restored.database,
            watch.elapsed(),
            compared(restored.checked.as_deref(), has_index, has_rows)
        ))?;
    }
    Ok(DONE)
}

/// What was done about the rows.
fn compared(checked: Option<&[CheckedTable]>, has_index: bool, has_rows: bool) -> String {
    let Some(tables) = checked else {
        return match has_index {
            _ if !has_rows => "definitions only: no rows were restored".to_owned(),
            true => "the restored tables were not compared with the backup's index".to_owned(),
            false => "the restored tables were not compared: this backup has no index".to_owned(),
        };
    };
    let rows: u64 = tables.iter().map(|table| table.actual_rows).sum();
    let what = match tables.iter().any(|table| table.actual_digest.is_some()) {
        true => "rows and their digest",
        false => "number of rows",
    };
    format!("{} tables, {rows} rows: the {what} of each agree with the backup's index", tables.len())
}

fn checked_tables(tables: &[CheckedTable]) -> Value {
    let table = |table: &CheckedTable| {
        json!({
            "schema": table.table.schema,
            "name": table.table.name,
            "expectedRows": table.expected_rows,
            "actualRows": table.actual_rows,
            "expectedDigest": table.expected_digest.map(|digest| digest.to_string()),
            "actualDigest": table.actual_digest.map(|digest| digest.to_string()),
        })
    };
    tables.iter().map(table).collect()
}

/// Everything that can be known to be wrong before the target is looked at is refused here.
async fn request(
    arguments: RestoreArguments,
    home: &Home,
    output: Output,
) -> Result<(Engine, RestoreRequest)> {
    let trusted = trusted_keys(&arguments.pubkey, home)?;
    let given = (arguments.target.as_deref(), arguments.target_env.as_deref());
    let target = home.dsn_given("--target", given.0, given.1, output)?;
    let engine = home.engine().await?;
    let place = backup_place(arguments.from.as_deref(), arguments.manifest, home, &engine).await?;
    let from = home.destination(&place.url).await?;
    let clients = home.clients().await;
    let mut request = RestoreRequest::new(arguments.manifest, from, trusted, target, arguments.mode, clients);
    request.from_destination = place.is_configured;
    request.created_database = arguments.created_database;
    // A plan drops nothing.
    request.confirm_destructive = arguments.confirm_destructive || arguments.plan;
    request.no_owner = arguments.no_owner;
    request.no_privileges = arguments.no_privileges;
    request.jobs = arguments.jobs;
    request.check = arguments.check;
    request.scope = match (arguments.schema_only, arguments.data_only) {
        (true, _) => Scope::SchemaOnly,
        (_, true) => Scope::DataOnly,
        _ => Scope::All,
    };
    for table in &arguments.table {
        request.selection = request.selection.with_table(table.schema.as_deref(), &table.name);
    }
    for schema in &arguments.schema {
        request.selection = request.selection.with_schema(schema);
    }
    request.spooling = match (&arguments.spool, arguments.no_spool) {
        (Some(_), _) => Spooling::Always,
        (None, true) => Spooling::Never,
        _ => Spooling::WhereNeeded,
    };
    request.spool_dir = arguments.spool;
    Ok((engine, request))
}

/// Plans; where the target wants a password and a person is there to ask, asks once.
async fn plan(engine: &Engine, request: RestoreRequest, output: Output) -> Result<RestorePlan> {
    let mut again = request.clone();
    match engine.restore().plan(request).await {
        Err(error)
            if error.code() == Code::TargetLoginRefused
                && again.target.password().is_none()
                && output.is_interactive() =>
        {
            let prompt = format!("Password for {}: ", again.target);
            let password = password(prompt).await.map_err(|failure| match failure.kind() {
                io::ErrorKind::Interrupted => Error::new(Code::Cancelled, "stopped at the password prompt"),
                _ => Error::new(
                    Code::TargetLoginRefused,
                    "the target wants a password and none could be asked for",
                )
                .with_source(failure),
            })?;
            again.target = again.target.with_password(Secret::new(password));
            engine.restore().plan(again).await
        }
        planned => planned,
    }
}

fn told(plan: &RestorePlan) -> String {
    let manifest = plan.manifest().body();
    let mut text = format!(
        "backup    {} of {}, Postgres {}, {} ({})\nsigned by {}\ntarget    {}, Postgres {}\ninto      database {} ({})\nrestores  {}\nwith      {} ({})\n",
        manifest.finished_at,
        manifest.database_name,
        manifest.server_version,
        bytes(manifest.size_bytes),
        manifest.compression.text(),
        manifest.signer,
        plan.request().target,
        plan.target_version(),
        plan.database(),
        match plan.request().mode {
            Mode::NewDatabase => "to be created",
            Mode::InPlace if plan.request().scope == Scope::DataOnly => "data is added to its tables",
            Mode::InPlace => "what is restored is dropped first",
        },
        way(plan),
        plan.client().program("pg_restore").display(),
        plan.client().version(),
    );
    if !plan.dropped().is_empty() {
        text.push_str(&format!(
            "holds     {} tables, views and sequences; whatever the dump holds too, also of other kinds, is dropped:\n",
            plan.dropped().len()
        ));
        for name in plan.dropped().iter().take(SHOWN_DROPS) {
            text.push_str(&format!("          {name}\n"));
        }
        if plan.dropped().len() > SHOWN_DROPS {
            text.push_str(&format!(
                "          and {} more (all of them with --plan --json)\n",
                plan.dropped().len() - SHOWN_DROPS
            ));
        }
    }
    for notice in plan.notices() {
        text.push_str(&format!("note: {notice}\n"));
    }
    text
}

/// What is restored, and how it gets there.
fn way(plan: &RestorePlan) -> String {
    let request = plan.request();
    let what = match (request.scope, request.selection.is_everything()) {
        (Scope::All, true) => "everything",
        (Scope::All, false) => "what was selected",
        (Scope::SchemaOnly, true) => "all definitions",
        (Scope::SchemaOnly, false) => "the selected definitions",
        (Scope::DataOnly, true) => "all data",
        (Scope::DataOnly, false) => "the selected data",
    };
    match (request.scope, plan.spools()) {
        (Scope::SchemaOnly, false) => what.to_owned(),
        (_, true) => format!("{what}, from a copy that is verified first"),
        (_, false) => format!("{what}, rows straight from the destination, verified piece by piece"),
    }
}

fn described(plan: &RestorePlan) -> Value {
    let manifest = plan.manifest().body();
    json!({
        "manifestSha256": plan.request().manifest_sha256.to_string(),
        "databaseId": manifest.database_id.as_str(),
        "finishedAt": manifest.finished_at.to_string(),
        "sizeBytes": manifest.size_bytes,
        "serverVersion": manifest.server_version,
        "target": plan.request().target.to_string(),
        "targetVersion": plan.target_version(),
        "database": plan.database(),
        "client": plan.client().program("pg_restore"),
        "clientVersion": plan.client().version(),
        "scope": match plan.request().scope {
            Scope::All => "all",
            Scope::SchemaOnly => "schemaOnly",
            Scope::DataOnly => "dataOnly",
        },
        "selects": !plan.request().selection.is_everything(),
        "spools": plan.spools(),
        "dropped": plan.dropped(),
        "notices": plan.notices(),
    })
}

/// More than a screen of them helps nobody.
const SHOWN_DROPS: usize = 20;

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn what_was_not_compared_is_not_said_to_agree() {
        assert!(compared(Some(&[]), true, true).contains("agree"));
        assert!(!compared(None, true, true).contains("agree"));
        assert!(compared(None, false, true).contains("has no index"));
        assert!(compared(None, true, false).contains("no rows"));
    }
}
