//! What can go wrong with an archive, and where.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why an archive cannot be read or written, and at which byte of it.
///
/// ```
/// use walwarden_archive::{ErrorKind, Reader};
///
/// let mut reader = Reader::new();
/// let error = reader.read(&mut &b"SELECT 1;"[..]).expect_err("this is no archive");
/// assert_eq!(error.kind(), ErrorKind::Malformed);
/// assert_eq!(error.offset(), Some(0));
/// assert_eq!(error.to_string(), "malformed: this is no custom-format archive: it does not begin with PGDMP, offset=0");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    offset: Option<u64>,
    detail: Cow<'static, str>,
    source: Option<io::Error>,
}

/// What sort of problem, named after what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes break the format or contradict each other. They were damaged or never were an archive.
    Malformed,
    /// The archive ends before it is complete.
    Truncated,
    /// A sound archive, perhaps, of a version or with a codec that is not supported here.
    Unsupported,
    /// A limit was reached; raise it if the archive is trusted.
    OverLimit,
    /// The call is wrong: it does not fit the archive or the calls before it.
    Invalid,
    /// Reading or writing the bytes failed; the cause is the error's source.
    Io,
}

impl Error {
    /// What sort of problem.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The byte of the archive, counted from its beginning, where the problem was noticed, if it has a place.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Malformed, detail)
    }

    pub(crate) fn truncated(detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Truncated, detail)
    }

    pub(crate) fn unsupported(detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Unsupported, detail)
    }

    pub(crate) fn over_limit(detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::OverLimit, detail)
    }

    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Invalid, detail)
    }

    /// The same error at this byte of the archive, unless it already names one.
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset.get_or_insert(offset);
        self
    }

    fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Error { kind, offset: None, detail: detail.into(), source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ErrorKind::Malformed => "malformed",
            ErrorKind::Truncated => "truncated",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::OverLimit => "over a limit",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Io => "input or output failed",
        };
        write!(f, "{kind}: {}", self.detail)?;
        self.offset.map_or(Ok(()), |offset| write!(f, ", offset={offset}"))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// So that the functions that take bytes from us can use `?` on their own input and output.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        let detail = source.kind().to_string();
        Error { source: Some(source), ..Error::new(ErrorKind::Io, detail) }
    }
}
