//! Which logs and witnesses an auditor knows, and how many of the latter must have seen a checkpoint: a policy file as
//! C2SP tlog-policy has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{LogKey, Vkey};
use crate::key::PublicKey;

/// Logs, witnesses, groups of witnesses, and the quorum among them.
///
/// ```
/// use walwarden_verify::WitnessPolicy;
///
/// let policy = WitnessPolicy::parse(
///     b"# two offices, one vote each\n\
///       witness harbour witness.example/one+53184390+BKPjAxsrBdZWm09/n0iFxNTsCTxBGvBxq9mTr3w+Ai0c\n\
///       group offices any harbour\n\
///       quorum offices\n",
/// ).unwrap();
/// let witness = policy.witnesses().next().unwrap();
/// assert!(policy.is_met_by(&[*witness.key()]));
/// assert!(!policy.is_met_by(&[]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessPolicy {
    logs: Vec<LogKey>,
    // A group's members stand before it.
    nodes: Vec<Node>,
    quorum: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Witness(Vkey),
    Group { threshold: usize, members: Vec<usize> },
}

impl WitnessPolicy {
    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// When a line has another form, a name or a key is defined twice, a name is used before it is defined or as a
    /// member twice, there is not exactly one quorum, or the file has more than 1 MiB or 1,000 definitions.
    pub fn parse(text: &[u8]) -> Result<Self, WitnessPolicyError> {
        if text.len() > MAX_BYTES {
            return Err(WitnessPolicyError::of(0, "the file is too long"));
        }
        let lines = text.strip_suffix(b"\n").unwrap_or(text);
        let mut draft = Draft::default();
        for (at, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            draft.line(line).map_err(|what| WitnessPolicyError::of(at + 1, what))?;
        }
        let quorum = draft.quorum.ok_or(WitnessPolicyError::of(0, "there is no quorum line"))?;
        Ok(WitnessPolicy { logs: draft.logs, nodes: draft.nodes, quorum })
    }

    /// The logs known.
    pub fn logs(&self) -> &[LogKey] {
        &self.logs
    }

    /// The witnesses known.
    pub fn witnesses(&self) -> impl Iterator<Item = &Vkey> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Witness(witness) => Some(witness),
            Node::Group { .. } => None,
        })
    }

    /// Whether the policy asks for witnesses at all: `quorum none` does not.
    pub const fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether cosignatures by these keys make the quorum.
    pub fn is_met_by(&self, cosigners: &[PublicKey]) -> bool {
        let mut met: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            met.push(match node {
                Node::Witness(witness) => cosigners.contains(witness.key()),
                Node::Group { threshold, members } => {
                    members.iter().filter(|member| met[**member]).count() >= *threshold
                }
            });
        }
        self.quorum.is_none_or(|quorum| met[quorum])
    }
}

impl FromStr for WitnessPolicy {
    type Err = WitnessPolicyError;

    fn from_str(text: &str) -> Result<Self, WitnessPolicyError> {
        WitnessPolicy::parse(text.as_bytes())
    }
}

/// What the lines so far say.
#[derive(Default)]
struct Draft<'a> {
    logs: Vec<LogKey>,
    nodes: Vec<Node>,
    names: BTreeMap<&'a [u8], usize>,
    members: BTreeSet<usize>,
    quorum: Option<Option<usize>>,
}

impl<'a> Draft<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), &'static str> {
        if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
            return Err("a control character stands in the line");
        }
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        let Some(first) = words.next().filter(|word| !word.starts_with(b"#")) else { return Ok(()) };
        let words: Vec<&[u8]> = words.collect();
        match (first, words.as_slice()) {
            (b"log", [vkey] | [vkey, _]) => self.log(vkey),
            (b"witness", [name, vkey] | [name, vkey, _]) => self.witness(name, vkey),
            (b"group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            (b"quorum", [name]) => self.set_quorum(name),
            (b"log" | b"witness" | b"group" | b"quorum", _) => Err("the line has too few or too many words"),
            _ => Err("a line begins with log, witness, group, quorum or #"),
        }
    }

    fn log(&mut self, vkey: &[u8]) -> Result<(), &'static str> {
        let log: LogKey = parsed(vkey).ok_or("this is no vkey of a log")?;
        if self.logs.iter().any(|other| other.key() == log.key()) {
            return Err("a log with this key is defined above");
        }
        if self.logs.len() == MAX_DEFINITIONS {
            return Err("there are too many logs");
        }
        self.logs.push(log);
        Ok(())
    }

    fn witness(&mut self, name: &'a [u8], vkey: &[u8]) -> Result<(), &'static str> {
        let witness: Vkey = parsed(vkey).ok_or("this is no vkey of a witness")?;
        let same = |node: &Node| matches!(node, Node::Witness(other) if other.key() == witness.key());
        if self.nodes.iter().any(same) {
            return Err("a witness with this key is defined above");
        }
        self.define(name, Node::Witness(witness))
    }

    fn group(&mut self, name: &'a [u8], threshold: &[u8], members: &[&'a [u8]]) -> Result<(), &'static str> {
        let mut found = Vec::new();
        for member in members {
            let node = self.named(member)?;
            if !self.members.insert(node) {
                return Err("a name is a member twice");
            }
            found.push(node);
        }
        let threshold = match threshold {
            b"any" => Some(1),
            b"all" => Some(found.len()),
            digits => decimal(digits),
        };
        match threshold {
            Some(threshold) if (1..=found.len()).contains(&threshold) => {
                self.define(name, Node::Group { threshold, members: found })
            }
            _ => Err("a group's threshold is any, all, or a number from 1 to that of its members"),
        }
    }

    fn set_quorum(&mut self, name: &[u8]) -> Result<(), &'static str> {
        let quorum = if name == NONE { None } else { Some(self.named(name)?) };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err("there is a quorum line above"),
        }
    }

    fn define(&mut self, name: &'a [u8], node: Node) -> Result<(), &'static str> {
        if name == NONE {
            return Err("the name none has a meaning of its own");
        }
        if self.nodes.len() == MAX_DEFINITIONS {
            return Err("there are too many witnesses and groups");
        }
        match self.names.insert(name, self.nodes.len()) {
            None => self.nodes.push(node),
            Some(_) => return Err("this name is defined above"),
        }
        Ok(())
    }

    fn named(&self, name: &[u8]) -> Result<usize, &'static str> {
        self.names.get(name).copied().ok_or("this name is not defined above")
    }
}

fn parsed<T: FromStr>(vkey: &[u8]) -> Option<T> {
    std::str::from_utf8(vkey).ok()?.parse().ok()
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

const NONE: &[u8] = b"none";
const MAX_BYTES: usize = 1 << 20;
const MAX_DEFINITIONS: usize = 1000;

/// The text is not a witness policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessPolicyError {
    line: usize,
    what: &'static str,
}

impl WitnessPolicyError {
    const fn of(line: usize, what: &'static str) -> Self {
        WitnessPolicyError { line, what }
    }
}

impl fmt::Display for WitnessPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

impl std::error::Error for WitnessPolicyError {}

#[cfg(test)]
mod tests;
