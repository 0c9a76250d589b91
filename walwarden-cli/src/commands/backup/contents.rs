//! `walwarden backup contents` and `diff`: what the signed index of a backup tells, without the dump and without Postgres.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walwarden_core::Result;
use walwarden_core::restore::BackupContents;
use walwarden_core::verify::Sha256;
use walwarden_core::verify::index::{Block, Index, Rows};

use crate::arguments::{BackupContentsArguments, BackupDiff, BackupPlace};
use crate::exit::{DONE, Ending};
use crate::home::{Home, backup_place, trusted_keys};
use crate::output::{Output, bytes};

pub(super) async fn contents(arguments: &BackupContentsArguments, home: &Home, output: Output) -> Ending {
    let contents = fetch(arguments.manifest, &arguments.place, home).await?;
    output.result(told(&contents), &described(&contents))?;
    Ok(DONE)
}

pub(super) async fn diff(arguments: &BackupDiff, home: &Home, output: Output) -> Ending {
    let before = fetch(arguments.before, &arguments.place, home).await?;
    let after = fetch(arguments.after, &arguments.place, home).await?;
    let changes = changes(&tables(&before.index), &tables(&after.index));
    let mut text: String = changes.iter().map(Change::told).collect();
    let same = tables(&after.index).len() - changes.iter().filter(|change| change.is).count();
    text.push_str(&format!("{} tables changed, {same} the same", changes.len()));
    let data = json!({ "changes": changes.iter().map(Change::described).collect::<Vec<_>>(), "same": same });
    output.result(text, &data)?;
    Ok(DONE)
}

async fn fetch(manifest: Sha256, place: &BackupPlace, home: &Home) -> Result<BackupContents> {
    let trusted = trusted_keys(&place.pubkey, home)?;
    let engine = home.engine().await?;
    let place = backup_place(place.from.as_deref(), manifest, home, &engine).await?;
    let from = home.destination(&place.url).await?;
    engine.restore().contents(from.as_ref(), manifest, &trusted).await
}

/// The tables with their data, by schema and name.
fn tables(index: &Index) -> BTreeMap<(&str, &str), &Block> {
    let entries = index.entries.iter().filter(|entry| entry.is_table_data());
    entries
        .filter_map(|entry| {
            let name = (entry.schema.as_deref().unwrap_or_default(), entry.name.as_str());
            Some((name, entry.data.as_ref()?))
        })
        .collect()
}

fn told(contents: &BackupContents) -> String {
    let body = contents.manifest.body();
    let mut text = format!(
        "backup    {} of {}, Postgres {}, {} ({})\nsigned by {}\n\n",
        body.finished_at,
        body.database_name,
        body.server_version,
        bytes(body.size_bytes),
        body.compression.text(),
        body.signer
    );
    for ((schema, name), block) in tables(&contents.index) {
        let rows = block.rows.map_or_else(|| "?".to_owned(), |rows| rows.count.to_string());
        text.push_str(&format!(
            "{rows:>12} rows  {:>10}  {:>10} stored  {schema}.{name}\n",
            bytes(block.raw_bytes),
            bytes(block.length)
        ));
    }
    let others = contents.index.entries.iter().filter(|entry| !entry.is_table_data()).count();
    text.push_str(&format!("and {others} other entries: definitions, sequences, large objects"));
    text
}

fn described(contents: &BackupContents) -> Value {
    let body = contents.manifest.body();
    let table = |((schema, name), block): ((&str, &str), &Block)| {
        json!({
            "schema": schema,
            "name": name,
            "rows": block.rows.map(|rows| rows.count),
            "rowsDigest": block.rows.map(|rows| rows.digest.to_string()),
            "rawBytes": block.raw_bytes,
            "storedBytes": block.length,
        })
    };
    json!({
        "manifestSha256": contents.manifest.hash().to_string(),
        "databaseId": body.database_id.as_str(),
        "finishedAt": body.finished_at.to_string(),
        "contentRoot": body.content_root.map(|root| root.to_string()),
        "tables": tables(&contents.index).into_iter().map(table).collect::<Vec<_>>(),
    })
}

/// A table that is not the same in both backups.
struct Change {
    name: String,
    before: Option<Rows>,
    after: Option<Rows>,
    /// Whether it was there at all.
    was: bool,
    is: bool,
}

fn changes(before: &BTreeMap<(&str, &str), &Block>, after: &BTreeMap<(&str, &str), &Block>) -> Vec<Change> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |name: &(&str, &str)| {
        let (was, is) = (before.get(name), after.get(name));
        let rows = |block: Option<&&Block>| block.and_then(|block| block.rows);
        let same = was.is_some() && is.is_some() && rows(was).is_some() && rows(was) == rows(is);
        let (schema, table) = name;
        let name = format!("{schema}.{table}");
        let (was, is, before, after) = (was.is_some(), is.is_some(), rows(was), rows(is));
        (!same).then_some(Change { name, before, after, was, is })
    };
    names.into_iter().filter_map(change).collect()
}

impl Change {
    fn kind(&self) -> &'static str {
        match (self.was, self.is) {
            (false, _) => "added",
            (_, false) => "removed",
            _ => "changed",
        }
    }

    fn told(&self) -> String {
        let count = |rows: Option<Rows>| rows.map_or_else(|| "-".to_owned(), |rows| rows.count.to_string());
        format!(
            "{:<8} {:>12} -> {:>12} rows  {}\n",
            self.kind(),
            count(self.before),
            count(self.after),
            self.name
        )
    }

    fn described(&self) -> Value {
        json!({
            "table": self.name,
            "change": self.kind(),
            "rowsBefore": self.before.map(|rows| rows.count),
            "rowsAfter": self.after.map(|rows| rows.count),
        })
    }
}
