//! `walwarden archive inspect`.

use std::path::Path;

use serde_json::{Value, json};
use walwarden_archive::{Entry, Header, Text, Toc};

use super::{open, refused};
use crate::exit::{DONE, Ending};
use crate::output::Output;

pub(super) fn run(path: &Path, output: Output) -> Ending {
    let (header, toc) = walwarden_archive::read_toc(open(path)?).map_err(|error| refused(path, error))?;
    output.result(told(&header, &toc), &described(&header, &toc))?;
    Ok(DONE)
}

fn told(header: &Header, toc: &Toc) -> String {
    let mut text = format!(
        "archive   {}, {}{}\ndatabase  {}\nserver    {}\npg_dump   {}\nmade      {} (local time of whoever made it)\nentries   {}\n\n",
        header.version(),
        header.compression(),
        if toc.has_offsets() {
            ", with offsets"
        } else {
            ", without offsets: pg_restore reads it from the beginning"
        },
        of(header.database()),
        of(header.server_version()),
        of(header.dump_version()),
        header.created(),
        toc.entries().len(),
    );
    for entry in toc.entries() {
        text.push_str(&format!(
            "{:>6}  {:<9} {:<24} {}{}\n",
            entry.dump_id,
            entry.section.name(),
            of(entry.desc.as_ref()),
            qualified(entry),
            entry
                .owner
                .as_ref()
                .filter(|owner| !owner.is_empty())
                .map(|owner| format!("  ({owner})"))
                .unwrap_or_default()
        ));
    }
    text
}

fn qualified(entry: &Entry) -> String {
    match entry.schema.as_ref().filter(|schema| !schema.is_empty()) {
        Some(schema) => format!("{schema}.{}", of(entry.tag.as_ref())),
        None => of(entry.tag.as_ref()),
    }
}

fn of(text: Option<&Text>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn described(header: &Header, toc: &Toc) -> Value {
    let text = |text: Option<&Text>| text.map(ToString::to_string);
    let entry = |entry: &Entry| {
        json!({
            "dumpId": entry.dump_id,
            "section": entry.section.name(),
            "desc": text(entry.desc.as_ref()),
            "schema": text(entry.schema.as_ref()),
            "name": text(entry.tag.as_ref()),
            "owner": text(entry.owner.as_ref()),
            "hasData": entry.has_block(),
        })
    };
    json!({
        "archiveVersion": header.version().to_string(),
        "compression": header.compression().name(),
        "hasOffsets": toc.has_offsets(),
        "databaseName": text(header.database()),
        "serverVersion": text(header.server_version()),
        "dumpVersion": text(header.dump_version()),
        "madeLocalTime": header.created().to_string(),
        "entries": toc.entries().iter().map(entry).collect::<Vec<_>>(),
    })
}
