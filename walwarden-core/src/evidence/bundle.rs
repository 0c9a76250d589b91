//! Writes the container of an evidence bundle: a deterministic gzipped tar.

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::error::{Code, Error, Result};

/// Writes the files of a bundle one after the other.
pub struct BundleWriter<W: Write> {
    tar: GzEncoder<W>,
    /// Bytes the file being written still lacks, and the padding that follows it.
    open: Option<(u64, u64)>,
}

impl<W: Write> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter").field("open", &self.open).finish_non_exhaustive()
    }
}

impl<W: Write> BundleWriter<W> {
    /// Starts a bundle.
    pub fn new(out: W) -> Self {
        BundleWriter { tar: GzBuilder::new().mtime(0).write(out, Compression::default()), open: None }
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
        self.tar.write_all(header.as_bytes()).map_err(failed)?;
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
        self.tar.write_all(chunk).map_err(failed)
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
        self.tar.write_all(&[0; 512][..padding as usize]).map_err(failed)
    }

    /// Ends the bundle and returns the output.
    ///
    /// # Errors
    /// `file-failed` when the output cannot be written.
    pub fn finish(mut self) -> Result<W> {
        self.tar.write_all(&[0; 1024]).map_err(failed)?;
        self.tar.finish().map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Code::FileFailed, "the bundle cannot be written").with_source(error)
}

fn wrong_size() -> Error {
    Error::new(Code::ArtifactMismatch, "a file for the bundle is not as long as announced")
}
