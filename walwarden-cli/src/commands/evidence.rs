//! `walwarden evidence`.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use walwarden_core::export::{ExportRequest, Exported, Missing};
use walwarden_core::{Code, Error, Result};

use crate::arguments::{EvidenceCommand, EvidenceExport};
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::{Output, bytes};

pub(crate) async fn run(command: EvidenceCommand, home: &Home, output: Output) -> Ending {
    let EvidenceCommand::Export(export) = command;
    let staged = staged(&export.out)?;
    let request = request(&export, home).await?;
    let engine = home.signing_engine().await?;
    let (staged, exported) =
        engine.evidence().export(&request, staged).await.map_err(|error| advised(error, &export))?;
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
    output.result(told(&export, size_bytes, &exported), &data)?;
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
    let gaps = match exported.missing.len() {
        0 => String::new(),
        count => format!("missing   {count} objects that the chain announces; the verifier will say so\n"),
    };
    format!(
        "bundle    {path} ({})\nholds     {} rows, {} manifests, {} dumps\n{gaps}head      {}\nnext: walwarden-verify --bundle {path} --pubkey PUBLIC_KEY",
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

/// A file beside the wanted one, which gets its name only when it is complete. For its owner only: it may hold dumps.
fn staged(path: &Path) -> Result<NamedTempFile> {
    if path.is_dir() {
        let message = format!("this is a folder; name the file to write path={}", path.display());
        return Err(Error::new(Code::FileFailed, message));
    }
    if path.exists() {
        let message = format!(
            "a file of that name exists and is not overwritten; name another path={}",
            path.display()
        );
        return Err(Error::new(Code::FileFailed, message));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".walwarden-")
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(|error| failed(path, error))
}

/// Gives the file its name, unless another came there meanwhile. Returns its size in bytes.
fn publish(staged: NamedTempFile, path: &Path) -> Result<u64> {
    staged.as_file().sync_all().map_err(|error| failed(path, error))?;
    let file = staged.persist_noclobber(path).map_err(|error| failed(path, error.error))?;
    Ok(file.metadata().map_err(|error| failed(path, error))?.len())
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Code::FileFailed, format!("bundle cannot be written path={}", path.display()))
        .with_source(error)
}
