//! What happened: rows of an audit chain, their kinds and the form of their payloads.

mod kind;
mod payload;
mod row;

pub use kind::{EventKind, Machine, Subject, UnknownKind};
pub use payload::check as check_payload;
pub use row::{Head, Row};

pub(crate) use row::RowText;

#[cfg(test)]
mod tests;
