//! The import rule of ARCHITECTURE.md, checked on the source text.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in the order of the picture: each may use those before it.
const ROOMS: &[&str] =
    &["source", "pipeline", "storage", "manifest", "chain", "catalog", "evidence", "witness"];
/// Files every room may use.
const GROUND: &[&str] =
    &["error", "clock", "secret", "verify", "Code", "Error", "Kind", "Result", "Retry", "Exit"];
/// Conductors, and which other conductors each may use.
const CONDUCTORS: &[(&str, &[&str])] = &[
    ("mirror", &[]),
    ("backup", &["mirror"]),
    ("restore", &["mirror"]),
    ("export", &["mirror"]),
    ("keys", &[]),
];

#[test]
fn rooms_use_only_rooms_before_them() {
    for (at, room) in ROOMS.iter().enumerate() {
        let allowed: BTreeSet<&str> = ROOMS[..=at].iter().chain(GROUND).copied().collect();
        assert_uses_only(room, &allowed);
    }
}

#[test]
fn conductors_use_rooms_and_named_conductors_only() {
    for (conductor, others) in CONDUCTORS {
        let allowed: BTreeSet<&str> = ROOMS
            .iter()
            .chain(GROUND)
            .chain(&["watch", "engine", "held"])
            .chain([conductor])
            .chain(*others)
            .copied()
            .collect();
        assert_uses_only(conductor, &allowed);
    }
}

#[test]
fn every_folder_is_a_known_room_or_conductor() {
    let known: BTreeSet<String> =
        ROOMS.iter().copied().chain(CONDUCTORS.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    let folders: BTreeSet<String> = fs::read_dir(source_root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, known, "ARCHITECTURE.md and this test name every folder");
}

#[test]
fn the_leaves_touch_no_world() {
    const WORLD: [&str; 7] =
        ["std::net", "std::fs", "std::env", "std::process", "std::thread", "SystemTime", "async fn"];
    for leaf in ["walwarden-verify", "walwarden-archive"] {
        for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(leaf).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for world in WORLD {
                // Codecs may compress on several threads.
                let allowed =
                    world == "std::thread" && file.components().any(|part| part.as_os_str() == "codec");
                let used = code.iter().any(|line| line.contains(world));
                assert!(!used || allowed, "{} uses {world}", file.display());
            }
        }
    }
}

fn assert_uses_only(room: &str, allowed: &BTreeSet<&str>) {
    let files = rust_files(&source_root().join(room));
    assert!(!files.is_empty(), "room {room} has no file");
    for file in files {
        let text = rooted(&fs::read_to_string(&file).unwrap(), depth(&file));
        for used in crate_paths(&text) {
            assert!(allowed.contains(used.as_str()), "{} must not use crate::{used}", file.display());
        }
    }
}

/// How many modules lie between the crate's root and what the file holds: 1 for `backup/mod.rs`, 2 for `backup/x.rs`.
fn depth(file: &Path) -> usize {
    let names = file.strip_prefix(source_root()).unwrap().components().count();
    if file.file_name().is_some_and(|name| name == "mod.rs") { names - 1 } else { names }
}

/// The text with `crate::` in place of every `super::super::…` that leads from this depth to the root.
fn rooted(text: &str, depth: usize) -> String {
    let mut rooted = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("super::") {
        rooted.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut steps = 0;
        while let Some(further) = rest.strip_prefix("super::") {
            steps += 1;
            rest = further;
        }
        rooted.push_str(&if steps >= depth { "crate::".to_owned() } else { "super::".repeat(steps) });
    }
    rooted + rest
}

#[test]
fn ways_around_the_rule_are_seen() {
    let used = |text: &str, depth| crate_paths(&rooted(text, depth)).into_iter().collect::<Vec<_>>();
    assert_eq!(used("use crate::backup::X;", 2), ["backup"]);
    assert_eq!(used("use crate::{error::Code, held};", 2), ["error", "held"]);
    assert_eq!(used("use super::super::backup::X;", 2), ["backup"]);
    assert_eq!(used("use super::super::{backup, chain::Y};", 2), ["backup", "chain"]);
    assert_eq!(used("fn f() { super::backup::run() }", 1), ["backup"]);
    assert_eq!(used("use super::{a, b};", 2), [""; 0]);
    assert_eq!(used("use super::super::a;", 3), [""; 0]);
}

/// First path segments after `crate::`, also those of `use crate::{a::…, b::…}`.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let text = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.extend(first_word(rest)),
            Some(group) => {
                let mut depth = 0_i32;
                let mut start = true;
                for (offset, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && c.is_alphanumeric() => {
                            found.extend(first_word(&group[offset..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
