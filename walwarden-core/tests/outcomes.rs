//! The tables of `spec/outcomes.md` say what the code does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walwarden_core::{Code, Exit, Kind, Retry};

/// The rows of the table under a heading, cells trimmed, without its two header lines.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/outcomes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let start = format!("\n## {heading}\n");
    let (_, section) = page.split_once(&start).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.skip(2).map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

fn retry_word(retry: Retry) -> &'static str {
    match retry {
        Retry::Yes => "yes",
        Retry::No => "no",
        Retry::AfterReading => "after reading",
    }
}

#[test]
fn every_code_has_its_one_row_in_order() {
    let written: Vec<[String; 5]> = table("Codes")
        .into_iter()
        .map(|row| {
            let [code, kind, retry, exit, _meaning, next] = row.try_into().unwrap();
            [code, kind, retry, exit, next]
        })
        .collect();
    let known: Vec<[String; 5]> = Code::ALL
        .iter()
        .map(|code| {
            [
                format!("`{code}`"),
                format!("{:?}", code.kind()),
                retry_word(code.retry()).to_owned(),
                (code.exit() as u8).to_string(),
                code.next_action().to_owned(),
            ]
        })
        .collect();
    // One by one first: the message of a single row can be read.
    for (written, known) in written.iter().zip(&known) {
        assert_eq!(written, known, "the page, then the code");
    }
    assert_eq!(written.len(), known.len(), "rows on the page, then codes");
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), Code::ALL.len(), "no two codes have one text");
}

#[test]
fn every_kind_has_its_answer_to_retry() {
    const KINDS: [Kind; 8] = [
        Kind::Invalid,
        Kind::Unavailable,
        Kind::Conflict,
        Kind::Refused,
        Kind::Damaged,
        Kind::Failed,
        Kind::Cancelled,
        Kind::Internal,
    ];
    let written: Vec<(String, String)> =
        table("Kinds").into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    let known: Vec<(String, String)> = KINDS
        .iter()
        .map(|kind| {
            // A kind's answer is that of any code of it.
            let code = Code::ALL.iter().find(|code| code.kind() == *kind).unwrap();
            (format!("{kind:?}"), retry_word(code.retry()).to_owned())
        })
        .collect();
    assert_eq!(written, known);
}

#[test]
fn the_exit_statuses_are_those_published() {
    let written: Vec<(String, String)> =
        table("Exit codes").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let known = [
        (Exit::Ok, "OK"),
        (Exit::Retryable, "RETRYABLE"),
        (Exit::UserError, "USER_ERROR"),
        (Exit::Terminal, "TERMINAL"),
        (Exit::Cancelled, "CANCELLED"),
    ]
    .map(|(exit, name)| ((exit as u8).to_string(), format!("`{name}`")));
    assert_eq!(written, known);
}

#[test]
fn codes_that_nothing_says_are_marked_as_reserved() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut source = String::new();
    for folder in ["walwarden-core/src", "walwarden-cli/src", "bindings/shared/src"] {
        read_into(&mut source, &root.join(folder));
    }
    for (row, code) in table("Codes").iter().zip(Code::ALL) {
        let name = format!("Code::{code:?}");
        let is_said = source.match_indices(&name).any(|(at, _)| {
            !source[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        });
        assert_eq!(row[4].starts_with("Reserved"), !is_said, "{name}");
    }
}

/// The text of all Rust files but the list of codes itself.
fn read_into(text: &mut String, folder: &Path) {
    let paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in paths {
        if path.is_dir() {
            read_into(text, &path);
        } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("src/error.rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
