//! Part of a chain: some rows in full, and one hash for each stretch of rows that is not shown.

use std::ops::Range;

use crate::canonical;
use crate::form::{Fields, FormError, read_items, read_members};
use crate::json::{Object, Value};
use crate::{Row, Sha256};

/// `disclosure.json`: rows that are shown, and Merkle nodes that stand for the others. Together they give the root that
/// the checkpoint states, so that each row shown has its proven place in the log.
///
/// ```
/// use walwarden_verify::disclosure::{Disclosure, hidden_ranges};
///
/// // Rows 1 and 6 of 8 are shown: rows 2, 3 to 4, 5, and 7 to 8 are hidden, each stretch a whole subtree.
/// assert_eq!(hidden_ranges(8, &[1, 6], None), [1..2, 2..4, 4..5, 6..8]);
/// let empty = Disclosure { size: 0, rows: Vec::new(), hidden: Vec::new() };
/// assert_eq!(Disclosure::parse(&empty.to_canonical()), Ok(empty));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Disclosure {
    /// How many rows the chain had.
    pub size: u64,
    /// The rows shown, in order.
    pub rows: Vec<Row>,
    /// What stands for the others, in order.
    pub hidden: Vec<HiddenNode>,
}

/// A node of the chain's Merkle tree, with rows below it that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenNode {
    /// The first of them.
    pub first_seq: u64,
    /// How many: a power of two.
    pub rows: u64,
    /// The root over them.
    pub hash: Sha256,
}

impl Disclosure {
    /// The canonical bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        let hidden = self.hidden.iter().map(|node| {
            Value::Object(Object::from([
                ("firstSeq", Value::from(node.first_seq)),
                ("rows", node.rows.into()),
                ("hash", node.hash.into()),
            ]))
        });
        canonical::to_vec(&Value::Object(Object::from([
            ("type", Value::from("walwarden.disclosure")),
            ("formatVersion", 1_u64.into()),
            ("size", self.size.into()),
            ("rows", Value::Array(self.rows.iter().map(|row| row.to_object().into()).collect())),
            ("hidden", Value::Array(hidden.collect())),
        ])))
    }

    /// Reads the canonical bytes. Whether rows and nodes fit together is not asked.
    ///
    /// # Errors
    ///
    /// When they are not canonical, or a field is missing, unknown or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let DisclosureText { size, rows, hidden } = DisclosureText::parse(bytes)?;
        let rows = rows.into_iter().map(|row| Row::parse(row.as_bytes())).collect::<Result<_, _>>()?;
        Ok(Disclosure { size, rows, hidden })
    }
}

/// As it was read: rows in form that stay texts, for their values may be fifty times as long.
pub(crate) struct DisclosureText<'a> {
    pub(crate) size: u64,
    rows: Vec<&'a str>,
    pub(crate) hidden: Vec<HiddenNode>,
}

impl<'a> DisclosureText<'a> {
    /// As [`Disclosure::parse`].
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, FormError> {
        let (mut rows, mut hidden) = (Vec::new(), Vec::new());
        let small = read_members(bytes, |scanner, key| match key {
            // A payload nests as it likes.
            "rows" => read_items(scanner, "rows", usize::MAX, |row| {
                Row::parse(row.as_bytes())?;
                rows.push(row);
                Ok(())
            }),
            "hidden" => read_items(scanner, "hidden", 1, |node| {
                hidden.push(read_node(&canonical::parse_object(node.as_bytes())?)?);
                Ok(())
            }),
            _ => Ok(false),
        })?;
        let mut fields = Fields::of(&small);
        fields.document("walwarden.disclosure")?;
        fields.value("rows")?;
        fields.value("hidden")?;
        let size = fields.number("size")?;
        fields.end()?;
        Ok(DisclosureText { size, rows, hidden })
    }

    /// How many rows are shown.
    pub(crate) fn shown(&self) -> usize {
        self.rows.len()
    }

    /// The rows shown, in order, each read when its turn comes.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().filter_map(|row| Row::parse(row.as_bytes()).ok())
    }
}

fn read_node(object: &Object) -> Result<HiddenNode, FormError> {
    let mut fields = Fields::of(object);
    let node = HiddenNode {
        first_seq: fields.number("firstSeq")?,
        rows: fields.number("rows")?,
        hash: fields.parsed("hash")?,
    };
    fields.end()?;
    Ok(node)
}

/// The ranges of leaves (from 0) that stand for all rows but those in `shown`, which are in order: whole subtrees, as
/// few as can be. With `aligned_at` none of them reaches across that size, so that the root over so many first rows is
/// known too.
pub fn hidden_ranges(size: u64, shown: &[u64], aligned_at: Option<u64>) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut shown = shown.iter().filter_map(|seq| seq.checked_sub(1)).peekable();
    let mut at = 0;
    while at < size {
        if shown.next_if_eq(&at).is_some() {
            at += 1;
            continue;
        }
        let mut stop = shown.peek().map_or(size, |next| size.min(*next));
        if let Some(aligned) = aligned_at.filter(|aligned| *aligned > at) {
            stop = stop.min(aligned);
        }
        // The largest subtree that begins here and ends in time.
        let fitting = 1 << (stop - at).ilog2();
        let begins_here = if at == 0 { fitting } else { 1 << at.trailing_zeros() };
        let end = at + fitting.min(begins_here);
        ranges.push(at..end);
        at = end;
    }
    ranges
}

#[cfg(test)]
mod tests;
