//! `walwarden archive`: what can be done with any custom-format archive. Works without a home folder.

mod inspect;
mod write;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Value, json};
use walwarden_archive::{Contents, ErrorKind};
use walwarden_core::verify::index::{Entry, Index};
use walwarden_core::{Code, Error, Result};

use crate::arguments::{ArchiveCommand, ArchiveVerify};
use crate::exit::{DONE, Ending};
use crate::output::{Output, bytes};

pub(crate) fn run(command: &ArchiveCommand, output: Output) -> Ending {
    match command {
        ArchiveCommand::Inspect(archive) => inspect::run(&archive.file, output),
        ArchiveCommand::Index(index) => write::index(index, output),
        ArchiveCommand::Verify(verify) => self::verify(verify, output),
        ArchiveCommand::Transcode(transcode) => write::transcoded(transcode, output),
        ArchiveCommand::Explode(explode) => write::exploded(explode, output),
    }
}

fn verify(arguments: &ArchiveVerify, output: Output) -> Ending {
    let path = &arguments.archive.file;
    let Some(known) = &arguments.index else {
        let contents = walwarden_archive::index(open(path)?).map_err(|error| refused(path, error))?;
        let text = format!(
            "{}\npg_restore can read it to its end; give --index to know whether it is the one that was made",
            summary(&contents)
        );
        output.result(text, &json!({ "readable": true, "contents": described(&contents) }))?;
        return Ok(DONE);
    };
    let index = fs::read(known).map_err(|error| unreadable(known, error))?;
    let index = Index::parse(&index).map_err(|error| {
        let message = format!("this is no archive index path={}", known.display());
        Error::new(Code::ArgumentInvalid, message).with_source(error)
    })?;
    let differences = walwarden_archive::verify(open(path)?, &index).map_err(|error| refused(path, error))?;
    let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let tables = index.entries.iter().filter(|entry| entry.is_table_data()).count();
    let verdict = match told.len() {
        0 => format!("every byte is the one that was indexed: {tables} tables"),
        count => format!("{}\n{count} differences", told.join("\n")),
    };
    output.result(verdict, &json!({ "matches": told.is_empty(), "differences": told }))?;
    match told.first() {
        None => Ok(DONE),
        Some(first) => {
            let message = format!("{first} path={} differences={}", path.display(), told.len());
            Err(Error::new(Code::ArchiveMismatch, message).into())
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    Ok(Box::new(file))
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(Code::FileFailed, format!("the file cannot be read path={}", path.display()))
        .with_source(error)
}

fn refused(path: &Path, error: walwarden_archive::Error) -> Error {
    let (code, what) = match error.kind() {
        ErrorKind::Io => (Code::FileFailed, "the file cannot be read or written"),
        ErrorKind::Invalid => (Code::ArgumentInvalid, "this cannot be done with the archive"),
        _ => (Code::ArchiveInvalid, "the archive cannot be read"),
    };
    Error::new(code, format!("{what} path={}", path.display())).with_source(error)
}

fn summary(contents: &Contents) -> String {
    let tables = contents.entries.iter().filter(|entry| entry.is_table_data());
    let rows: u64 = tables.clone().filter_map(rows).sum();
    let raw: u64 = contents.entries.iter().filter_map(|entry| Some(entry.data.as_ref()?.raw_bytes)).sum();
    format!(
        "archive {}, {} entries, {} tables with {rows} rows, {} of data",
        contents.archive_version,
        contents.entries.len(),
        tables.count(),
        bytes(raw)
    )
}

fn rows(entry: &Entry) -> Option<u64> {
    Some(entry.data.as_ref()?.rows?.count)
}

fn described(contents: &Contents) -> Value {
    json!({
        "archiveVersion": contents.archive_version,
        "entries": contents.entries.len(),
        "tables": contents.entries.iter().filter(|entry| entry.is_table_data()).count(),
        "rows": contents.entries.iter().filter_map(rows).sum::<u64>(),
    })
}
