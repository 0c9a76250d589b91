use walwarden_verify::index::Rows;

use crate::{Entry, Error, Kind, RowCounter};

/// Measures the uncompressed data of an entry while it passes.
///
/// Rows are counted of `TABLE DATA` in COPY format. Dumps made with `--inserts` hold SQL statements instead: of those,
/// and of large objects, only the size is known.
#[derive(Debug)]
pub struct Measure {
    raw_bytes: u64,
    rows: Option<RowCounter>,
}

/// What an entry's data came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// Rows, of table data in COPY format.
    pub rows: Option<Rows>,
}

impl Measure {
    /// Nothing measured yet of this entry's data.
    pub fn of(entry: &Entry) -> Self {
        let rows = counts_rows(entry).then(RowCounter::new);
        Measure { raw_bytes: 0, rows }
    }

    /// Takes the next bytes of the uncompressed data.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::ErrorKind::Malformed) when rows go on after their end marker.
    pub fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.raw_bytes += data.len() as u64;
        self.rows.as_mut().map_or(Ok(()), |rows| rows.update(data))
    }

    /// What the data came to.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) when rows have no end marker.
    pub fn finish(self) -> Result<Measured, Error> {
        let rows = self.rows.map(RowCounter::finish).transpose()?;
        Ok(Measured { raw_bytes: self.raw_bytes, rows })
    }
}

pub(crate) fn counts_rows(entry: &Entry) -> bool {
    entry.kind() == Kind::TableData && entry.has_copy_lines()
}
