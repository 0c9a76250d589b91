use memchr::memmem;

use crate::Error;
use crate::codec::Output;

/// Passes a table's rows on, and leaves out the end marker and what follows it.
///
/// No row begins with a backslash and a point: COPY writes other letters after a backslash, so that the marker is found
/// without looking at every line.
#[derive(Debug, Default)]
pub(super) struct RowLines(State);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    LineStart,
    InLine,
    /// A line began with a backslash, which was not passed on yet.
    Backslash,
    Ended,
}

impl RowLines {
    /// Takes the next bytes of the data; whether they are well-formed is for others to say.
    pub(super) fn update(&mut self, mut data: &[u8], output: &mut Output<'_>) -> Result<(), Error> {
        while let Some(first) = data.first() {
            self.0 = match self.0 {
                State::LineStart if *first == b'\\' => {
                    data = &data[1..];
                    State::Backslash
                }
                State::LineStart => State::InLine,
                State::Backslash if *first == b'.' => State::Ended,
                State::Backslash => {
                    output(b"\\")?;
                    State::InLine
                }
                State::InLine => {
                    let (lines, rest, state) = until_marker(data);
                    output(lines)?;
                    data = rest;
                    state
                }
                State::Ended => return Ok(()),
            };
        }
        Ok(())
    }
}

/// What can be passed on, what is left, and where in the rows that is.
fn until_marker(data: &[u8]) -> (&[u8], &[u8], State) {
    if let Some(at) = memmem::find(data, b"\n\\.") {
        return (&data[..=at], &data[at + 1..], State::LineStart);
    }
    match data {
        [lines @ .., b'\\'] if lines.ends_with(b"\n") => (lines, &[], State::Backslash),
        [.., b'\n'] => (data, &[], State::LineStart),
        _ => (data, &[], State::InLine),
    }
}
