/// How much a hostile archive may cost before it is refused.
///
/// Only the table of contents is held in memory, so only it needs limits: data passes in pieces, whatever its size.
/// Memory stays within about six times [`toc_bytes`](Self::toc_bytes), and far below that for archives of `pg_dump`.
///
/// ```
/// use walwarden_archive::{Budget, Reader};
///
/// let mut budget = Budget::default();
/// budget.toc_bytes = 1 << 20;
/// let reader = Reader::with_budget(budget);
/// # drop(reader);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Bytes of header and table of contents together: 256 MiB. A table with its data and keys takes about 1 KiB.
    pub toc_bytes: u64,
    /// Entries of the table of contents: 1,000,000.
    pub entries: usize,
    /// Bytes of one text, for example a function's definition: 64 MiB.
    pub text_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { toc_bytes: 256 << 20, entries: 1_000_000, text_bytes: 64 << 20 }
    }
}
