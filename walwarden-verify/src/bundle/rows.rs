use std::ops::Range;

use crate::event::{EventKind, RowText};
use crate::form::FormError;
use crate::{ManyHasher, Sha256};

/// The rows of `audit_events.json`, read from pieces of it; only a few rows are ever held.
#[derive(Debug)]
pub(crate) struct RowStream {
    text: String,
    // How much of the text was consumed.
    start: usize,
    // The beginning of a character whose rest is still to come.
    tail: Vec<u8>,
    max_row: usize,
    // The next row was begun to be read, and may be longer than the text so far.
    waits: bool,
    place: Place,
    key_rows: usize,
    completed_rows: usize,
    drilled_rows: usize,
    digester: Digester,
}

/// A row, and the digests of its bytes.
pub(crate) struct HashedRow<'a> {
    pub(crate) row: RowText<'a>,
    /// The hash it must have.
    pub(crate) expected_hash: Sha256,
    /// Its leaf in the chain's Merkle tree.
    pub(crate) leaf: Sha256,
}

/// Digests several rows at a time.
#[derive(Debug)]
struct Digester {
    hasher: ManyHasher,
    data: Vec<u8>,
    messages: Vec<Range<usize>>,
    digests: Vec<Sha256>,
}

/// Each row that rotates or revokes a key is kept with its key and signatures.
const MOST_KEY_ROWS: usize = 10_000;

/// What each backup completed with is kept, and how each drill ended: manifests and receipts are among as many entries.
const MOST_ENDS: usize = 200_000;

/// Rows are read once so much of the text is there, which keeps it in a processor's cache; few are longer.
const AHEAD: usize = 1 << 14;

/// Rows digested at a time: few enough that their bytes stay in a processor's cache.
const ROWS_AT_ONCE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    AfterRow,
    BeforeRow,
    End,
}

impl RowStream {
    /// Refuses rows longer than `max_row` bytes.
    pub(crate) fn new(max_row: usize) -> Self {
        RowStream {
            text: String::new(),
            start: 0,
            tail: Vec::new(),
            max_row,
            waits: false,
            place: Place::Start,
            key_rows: 0,
            completed_rows: 0,
            drilled_rows: 0,
            digester: Digester::new(),
        }
    }

