//! `walwarden evidence`.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use walwarden_core::export::{ExportRequest, Exported, Missing, Part};
use walwarden_core::new_file::{failed, publish, staged};
use walwarden_core::{Code, Error, Result};

use crate::arguments::{EvidenceCheckpoint, EvidenceCommand, EvidenceExport};
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::{Output, bytes};

pub(crate) async fn run(command: EvidenceCommand, home: &Home, output: Output) -> Ending {
    match command {
        EvidenceCommand::Export(export) => exported(&export, home, output).await,
        EvidenceCommand::Checkpoint(checkpoint) => checkpointed(&checkpoint, home, output).await,
    }
}

/// What a witness takes: printed, or put into a file.
async fn checkpointed(wanted: &EvidenceCheckpoint, home: &Home, output: Output) -> Ending {
    let draft = wanted.out.as_deref().map(staged).transpose()?;
    let engine = home.signing_engine().await?;
    let request = engine.evidence().checkpoint(&wanted.database, wanted.since).await?;
    let text = request.to_text();
    let origin = request.note.lines().next().unwrap_or_default();
    let data = json!({ "origin": origin, "since": request.old_size, "request": text, "note": request.note });
    match (draft, &wanted.out) {
        (Some(mut draft), Some(path)) => {
            draft.write_all(text.as_bytes()).map_err(|error| failed(path, error))?;
            publish(draft, path)?;
            output.result(format_args!("checkpoint {}\norigin {origin}", path.display()), &data)?;
        }
        _ => output.result(text.trim_end_matches('\n'), &data)?,
    }
    Ok(DONE)
}

async fn exported(export: &EvidenceExport, home: &Home, output: Output) -> Ending {
    let staged = staged(&export.out)?;
    let request = request(export, home).await?;
    let engine = home.signing_engine().await?;
    let (staged, exported) =
        engine.evidence().export(&request, staged).await.map_err(|error| advised(error, export))?;
    let size_bytes = publish(staged, &export.out)?;

    for missing in &exported.missing {
        output.note(format_args!("missing: {}", told_missing(missing)));
    }
    let data = json!({
        "bundle": export.out, "sizeBytes": size_bytes, "rows": exported.rows,
        "manifests": exported.manifests, "artifacts": exported.artifacts,
        "missing": exported.missing.iter().map(described_missing).collect::<Vec<_>>(),
        "head": exported.head.to_string(),
    });
    output.result(told(export, size_bytes, &exported), &data)?;
    Ok(DONE)
}

async fn request(export: &EvidenceExport, home: &Home) -> Result<ExportRequest> {
    let configured;
    let mut urls = export.from.iter();
    let first = match urls.next() {
        Some(url) => url,
        None => {
            configured = home.database(&export.database).map_err(|error| {
                error.with_message(|message| format!("{message}; say where its backups lie with --from"))
            })?;
            &configured.destination
        }
    };
    let mut request = ExportRequest::new(export.database.clone(), home.destination(first).await?);
    for url in urls {
        request = request.and_from(home.destination(url).await?);
    }
    request.artifacts = export.with_artifacts;
    request.allow_missing = export.allow_missing;
    if !export.job.is_empty() || export.from_time.is_some() || export.to_time.is_some() {
        let mut part = Part::default();
        part.jobs.extend(export.job.iter().copied());
        (part.from, part.to, part.aligned_at) = (export.from_time, export.to_time, export.since);
        request.part = Some(part);
    } else if export.since.is_some() {
        let message = "--since concerns a part of the chain: give --job, --from-time or --to-time too";
        return Err(Error::new(Code::ArgumentInvalid, message));
    }
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| {
            let message = format!("file cannot be read path={}", path.display());
            Error::new(Code::FileFailed, message).with_source(error)
        })
    };
    request.checkpoint = export.checkpoint.as_ref().map(read).transpose()?;
    request.timestamp = export.timestamp.as_ref().map(read).transpose()?;
    Ok(request)
}

/// Says what helps where something is gone.
fn advised(error: Error, export: &EvidenceExport) -> Error {
    if error.code() == Code::ArtifactMismatch {
        return error
            .with_message(|message| format!("{message}; without --with-artifacts a bundle can be made"));
    }
    let gone = matches!(error.code(), Code::ObjectMissing | Code::ManifestInvalid);
    if !gone || export.allow_missing {
        return error;
    }
    error.with_message(|message| {
        format!(
            "{message}; name every destination that this database had with --from, or make a bundle with gaps with \
             --allow-missing"
        )
    })
}

fn told(export: &EvidenceExport, size_bytes: u64, exported: &Exported) -> String {
    let path = export.out.display();
    let in_part = !export.job.is_empty() || export.from_time.is_some() || export.to_time.is_some();
    let level = if in_part { " --level 1" } else { "" };
    let gaps = match exported.missing.len() {
        0 => String::new(),
        count => format!("missing   {count} objects that the chain announces; the verifier will say so\n"),
    };
    format!(
        "bundle    {path} ({})\nholds     {} rows, {} manifests, {} dumps\n{gaps}head      {}\nnext: walwarden-verify --bundle {path} --pubkey PUBLIC_KEY{level}",
        bytes(size_bytes),
        exported.rows,
        exported.manifests,
        exported.artifacts,
        exported.head,
    )
}

fn told_missing(missing: &Missing) -> String {
    format!("{} [{}]", missing.name, missing.why)
}

fn described_missing(missing: &Missing) -> Value {
    json!({ "name": missing.name.as_str(), "why": missing.why.text() })
}
