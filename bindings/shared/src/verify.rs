use std::io::{self, Cursor, Read, Seek, SeekFrom};
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
/// It ends at the next read once `cancelled` says so.
///
/// # Errors
/// `argument-invalid` for a text that is not what it was given as, `file-failed` for a bundle that cannot be read, `cancelled`. What
/// is wrong with the evidence is in the report.
pub fn verify(
    bundle: Bundle,
    trust: &Trust,
    now: Option<&str>,
    cancelled: impl Fn() -> bool,
) -> Result<Report, Failure> {
    let verifier = Verifier::try_from(trust).map_err(|error| Failure::argument(error.to_string()))?;
    let now = match now {
        Some(now) => now.parse().map_err(|error| Failure::argument(format!("now: {error}")))?,
        None => walwarden_verifier::now(),
    };
    let verifier = verifier.with_now(now);
    let (name, verified) = match bundle {
        Bundle::File(path) => {
            let opened = walwarden_verifier::open(&path);
            let verified =
                opened.and_then(|file| verifier.verify(Cancellable { inner: file, cancelled: &cancelled }));
            (format!("bundle cannot be read path={}", path.display()), verified)
        }
        Bundle::Bytes(bytes) => {
            let verified = verifier.verify(Cancellable { inner: Cursor::new(bytes), cancelled: &cancelled });
            ("bundle cannot be read".to_owned(), verified)
        }
    };
    verified.map_err(|error| match cancelled() {
        true => Failure::cancelled(),
        false => Failure::file(name, &error),
    })
}

/// What fails to be read once this is asked for.
struct Cancellable<R, C> {
    inner: R,
    cancelled: C,
}

impl<R: Read, C: Fn() -> bool> Read for Cancellable<R, C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.cancelled)() {
            return Err(io::Error::other("cancelled"));
        }
        self.inner.read(buffer)
    }
}

impl<R: Seek, C> Seek for Cancellable<R, C> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_verification_stops_wherever_it_is_when_it_is_cancelled() {
        const BUNDLE: &[u8] = include_bytes!("../../../spec/vectors/good/artifact-included.evidence.tgz");
        const KEY: &str = include_str!("../../../spec/vectors/keys/alpha.pub.pem");
        let trust = Trust { public_keys: vec![KEY.to_owned()], ..Trust::default() };
        let reads = Cell::new(0);
        let within = |limit| {
            reads.set(0);
            verify(Bundle::Bytes(BUNDLE.to_vec()), &trust, None, || reads.replace(reads.get() + 1) >= limit)
        };
        assert!(within(u64::MAX).is_ok());
        let all = reads.get();
        assert!(all > 1);
        for limit in 0..all {
            assert_eq!(within(limit).unwrap_err(), Failure::cancelled(), "after {limit} reads");
        }
    }
}
