//! Some tables or schemas of an archive.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Entry, Section, Text, Toc};

/// Which entries of an archive are restored: those that `pg_restore --table` and `--schema` take, so that a selection cut
/// out of the archive restores what those options restore from the whole of it.
///
/// With tables named, that is each one's definition, rows, owner, comments and privileges, and no index, constraint or
/// trigger; a view, materialized view or sequence of the name is taken, too. With schemas named it is everything in them,
/// but not the schemas themselves. With both, the tables have to be in the schemas. With neither it is everything. Names are
/// compared as they are, without patterns or folding.
///
/// ```
/// use walwarden_archive::{Kind, Selection, read_toc};
///
/// let (header, toc) = read_toc(&include_bytes!("../tests/data/pipe-18.dump")[..])?;
/// let selection = Selection::everything().with_table(Some("public"), "customers");
/// assert_eq!(selection.unmatched(&toc), Vec::<String>::new());
///
/// let cut = toc.select(&selection);
/// let tables = cut.entries().iter().filter(|entry| entry.kind() == Kind::TableData);
/// assert_eq!(tables.count(), 1);
/// # Ok::<(), walwarden_archive::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    schemas: BTreeSet<Text>,
    tables: Vec<Table>,
    with_dependencies: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    schema: Option<Text>,
    name: Text,
}

impl Selection {
    /// All entries.
    pub fn everything() -> Self {
        Selection::default()
    }

    /// Of this schema, among others that are named.
    pub fn with_schema(mut self, name: &str) -> Self {
        self.schemas.insert(name.into());
        self
    }

    /// This table, among others that are named; in every schema if none is given, as `pg_restore` has it.
    pub fn with_table(mut self, schema: Option<&str>, name: &str) -> Self {
        self.tables.push(Table { schema: schema.map(Text::from), name: name.into() });
        self
    }

    /// And the definitions that those need: their schemas, the types of their columns, the functions of their defaults, the
    /// tables they inherit from, without rows. So they can be restored into a database that has nothing yet, which
    /// `pg_restore` has no option for.
    pub fn with_dependencies(mut self) -> Self {
        self.with_dependencies = true;
        self
    }

    /// Whether it takes all there is.
    pub fn is_everything(&self) -> bool {
        self.schemas.is_empty() && self.tables.is_empty()
    }

    /// The schemas and tables that were named and that no entry belongs to: misspelled, most likely.
    pub fn unmatched(&self, toc: &Toc) -> Vec<String> {
        let any = |matches: &dyn Fn(&Entry) -> bool| toc.entries().iter().any(matches);
        let schemas = self.schemas.iter().filter(|name| !any(&|entry| entry.schema.as_ref() == Some(name)));
        let tables = self.tables.iter().filter(|table| !any(&|entry| is_table(entry) && table.names(entry)));
        let named = |table: &Table| match &table.schema {
            Some(schema) => format!("table {schema}.{}", table.name),
            None => format!("table {}", table.name),
        };
        schemas.map(|name| format!("schema {name}")).chain(tables.map(named)).collect()
    }

    /// Of each entry whether it is taken.
    pub(crate) fn take(&self, toc: &Toc) -> Vec<bool> {
        let mut taken: Vec<bool> = toc
            .entries()
            .iter()
            .map(|entry| {
                self.is_everything()
                    || concerns_all(entry)
                    || !depends_on_its_object(entry) && self.names(entry)
            })
            .collect();
        if self.with_dependencies {
            take_dependencies(toc, &mut taken);
        }
        for place in 0..taken.len() {
            let entry = &toc.entries()[place];
            if depends_on_its_object(entry) && !taken[place] {
                // What it speaks of stands before it.
                let objects = entry.dependencies.iter().filter_map(|dump_id| toc.place(*dump_id));
                taken[place] = objects
                    .filter(|object| *object < place)
                    .any(|object| taken[object] && !is(&toc.entries()[object], &["ACL"]));
            }
        }
        taken
    }

    fn names(&self, entry: &Entry) -> bool {
        let in_schema = |schema| self.schemas.contains(schema);
        (self.schemas.is_empty() || entry.schema.as_ref().is_some_and(in_schema))
            && (self.tables.is_empty()
                || is_table(entry) && self.tables.iter().any(|table| table.names(entry)))
    }
}

impl Table {
    fn names(&self, entry: &Entry) -> bool {
        entry.tag.as_ref() == Some(&self.name)
            && (self.schema.is_none() || entry.schema.as_ref() == self.schema.as_ref())
    }
}

/// Definitions that taken ones depend on, and those that these depend on. No data: a view needs a table, not its rows.
fn take_dependencies(toc: &Toc, taken: &mut [bool]) {
    let schemas = toc.entries().iter().enumerate().filter(|(_, entry)| is(entry, &["SCHEMA"]));
    let schemas: BTreeMap<_, _> = schemas.map(|(place, entry)| (entry.tag.as_ref(), place)).collect();
    let mut open: Vec<usize> = (0..taken.len()).filter(|place| taken[*place]).collect();
    while let Some(place) = open.pop() {
        let entry = &toc.entries()[place];
        let dependencies = entry.dependencies.iter().filter_map(|dump_id| toc.place(*dump_id));
        let schema = schemas.get(&entry.schema.as_ref()).copied();
        for needed in dependencies.chain(schema) {
            let is_definition = toc.entries()[needed].section == Section::PreData;
            if is_definition && !std::mem::replace(&mut taken[needed], true) {
                open.push(needed);
            }
        }
    }
}

/// Settings of the dump, and what `pg_restore` restores with `--create` only, whatever else is selected.
fn concerns_all(entry: &Entry) -> bool {
    const ALL: &[&str] = &["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"];
    let of_database = entry.tag.as_ref().is_some_and(|tag| tag.as_bytes().starts_with(b"DATABASE "));
    is(entry, ALL) || depends_on_its_object(entry) && of_database
}

/// Taken where what it speaks of is taken.
fn depends_on_its_object(entry: &Entry) -> bool {
    is(entry, &["ACL", "COMMENT", "SECURITY LABEL", "STATISTICS DATA"])
}

fn is_table(entry: &Entry) -> bool {
    const TABLES: &[&str] = &[
        "TABLE",
        "TABLE DATA",
        "VIEW",
        "FOREIGN TABLE",
        "MATERIALIZED VIEW",
        "MATERIALIZED VIEW DATA",
        "SEQUENCE",
        "SEQUENCE SET",
    ];
    is(entry, TABLES)
}

fn is(entry: &Entry, descs: &[&str]) -> bool {
    entry.desc.as_ref().and_then(Text::as_str).is_some_and(|desc| descs.contains(&desc))
}
