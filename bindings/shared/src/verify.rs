use std::io::Cursor;
use std::path::PathBuf;

use walwarden_verify::{Report, Trust, Verifier};

use crate::Failure;

/// Where an evidence bundle is.
#[derive(Debug)]
pub enum Bundle {
    /// In a file, which is read as a stream.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

/// Verifies a bundle; `now` is the present (`2026-01-31T12:00:00.000Z`), which the report states: the machine's clock unless given.
///
/// # Errors
/// `argument-invalid` for a text that is not what it was given as, `file-failed` for a bundle that cannot be read. What is wrong
/// with the evidence is in the report.
pub fn verify(bundle: Bundle, trust: &Trust, now: Option<&str>) -> Result<Report, Failure> {
    let verifier = Verifier::try_from(trust).map_err(|error| Failure::argument(error.to_string()))?;
    let now = match now {
        Some(now) => now.parse().map_err(|error| Failure::argument(format!("now: {error}")))?,
        None => walwarden_verifier::now(),
    };
    let verifier = verifier.with_now(now);
    match bundle {
        Bundle::File(path) => {
            let failed =
                |error| Failure::file(format!("bundle cannot be read path={}", path.display()), &error);
            walwarden_verifier::verify_file(&verifier, &path).map_err(failed)
        }
        Bundle::Bytes(bytes) => {
            let failed = |error| Failure::file("bundle cannot be read".to_owned(), &error);
            verifier.verify(Cursor::new(bytes)).map_err(failed)
        }
    }
}
