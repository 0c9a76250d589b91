use std::io::Cursor;
use std::path::PathBuf;

use walwarden_verify::{Report, Timestamp, Trust, Verifier};

use crate::Failure;

/// Where an evidence bundle is.
#[derive(Debug)]
pub enum Bundle {
    /// In a file, which is read as a stream.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

/// Verifies a bundle; `at` is the present (`2026-01-31T12:00:00.000Z`), which the report states.
///
/// # Errors
/// `argument-invalid` for a text that is not what it was given as, `file-failed` for a bundle that cannot be read. What is wrong
/// with the evidence is in the report.
pub fn verify(bundle: Bundle, trust: &Trust, at: Option<&str>) -> Result<Report, Failure> {
    let mut verifier = Verifier::try_from(trust).map_err(|error| Failure::argument(error.to_string()))?;
    if let Some(at) = at {
        let at = at.parse().map_err(|error| Failure::argument(format!("now: {error}")))?;
        verifier = verifier.with_now(at);
    }
    match bundle {
        Bundle::File(path) => {
            let failed =
                |error| Failure::file(format!("bundle cannot be read path={}", path.display()), &error);
            verifier.verify_file(&path).map_err(failed)
        }
        Bundle::Bytes(bytes) => {
            let failed = |error| Failure::file("bundle cannot be read".to_owned(), &error);
            verifier.verify(Cursor::new(bytes)).map_err(failed)
        }
    }
}

/// The machine's clock, for [`verify`].
pub fn now() -> String {
    #[allow(clippy::disallowed_methods, reason = "a binding is a program: it has the machine's clock")]
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.ok().and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok());
    millis.and_then(Timestamp::from_unix_millis).unwrap_or(Timestamp::MAX).to_string()
}
