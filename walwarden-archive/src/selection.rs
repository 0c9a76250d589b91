//! Some tables or schemas of an archive.

mod related;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::{Entry, Text, Toc};

/// Which entries of an archive are restored.
///
/// As it is made, it takes what `pg_restore --table` and `--schema` take. With tables named, that is each one's definition, rows,
/// owner, comments and privileges, and no index, constraint or trigger; a view, materialized view or sequence of the
/// name is taken, too. With schemas named it is everything in them, but not the schemas themselves. With both, the tables
/// have to be in the schemas. With neither it is everything. Names are compared as they are, without patterns or folding.
///
/// [`with_belongings`](Self::with_belongings) and [`with_dependencies`](Self::with_dependencies) make it take more.
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
    with_belongings: bool,
    with_dependencies: bool,
}

/// What a [`Selection`] takes of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// The entries that are taken.
    pub toc: Toc,
    /// What would have been taken, if all it refers to were: `FK CONSTRAINT orders orders_customer_fkey`.
    pub left_out: Vec<String>,
    /// Partitions that are taken without the table that they are partitions of, and come as tables of their own.
    pub lone_partitions: Vec<String>,
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

    /// And what belongs to the tables that are named, which `pg_restore` has no option for: partitions with their rows, indexes,
    /// constraints, triggers, rules, policies and row security, defaults, the sequences of serial and identity columns,
    /// and membership in publications.
    pub fn with_belongings(mut self) -> Self {
        self.with_belongings = true;
        self
    }

    /// And the definitions that all those need, which `pg_restore` has no option for either: their schemas, the types of their
    /// columns, the functions of their defaults, the tables they inherit from, without rows. So they can be restored into
    /// a database that has nothing yet. Foreign keys to tables that are not taken with their rows are left out, and
    /// materialized views of such tables stay empty.
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

    pub(crate) fn take(&self, toc: &Toc) -> Selected {
        let named = |entry: &Entry| {
            self.is_everything() || concerns_all(entry) || !depends_on_its_object(entry) && self.names(entry)
        };
        let mut taken: Vec<bool> = toc.entries().iter().map(named).collect();
        if self.with_belongings && !self.tables.is_empty() {
            related::take_belongings(toc, &mut taken);
            related::take_index_attachments(toc, &mut taken);
        }
        let lone_partitions = related::alone(toc, &taken);
        let mut left_out = Vec::new();
        if self.with_dependencies && !self.is_everything() {
            left_out = related::leave_out_what_refers_elsewhere(toc, &mut taken);
            related::take_dependencies(toc, &mut taken);
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
        let entries = toc.entries().iter().zip(&taken).filter(|(_, taken)| **taken);
        let toc = Toc::new(entries.map(|(entry, _)| entry.clone()).collect())
            .expect("dumpIds of some entries differ as those of all do");
        Selected { toc, left_out, lone_partitions }
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
