use crate::event::RowText;
use crate::form::FormError;

/// The rows of `audit_events.json`, read from pieces of it; only a few rows are ever held.
#[derive(Debug)]
pub(crate) struct RowStream {
    text: String,
    // How much of the text was consumed.
    start: usize,
    // The beginning of a character whose rest is still to come.
    tail: Vec<u8>,
    max_row: usize,
    place: Place,
}

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
        RowStream { text: String::new(), start: 0, tail: Vec::new(), max_row, place: Place::Start }
    }

    /// Takes the next piece and hands each row that is complete to `each`.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(&RowText<'_>),
    ) -> Result<(), FormError> {
        self.extend(piece)?;
        // With a whole longest row in the text, an error is never due to missing bytes.
        while self.text.len() - self.start > self.max_row && self.place != Place::End {
            self.step(each)?;
        }
        Ok(())
    }

    /// Hands over the remaining rows; the array must end where the text does.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(&RowText<'_>)) -> Result<(), FormError> {
        while self.place != Place::End {
            self.step(each)?;
        }
        if self.start == self.text.len() && self.tail.is_empty() {
            Ok(())
        } else {
            Err(FormError::new("something follows the array of rows"))
        }
    }

    fn extend(&mut self, piece: &[u8]) -> Result<(), FormError> {
        if self.start >= self.max_row {
            self.text.drain(..self.start);
            self.start = 0;
        }
        self.tail.extend_from_slice(piece);
        let valid = self.tail.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        self.text.push_str(valid);
        let length = valid.len();
        self.tail.drain(..length);
        // A character has at most four bytes: three may be waiting for the fourth.
        if self.tail.len() <= 3 { Ok(()) } else { Err(FormError::new("the rows are not UTF-8")) }
    }

    fn step(&mut self, each: &mut impl FnMut(&RowText<'_>)) -> Result<(), FormError> {
        let text = &self.text[self.start..];
        self.place = match (self.place, text.as_bytes().first()) {
            (Place::Start, Some(b'[')) if text.as_bytes().get(1) == Some(&b']') => {
                self.start += 2;
                Place::End
            }
            (Place::Start, Some(b'[')) => {
                self.start += 1;
                Place::BeforeRow
            }
            (Place::AfterRow, Some(b',')) => {
                self.start += 1;
                Place::BeforeRow
            }
            (Place::AfterRow, Some(b']')) => {
                self.start += 1;
                Place::End
            }
            (Place::BeforeRow, _) => {
                let row = RowText::parse_first(text)?;
                let length = row.text.len();
                if length > self.max_row {
                    return Err(FormError::over_limit("a row is too long"));
                }
                each(&row);
                self.start += length;
                Place::AfterRow
            }
            _ => return Err(FormError::new("expected an array of rows without white space")),
        };
        Ok(())
    }
}
