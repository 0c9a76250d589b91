//! Writes the container of an evidence bundle: a deterministic gzipped tar.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use walwarden_verify::Budget;

use crate::error::{Code, Error, Result};

/// Writes the files of a bundle one after the other.
pub struct BundleWriter<W: Write> {
    tar: GzEncoder<Counted<W>>,
    tar_bytes: u64,
    /// Bytes the file being written still lacks, and the padding that follows it.
    open: Option<(u64, u64)>,
}

impl<W: Write> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter").field("open", &self.open).finish_non_exhaustive()
    }
}

impl<W: Write> BundleWriter<W> {
    /// Starts a bundle of documents, which is compressed.
    pub fn new(out: W) -> Self {
        BundleWriter::with_compression(out, Compression::default())
    }

    /// Starts a bundle that holds dumps. It is not compressed: most dumps are already, and one that is not could shrink
    /// so far that verifiers take the bundle for a bomb.
    pub fn uncompressed(out: W) -> Self {
        BundleWriter::with_compression(out, Compression::none())
    }

    fn with_compression(out: W, compression: Compression) -> Self {
        let out = Counted { out, bytes: 0 };
        BundleWriter { tar: GzBuilder::new().mtime(0).write(out, compression), tar_bytes: 0, open: None }
    }

    /// Adds a whole file.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.begin(path, content.len() as u64)?;
        self.write(content)?;
        self.end()
    }

    /// Begins a file of known size.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn begin(&mut self, path: &str, size_bytes: u64) -> Result<()> {
        assert!(self.open.is_none(), "the file before was ended");
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(failed)?;
        header.set_size(size_bytes);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.put(header.as_bytes())?;
        self.open = Some((size_bytes, size_bytes.next_multiple_of(512) - size_bytes));
        Ok(())
    }

    /// Writes the next bytes of the file begun.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written, `artifact-mismatch` when there are more bytes than announced.
    pub fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let (left, _) = self.open.as_mut().expect("a file was begun");
        *left = left.checked_sub(chunk.len() as u64).ok_or_else(wrong_size)?;
        self.put(chunk)
    }

    /// Ends the file begun.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written, `artifact-mismatch` when bytes are missing.
    pub fn end(&mut self) -> Result<()> {
        let (left, padding) = self.open.take().expect("a file was begun");
        if left > 0 {
            return Err(wrong_size());
        }
        self.put(&[0; 512][..padding as usize])
    }

    /// Ends the bundle and returns the output.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written; `argument-invalid` when verifiers would refuse the bundle for its
    /// size, or for being compressed further than they take.
    pub fn finish(mut self) -> Result<W> {
        self.put(&[0; 1024])?;
        let Counted { out, bytes } = self.tar.finish().map_err(failed)?;
        let limits = Budget::default();
        let inflated_limit = limits.output_floor_bytes.max(bytes.saturating_mul(limits.output_ratio));
        if bytes > limits.input_bytes || self.tar_bytes > inflated_limit {
            return Err(Error::new(
                Code::ArgumentInvalid,
                format!("verifiers would refuse the bundle size={bytes} inflated={}", self.tar_bytes),
            ));
        }
        Ok(out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.tar_bytes += bytes.len() as u64;
        self.tar.write_all(bytes).map_err(failed)
    }
}

/// Counts what goes into the output.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.out.write(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Code::FileFailed, "the bundle cannot be written").with_source(error)
}

fn wrong_size() -> Error {
    Error::new(Code::ArtifactMismatch, "a file for the bundle is not as long as announced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_shrinks_too_far_is_not_finished() {
        let zeros = vec![0; 20 << 20];
        let mut bundle = BundleWriter::new(Vec::new());
        bundle.add("backups/x/artifact.dump", &zeros).unwrap();
        assert_eq!(bundle.finish().unwrap_err().code(), Code::ArgumentInvalid);
        let mut bundle = BundleWriter::uncompressed(Vec::new());
        bundle.add("backups/x/artifact.dump", &zeros).unwrap();
        assert!(bundle.finish().unwrap().len() > zeros.len());
    }
}
