//! Counts what was checked: the demo claims nothing else.

use std::fmt::Display;
use std::io;

use serde_json::json;
use walwarden_core::Exit;

use crate::exit::{self, DONE, Ending};
use crate::output::Output;

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    AsExpected,
    /// It could not be made, for this reason.
    NotChecked(String),
    /// It went otherwise.
    Unexpected(String),
}

impl Outcome {
    /// As expected if `holds`, and otherwise what `what` says.
    pub(super) fn of(holds: bool, what: impl FnOnce() -> String) -> Self {
        if holds { Outcome::AsExpected } else { Outcome::Unexpected(what()) }
    }
}

/// Prints steps and checks, and remembers how they went.
#[derive(Debug)]
pub(super) struct Tally {
    output: Output,
    steps: u32,
    as_expected: u32,
    not_checked: u32,
    unexpected: u32,
}

impl Tally {
    pub(super) fn new(output: Output) -> Self {
        Tally { output, steps: 0, as_expected: 0, not_checked: 0, unexpected: 0 }
    }

    /// Begins a step.
    pub(super) fn step(&mut self, title: &str) -> io::Result<()> {
        self.steps += 1;
        if self.output.is_json() {
            return self.output.record(&json!({ "step": self.steps, "title": title }));
        }
        self.output.line(format_args!("\n{}. {title}", self.steps))
    }

    /// Says something that is no check; only to people.
    pub(super) fn say(&self, text: impl Display) -> io::Result<()> {
        if self.output.is_json() { Ok(()) } else { self.output.line(indented(&text.to_string())) }
    }

    /// Says how a check went.
    pub(super) fn check(&mut self, claim: &str, outcome: &Outcome) -> io::Result<()> {
        let (count, word, detail) = match outcome {
            Outcome::AsExpected => (&mut self.as_expected, "OK", ""),
            Outcome::NotChecked(why) => (&mut self.not_checked, "SKIP", why.as_str()),
            Outcome::Unexpected(what) => (&mut self.unexpected, "FAIL", what.as_str()),
        };
        *count += 1;
        if self.output.is_json() {
            let record = json!({ "step": self.steps, "check": claim, "outcome": word, "detail": detail });
            return self.output.record(&record);
        }
        let separator = if detail.is_empty() { "" } else { ": " };
        self.say(format_args!("{word}: {claim}{separator}{detail}"))
    }

    /// The verdict, and the exit status it deserves.
    pub(super) fn verdict(&self) -> Ending {
        let data = json!({
            "asExpected": self.as_expected, "notChecked": self.not_checked, "unexpected": self.unexpected,
        });
        let mut text = format!("\n{} checks went as expected", self.as_expected);
        if self.not_checked > 0 {
            text.push_str(&format!(", {} could not be made", self.not_checked));
        }
        if self.unexpected > 0 {
            text.push_str(&format!(", {} went OTHERWISE", self.unexpected));
        }
        text.push('.');
        let status = if self.as_expected == 0 { Exit::Terminal as u8 } else { self.status() };
        exit::printed(status, self.output.result(text, &data))
    }

    /// The exit status that the checks made so far deserve.
    pub(super) fn status(&self) -> u8 {
        if self.unexpected > 0 { Exit::Terminal as u8 } else { DONE }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_checked_nothing_does_not_succeed() {
        let mut tally = Tally::new(Output::new(false));
        assert_eq!(tally.verdict().unwrap(), 3);
        tally.check("jq agrees", &Outcome::NotChecked("jq is not installed".to_owned())).unwrap();
        assert_eq!(tally.verdict().unwrap(), 3);
        tally.check("it holds", &Outcome::AsExpected).unwrap();
        assert_eq!(tally.verdict().unwrap(), 0);
    }

    #[test]
    fn one_unexpected_check_decides() {
        let mut tally = Tally::new(Output::new(false));
        tally.check("it holds", &Outcome::AsExpected).unwrap();
        tally.check("that too", &Outcome::of(false, || "no".to_owned())).unwrap();
        assert_eq!(tally.verdict().unwrap(), 3);
    }
}
