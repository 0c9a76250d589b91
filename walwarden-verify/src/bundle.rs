//! Reads an evidence bundle as a stream: one gzip member, one plain ustar, nothing else. Nothing is ever extracted.

mod path;
mod rows;
mod tar;

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use crate::budget::Budget;
use crate::reason::Reason;

pub(crate) use path::BundlePath;
pub(crate) use rows::{HashedRow, RowStream};
pub(crate) use tar::Entry;

/// Why reading ended before the end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The caller's reader failed.
    Io(io::Error),
    /// The bundle is not one.
    Malformed(Reason, String),
}

impl Fault {
    pub(crate) fn malformed(reason: Reason, detail: impl Into<String>) -> Self {
        Fault::Malformed(reason, detail.into())
    }
}

/// The files of a bundle, one after the other.
pub(crate) struct BundleReader<R: Read> {
    tar: tar::TarReader<Unzipped<R>>,
    entries_left: usize,
    path_bytes: usize,
}

impl<R: Read> BundleReader<R> {
    /// Reads `input`, which is `input_bytes` long.
    pub(crate) fn new(input: R, input_bytes: u64, budget: &Budget) -> Result<Self, Fault> {
        if input_bytes > budget.input_bytes {
            return Err(Fault::malformed(Reason::BundleLimit, format!("the bundle has {input_bytes} bytes")));
        }
        let input = BufReader::with_capacity(256 << 10, Remembering { inner: input, error: None });
        let unzipped =
            Unzipped { decoder: GzDecoder::new(input), bytes_left: budget.output_bytes(input_bytes) };
        Ok(BundleReader {
            tar: tar::TarReader::new(unzipped),
            entries_left: budget.entries,
            path_bytes: budget.path_bytes,
        })
    }

    /// The next file; none after the last, once the end of tar, gzip member and input was checked.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, Fault> {
        let Some(entry) = self.tar.next_entry()? else {
            self.tar.source().end()?;
            return Ok(None);
        };
        if entry.path.len() > self.path_bytes {
            return Err(Fault::malformed(Reason::BundleLimit, "a path is too long"));
        }
        self.entries_left = self
            .entries_left
            .checked_sub(1)
            .ok_or_else(|| Fault::malformed(Reason::BundleLimit, "the bundle has too many files"))?;
        Ok(Some(entry))
    }

    /// The next bytes of the current file; 0 at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        self.tar.read(buffer)
    }
}

/// The contents of the gzip member, up to the budget.
struct Unzipped<R> {
    decoder: GzDecoder<BufReader<Remembering<R>>>,
    bytes_left: u64,
}

impl<R: Read> Unzipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let count = self.decoder.read(buffer).map_err(|error| self.fault(&error))?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(count as u64)
            .ok_or_else(|| Fault::malformed(Reason::BundleLimit, "the bundle inflates to too many bytes"))?;
        Ok(count)
    }

    /// After the last byte of the member the input must end.
    fn end(&mut self) -> Result<(), Fault> {
        let rest = self.decoder.get_mut().fill_buf().map(<[u8]>::is_empty);
        match rest {
            Ok(true) => Ok(()),
            Ok(false) => Err(Fault::malformed(Reason::BundleGzip, "something follows the gzip member")),
            Err(error) => Err(self.fault(&error)),
        }
    }

    fn fault(&mut self, error: &io::Error) -> Fault {
        match self.decoder.get_mut().get_mut().error.take() {
            Some(error) => Fault::Io(error),
            None => Fault::malformed(Reason::BundleGzip, format!("the gzip member is damaged: {error}")),
        }
    }
}

impl<R: Read> tar::Source for Unzipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        Unzipped::read(self, buffer)
    }
}

/// Keeps the caller's errors apart from the decoder's.
struct Remembering<R> {
    inner: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for Remembering<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.error = Some(error);
                    return Err(kind.into());
                }
                count => return count,
            }
        }
    }
}

#[cfg(test)]
mod tests;
