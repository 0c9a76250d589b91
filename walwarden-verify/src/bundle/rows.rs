use crate::event::RowText;
use crate::form::FormError;

/// The rows of `audit_events.json`, read from pieces of it; only a few rows are ever held.
#[derive(Debug)]
pub(crate) struct RowStream {
    buffer: Vec<u8>,
    // What was consumed of the buffer, and how far it is known to be UTF-8.
    start: usize,
    valid: usize,
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
        RowStream { buffer: Vec::new(), start: 0, valid: 0, max_row, place: Place::Start }
    }

    /// Takes the next piece and hands each row that is complete to `each`.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(&RowText<'_>),
    ) -> Result<(), FormError> {
        self.extend(piece);
        // With a whole longest row in the buffer, an error is never due to missing bytes.
        while self.valid - self.start > self.max_row && self.place != Place::End {
            self.step(each)?;
        }
        Ok(())
    }

    /// Hands over the remaining rows; the array must end where the text does.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(&RowText<'_>)) -> Result<(), FormError> {
        while self.place != Place::End {
            self.step(each)?;
        }
        if self.start == self.buffer.len() {
            Ok(())
        } else {
            Err(FormError::new("something follows the array of rows"))
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        if self.start >= self.max_row {
            self.buffer.drain(..self.start);
            self.valid -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(piece);
        self.valid += match std::str::from_utf8(&self.buffer[self.valid..]) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
    }

    fn step(&mut self, each: &mut impl FnMut(&RowText<'_>)) -> Result<(), FormError> {
        let text = &self.buffer[self.start..self.valid];
        self.place = match (self.place, text.first()) {
            (Place::Start, Some(b'[')) if text.get(1) == Some(&b']') => {
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
                let text = std::str::from_utf8(text).map_err(|_| FormError::new("a row is not UTF-8"))?;
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
