//! `walwarden archive index`, `transcode` and `explode`: whatever they write is new, and whole or not there.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use walwarden_archive::Transcoder;
use walwarden_core::new_file::{failed, folder_of, publish, staged};
use walwarden_core::source::Compression;
use walwarden_core::{Code, Error, Result};

use super::{described, open, refused, summary};
use crate::arguments::{ArchiveExplode, ArchiveIndex, ArchiveTranscode};
use crate::exit::{DONE, Ending};
use crate::output::Output;

pub(super) fn index(arguments: &ArchiveIndex, output: Output) -> Ending {
    let path = &arguments.archive.file;
    let contents = walwarden_archive::index(open(path)?).map_err(|error| refused(path, error))?;
    let (text, data) = (summary(&contents), described(&contents));
    let canonical = contents.into_index(arguments.job).to_canonical();
    let Some(out) = &arguments.out else {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&canonical).and_then(|()| stdout.flush())?;
        return Ok(DONE);
    };
    let mut file = staged(out)?;
    file.write_all(&canonical).map_err(|error| failed(out, error))?;
    publish(file, out)?;
    output.result(text, &json!({ "contents": data, "out": out.display().to_string() }))?;
    Ok(DONE)
}

pub(super) fn transcoded(arguments: &ArchiveTranscode, output: Output) -> Ending {
    let (path, out) = (&arguments.archive.file, &arguments.out);
    let encoding = arguments.compression.parse::<Compression>()?.encoding()?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let transcoder = Transcoder::on_threads(encoding, threads).map_err(|error| refused(path, error))?;
    let mut file = staged(out)?;
    let contents = walwarden_archive::transcode(open(path)?, BufWriter::new(&mut file), transcoder)
        .map_err(|error| refused(path, error))?;
    let size = publish(file, out)?;
    let text = format!("{}\nwritten to {}, {size} bytes", summary(&contents), out.display());
    let data =
        json!({ "contents": described(&contents), "out": out.display().to_string(), "sizeBytes": size });
    output.result(text, &data)?;
    Ok(DONE)
}

pub(super) fn exploded(arguments: &ArchiveExplode, output: Output) -> Ending {
    let (path, out) = (&arguments.archive.file, &arguments.out);
    if out.symlink_metadata().is_ok() {
        let message = format!("the folder exists and is not written to path={}", out.display());
        return Err(Error::new(Code::FileFailed, message).into());
    }
    let staging = tempfile::Builder::new()
        .prefix(".walwarden-explode-")
        .tempdir_in(folder_of(out))
        .map_err(|error| failed(out, error))?;
    let inner = staging.path().join("dump");
    DirBuilder::new().mode(0o700).create(&inner).map_err(|error| failed(out, error))?;
    let files = explode(path, &inner)?;
    // An existing folder that is empty would be taken; one with files is refused.
    fs::rename(&inner, out).map_err(|error| failed(out, error))?;
    let text =
        format!("{files} files in {}\nnext: pg_restore --jobs 4 --dbname … {}", out.display(), out.display());
    output.result(text, &json!({ "files": files, "out": out.display().to_string() }))?;
    Ok(DONE)
}

fn explode(path: &Path, folder: &Path) -> Result<usize> {
    let mut files = 0;
    let create = |name: &str| {
        files += 1;
        let target: PathBuf = folder.join(name);
        File::options().write(true).create_new(true).mode(0o600).open(target).map(BufWriter::new)
    };
    walwarden_archive::explode(open(path)?, create).map(drop).map_err(|error| refused(path, error))?;
    Ok(files)
}
