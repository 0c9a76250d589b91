//! Entries that stand in a relation to those that were named.

use std::collections::{BTreeMap, BTreeSet};

use super::is;
use crate::{Entry, Kind, Section, Text, Toc};

const OWNED: &[&str] = &["SEQUENCE OWNED BY"];

/// What belongs to a table, and nothing else has.
const BELONGINGS: &[&str] = &[
    "INDEX",
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "FK CONSTRAINT",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "DEFAULT",
    "STATISTICS",
    "SEQUENCE",
    PUBLICATION,
];

/// Those that are known by a name of their own, not by `table name`.
const OWN_NAMES: &[&str] = &["INDEX", "STATISTICS", "SEQUENCE", PUBLICATION];

/// That a table is in a publication.
const PUBLICATION: &str = "PUBLICATION TABLE";

/// Takes what belongs to tables that are taken.
pub(super) fn take_belongings(toc: &Toc, taken: &mut [bool]) {
    let entries = toc.entries();
    take_partitions(toc, taken);
    let owned: BTreeSet<usize> =
        entries.iter().filter(|entry| is(entry, OWNED)).flat_map(|entry| places(toc, entry)).collect();
    for place in 0..entries.len() {
        let entry = &entries[place];
        let is_of = |table: usize| taken[table] && has(&entries[table], entry);
        if !is(entry, BELONGINGS) || !places(toc, entry).any(is_of) {
            continue;
        }
        taken[place] = true;
        // A serial column's sequence stands before its table and knows nothing of it; the column's default does. One that several
        // tables may use has no owner.
        for sequence in places(toc, entry).filter(|of| owned.contains(of)) {
            taken[sequence] = true;
        }
    }
    for place in 0..entries.len() {
        let of_sequence = entries[place].kind() == Kind::SequenceSet || is(&entries[place], OWNED);
        let is_taken = |of: usize| taken[of] && entries[of].kind() == Kind::Sequence;
        if of_sequence && places(toc, &entries[place]).any(is_taken) {
            taken[place] = true;
        }
    }
}

/// Takes the partitions of tables that are taken, theirs too, their rows, and that they are partitions.
fn take_partitions(toc: &Toc, taken: &mut [bool]) {
    let entries = toc.entries();
    let data: BTreeMap<usize, usize> = (0..entries.len())
        .filter(|place| entries[*place].kind() == Kind::TableData)
        .flat_map(|place| places(toc, &entries[place]).map(move |table| (table, place)))
        .collect();
    let mut changes = true;
    while std::mem::take(&mut changes) {
        for place in 0..entries.len() {
            let Some((partition, parent)) = attached(toc, place) else { continue };
            if taken[parent] && !std::mem::replace(&mut taken[place], true) {
                changes = true;
                taken[partition] = true;
                data.get(&partition).into_iter().for_each(|data| taken[*data] = true);
            }
        }
    }
}

/// Of an entry that makes a table a partition, the two tables.
fn attached(toc: &Toc, place: usize) -> Option<(usize, usize)> {
    let entry = &toc.entries()[place];
    if entry.kind() != Kind::TableAttach {
        return None;
    }
    let is_it = |of: &usize| toc.entries()[*of].tag == entry.tag && toc.entries()[*of].schema == entry.schema;
    let mut tables = places(toc, entry).filter(|of| toc.entries()[*of].kind() == Kind::Table);
    let (one, other) = (tables.next()?, tables.next()?);
    Some(if is_it(&one) { (one, other) } else { (other, one) })
}

/// Takes it that indexes are parts of indexes, where both are taken.
pub(super) fn take_index_attachments(toc: &Toc, taken: &mut [bool]) {
    for (place, entry) in toc.entries().iter().enumerate() {
        let mut of = places(toc, entry).peekable();
        if is(entry, &["INDEX ATTACH"]) && of.peek().is_some() && of.all(|index| taken[index]) {
            taken[place] = true;
        }
    }
}

/// Partitions that are taken without the table that they are partitions of.
pub(super) fn alone(toc: &Toc, taken: &[bool]) -> Vec<String> {
    let entries = toc.entries().iter().enumerate();
    let alone = entries.filter(|(place, _)| {
        attached(toc, *place).is_some_and(|(partition, parent)| taken[partition] && !taken[parent])
    });
    alone.map(|(_, entry)| entry.tag.as_ref().map(ToString::to_string).unwrap_or_default()).collect()
}

/// Whether the second belongs to the first, a table, that it depends on. Constraints and triggers may depend on other tables, too.
fn has(table: &Entry, entry: &Entry) -> bool {
    let (Some(name), Some(tag)) = (&table.tag, &entry.tag) else { return false };
    let rest = tag.as_bytes().strip_prefix(name.as_bytes());
    is(table, &["TABLE", "FOREIGN TABLE", "MATERIALIZED VIEW", "VIEW"])
        && table.schema == entry.schema
        && (is(entry, OWN_NAMES) || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" ")))
}

/// Foreign keys to what is not taken, and materialized views of tables whose rows are not; says which those were.
pub(super) fn leave_out_what_refers_elsewhere(toc: &Toc, taken: &mut [bool]) -> Vec<String> {
    let mut left_out = Vec::new();
    for place in 0..taken.len() {
        let entry = &toc.entries()[place];
        let refers_elsewhere = taken[place]
            && match entry.kind() {
                Kind::ForeignKey => places(toc, entry).any(|of| {
                    !taken[of]
                        && matches!(toc.entries()[of].kind(), Kind::Table | Kind::Constraint | Kind::Index)
                }),
                Kind::MaterializedViewData => needs_other_rows(toc, taken, place),
                _ if is(entry, &[PUBLICATION]) => places(toc, entry).any(|of| !taken[of]),
                _ => false,
            };
        if refers_elsewhere {
            taken[place] = false;
            let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
            left_out.push(format!("{} {}", text(&entry.desc), text(&entry.tag)));
        }
    }
    left_out
}

/// Whether anything that this depends on, however far away, is a table that was not taken.
fn needs_other_rows(toc: &Toc, taken: &[bool], place: usize) -> bool {
    let mut seen = vec![false; taken.len()];
    let mut open = vec![place];
    while let Some(place) = open.pop() {
        for of in places(toc, &toc.entries()[place]) {
            if toc.entries()[of].kind() == Kind::Table && !taken[of] {
                return true;
            }
            if !std::mem::replace(&mut seen[of], true) {
                open.push(of);
            }
        }
    }
    false
}

/// Definitions that taken ones depend on, and those that these depend on. No data: a view needs a table, not its rows.
pub(super) fn take_dependencies(toc: &Toc, taken: &mut [bool]) {
    let schemas = toc.entries().iter().enumerate().filter(|(_, entry)| entry.kind() == Kind::Schema);
    let schemas: BTreeMap<_, _> = schemas.map(|(place, entry)| (entry.tag.as_ref(), place)).collect();
    let mut open: Vec<usize> = (0..taken.len()).filter(|place| taken[*place]).collect();
    while let Some(place) = open.pop() {
        let entry = &toc.entries()[place];
        let schema = schemas.get(&entry.schema.as_ref()).copied();
        for needed in places(toc, entry).chain(schema) {
            let is_definition = toc.entries()[needed].section == Section::PreData;
            if is_definition && !std::mem::replace(&mut taken[needed], true) {
                open.push(needed);
            }
        }
    }
}

/// Where the entries stand that this one depends on, as far as they are in the archive.
fn places(toc: &Toc, entry: &Entry) -> impl Iterator<Item = usize> {
    entry.dependencies.iter().filter_map(|dump_id| toc.place(*dump_id))
}
