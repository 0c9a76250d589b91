//! `walwarden catalog`.

use serde_json::{Value, json};
use walwarden_core::engine::Engine;
use walwarden_core::manifest::ManifestSigner as _;
use walwarden_core::mirror::{RebuildOptions, Rebuilt};
use walwarden_core::{Code, Error};

use crate::arguments::{CatalogCommand, CatalogRebuild};
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::Output;

pub(crate) async fn run(command: CatalogCommand, home: &Home, output: Output) -> Ending {
    let CatalogCommand::Rebuild(arguments) = command;
    rebuild(&arguments, home, output).await
}

async fn rebuild(arguments: &CatalogRebuild, home: &Home, output: Output) -> Ending {
    // Not former keys: what they sign from now on must not count.
    let trusted = match home.key_place().load() {
        Ok((key, None)) => vec![*key.public_key()],
        Ok((key, Some(successor))) => vec![*key.public_key(), *successor.public_key()],
        Err(error) if error.code() == Code::KeyMissing => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let from = home.destination(&arguments.from).await?;
    let engine: Engine = home.engine().await?;
    let mut options = RebuildOptions::new(trusted);
    options.only = arguments.database.clone();
    options.accept_uncovered = arguments.accept_uncovered;
    let rebuilt = engine.rebuild().rebuild(from.as_ref(), &options).await?;
    if rebuilt.is_empty() {
        let wanted = arguments.database.as_ref().map_or("any database", |name| name.as_str());
        let message = format!(
            "nothing to rebuild: the destination holds no audit chain of {wanted}, or the catalogue has it already; a \
             chain that it has is never replaced from={}",
            arguments.from
        );
        return Err(Error::new(Code::ArgumentInvalid, message).into());
    }
    let text: String = rebuilt.iter().map(told).collect();
    let chains: Vec<Value> = rebuilt.iter().map(described).collect();
    output.result(text, &json!({ "chains": chains }))?;
    Ok(DONE)
}

fn name_of(rebuilt: &Rebuilt) -> &str {
    rebuilt.subject.database_id.as_ref().map_or("(organisation)", |id| id.as_str())
}

fn told(rebuilt: &Rebuilt) -> String {
    let trust = match rebuilt.uncovered_rows() {
        0 => "all covered by a checkpoint of your key".to_owned(),
        rest => format!("the last {rest} NOT covered by a checkpoint of your key"),
    };
    let mut text =
        format!("{}: {} rows, {} backups, {trust}\n", name_of(rebuilt), rebuilt.rows, rebuilt.backups);
    for notice in &rebuilt.notices {
        text.push_str(&format!("  note: {notice}\n"));
    }
    text
}

fn described(rebuilt: &Rebuilt) -> Value {
    json!({
        "orgId": rebuilt.subject.org_id.as_str(),
        "databaseId": rebuilt.subject.database_id.as_ref().map(|id| id.as_str()),
        "rows": rebuilt.rows,
        "backups": rebuilt.backups,
        "authenticated": rebuilt.uncovered_rows() == 0,
        "coveredRows": rebuilt.covered_rows,
        "uncoveredRows": rebuilt.uncovered_rows(),
        "notices": rebuilt.notices,
    })
}
