//! `walwarden evidence`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use serde_json::json;
use walwarden_core::export::ExportRequest;
use walwarden_core::{Code, Error, Result};

use crate::arguments::{EvidenceCommand, EvidenceExport};
use crate::exit::{DONE, Ending};
use crate::home::Home;
use crate::output::{Output, bytes};

pub(crate) async fn run(command: EvidenceCommand, home: &Home, output: Output) -> Ending {
    let EvidenceCommand::Export(export) = command;
    let url = match &export.from {
        Some(url) => url,
        None => &home.database(&export.database)?.destination,
    };
    let engine = home.signing_engine().await?;
    let mut request = ExportRequest::new(export.database.clone(), home.destination(url).await?);
    request.artifacts = export.with_artifacts;

    let staged = Staged::create(&export.out)?;
    let (file, exported) = engine.evidence().export(&request, staged.open()?).await?;
    file.sync_all().map_err(|error| failed(&export.out, error))?;
    let size_bytes = file.metadata().map_err(|error| failed(&export.out, error))?.len();
    staged.publish()?;

    let data = json!({
        "bundle": export.out, "sizeBytes": size_bytes, "rows": exported.rows,
        "manifests": exported.manifests, "artifacts": exported.artifacts,
        "head": exported.head.to_string(),
    });
    output.result(told(&export, size_bytes, &exported), &data)?;
    Ok(DONE)
}

fn told(export: &EvidenceExport, size_bytes: u64, exported: &walwarden_core::export::Exported) -> String {
    let path = export.out.display();
    format!(
        "bundle    {path} ({})\nholds     {} rows, {} manifests, {} dumps\nhead      {}\nnext: walwarden-verify --bundle {path} --pubkey PUBLIC_KEY",
        bytes(size_bytes),
        exported.rows,
        exported.manifests,
        exported.artifacts,
        exported.head,
    )
}

/// A file that gets its name only when it is complete.
struct Staged<'a> {
    path: &'a Path,
    staged: std::path::PathBuf,
}

impl<'a> Staged<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        if path.exists() {
            return Err(failed(path, io::Error::from(io::ErrorKind::AlreadyExists)));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        Ok(Staged { path, staged: path.with_file_name(name) })
    }

    fn open(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        // It may hold the dumps.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.staged).map_err(|error| failed(&self.staged, error))
    }

    fn publish(self) -> Result<()> {
        // A link, unlike a rename, never replaces what came there meanwhile.
        fs::hard_link(&self.staged, self.path).map_err(|error| failed(self.path, error))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.staged);
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Code::FileFailed, format!("bundle cannot be written path={}", path.display()))
        .with_source(error)
}