    /// Takes the next piece and hands rows that are complete to `each`, some at a time.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(&[HashedRow<'_>]),
    ) -> Result<(), FormError> {
        self.extend(piece)?;
        while self.place != Place::End {
            let reserve = if self.waits { self.max_row } else { self.max_row.min(AHEAD) };
            if self.text.len() - self.start <= reserve {
                break;
            }
            self.take_rows(reserve, each)?;
        }
        self.check_end()
    }

    /// Hands over the remaining rows; the array must end where the text does.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(&[HashedRow<'_>])) -> Result<(), FormError> {
        while self.place != Place::End {
            self.take_rows(0, each)?;
        }
        self.check_end()
    }

    /// What follows the array is refused at once, and not gathered.
    fn check_end(&self) -> Result<(), FormError> {
        match self.place {
            Place::End if self.start < self.text.len() || !self.tail.is_empty() => {
                Err(FormError::new("something follows the array of rows"))
            }
            _ => Ok(()),
        }
    }

    fn extend(&mut self, piece: &[u8]) -> Result<(), FormError> {
        if self.start >= self.max_row.min(8 * AHEAD) {
            self.text.drain(..self.start);
            self.start = 0;
        }
        if self.tail.is_empty() {
            let (valid, rest) = valid_beginning(piece);
            self.text.push_str(valid);
            self.tail.extend_from_slice(rest);
        } else {
            self.tail.extend_from_slice(piece);
            let (valid, _) = valid_beginning(&self.tail);
            self.text.push_str(valid);
            let length = valid.len();
            self.tail.drain(..length);
        }
        // A character has at most four bytes: three may be waiting for the fourth.
        if self.tail.len() <= 3 { Ok(()) } else { Err(FormError::new("the rows are not UTF-8")) }
    }

    /// Reads rows while more than `reserve` bytes follow, and hands over what was read, also before an error.
    fn take_rows(
        &mut self,
        reserve: usize,
        each: &mut impl FnMut(&[HashedRow<'_>]),
    ) -> Result<(), FormError> {
        let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
        let mut read = Ok(());
        while rows.len() < ROWS_AT_ONCE && self.place != Place::End && read.is_ok() {
            let text = &self.text[self.start..];
            if reserve > 0 && text.len() <= reserve {
                break;
            }
            let next = step(text, self.place, self.max_row);
            // With a whole longest row in the text, or its end, an error is not due to missing bytes.
            self.waits = next.is_err() && reserve > 0 && text.len() <= self.max_row;
            if self.waits {
                break;
            }
            read = next.and_then(|(row, length, place)| {
                match row.as_ref().map(|row| row.kind) {
                    Some(EventKind::KeyRotated | EventKind::KeyRevoked) => self.key_rows += 1,
                    Some(EventKind::BackupCompleted) => self.completed_rows += 1,
                    Some(EventKind::DrillPassed | EventKind::DrillFailed) => self.drilled_rows += 1,
                    _ => {}
                }
                if self.key_rows > MOST_KEY_ROWS {
                    return Err(FormError::over_limit("too many rows rotate or revoke keys"));
                }
                if self.completed_rows > MOST_ENDS {
                    return Err(FormError::over_limit("too many rows complete a backup"));
                }
                if self.drilled_rows > MOST_ENDS {
                    return Err(FormError::over_limit("too many rows end a drill"));
                }
                self.start += length;
                self.place = place;
                rows.extend(row);
                Ok(())
            });
        }
        if !rows.is_empty() {
            each(&self.digester.digest(rows));
        }
        read
    }
}

/// As much as is UTF-8, and the rest.
fn valid_beginning(bytes: &[u8]) -> (&str, &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, &[]),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), rest)
        }
    }
}

/// The next mark or row of the text, its length, and the place after it.
fn step(text: &str, place: Place, max_row: usize) -> Result<(Option<RowText<'_>>, usize, Place), FormError> {
    match (place, text.as_bytes()) {
        (Place::Start, [b'[', b']', ..]) => Ok((None, 2, Place::End)),
        (Place::Start, [b'[', ..]) | (Place::AfterRow, [b',', ..]) => Ok((None, 1, Place::BeforeRow)),
        (Place::AfterRow, [b']', ..]) => Ok((None, 1, Place::End)),
        (Place::BeforeRow, _) => {
            let row = RowText::parse_first(text)?;
            let length = row.text.len();
            if length > max_row {
                return Err(FormError::over_limit("a row is too long"));
            }
            Ok((Some(row), length, Place::AfterRow))
        }
        _ => Err(FormError::new("expected an array of rows without white space")),
    }
}

impl Digester {
    fn new() -> Self {
        Digester { hasher: ManyHasher::new(), data: Vec::new(), messages: Vec::new(), digests: Vec::new() }
    }

    /// First the hashes of all rows, then all leaves: of equal length, they fill the lanes best.
    fn digest<'a>(&mut self, rows: Vec<RowText<'a>>) -> Vec<HashedRow<'a>> {
        self.data.clear();
        self.messages.clear();
        for row in &rows {
            let start = self.data.len();
            row.append_hashed(&mut self.data);
            self.messages.push(start..self.data.len());
        }
        for row in &rows {
            let start = self.data.len();
            self.data.push(LEAF_PREFIX);
            self.data.extend_from_slice(row.text);
            self.messages.push(start..self.data.len());
        }
        self.hasher.digest(&self.data, &self.messages, &mut self.digests);
        let (hashes, leaves) = self.digests.split_at(rows.len());
        let digests = hashes.iter().zip(leaves);
        let rows = rows.into_iter().zip(digests);
        rows.map(|(row, (hash, leaf))| HashedRow { row, expected_hash: *hash, leaf: *leaf }).collect()
    }
}

// RFC 6962, section 2.1.
const LEAF_PREFIX: u8 = 0;
