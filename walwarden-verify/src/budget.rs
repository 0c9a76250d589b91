/// How much a hostile bundle may cost before it is refused. The defaults are those of `spec/evidence.md`, section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Bytes of the bundle as given: 8 GiB.
    pub input_bytes: u64,
    /// Bytes of the tar that are always allowed: 16 MiB.
    pub output_floor_bytes: u64,
    /// Bytes of the tar for each byte of input above that: 400.
    pub output_ratio: u64,
    /// Files: 200,000.
    pub entries: usize,
    /// Bytes of a path: 255. A ustar name without a prefix cannot be longer than 100.
    pub path_bytes: usize,
    /// Bytes of a manifest, checkpoint, receipt, README or key: 1 MiB. A row of the chain may be as long.
    pub document_bytes: u64,
    /// Bytes of `bundle.json`: 64 MiB; a list of 200,000 files, which are the most, takes less.
    pub statement_bytes: u64,
    /// Bytes of `disclosure.json`: 16 MiB; some 40,000 rows.
    pub disclosure_bytes: u64,
    /// Bytes of an archive index: 256 MiB.
    pub index_bytes: u64,
    /// Jobs of a chain, whose states are held, 25 to 110 bytes each: 2,000,000.
    pub jobs: usize,
    /// Checks told of each reason that ended alike; more are counted only: 1,000.
    pub findings_told: usize,
    /// Hashes of rows held in memory, 40 bytes each, of which each manifest names one; with more the chain is read
    /// again: 500,000.
    pub row_hashes: usize,
    /// Bytes of documents held in memory; with more the bundle is read twice: 24 MiB.
    pub retained_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            input_bytes: 8 << 30,
            output_floor_bytes: 16 << 20,
            output_ratio: 400,
            entries: 200_000,
            path_bytes: 255,
            document_bytes: 1 << 20,
            statement_bytes: 64 << 20,
            disclosure_bytes: 16 << 20,
            index_bytes: 256 << 20,
            jobs: 2_000_000,
            findings_told: 1000,
            row_hashes: 500_000,
            retained_bytes: 24 << 20,
        }
    }
}

impl Budget {
    /// Bytes of tar allowed for so many bytes of input.
    pub(crate) fn output_bytes(&self, input_bytes: u64) -> u64 {
        self.output_floor_bytes.max(input_bytes.saturating_mul(self.output_ratio))
    }
}
