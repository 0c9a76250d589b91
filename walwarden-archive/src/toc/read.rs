//! Reads a table of contents from input that comes in pieces.

use std::collections::BTreeMap;

use super::{DataPlace, Entry, Section, Toc, add};
use crate::wire::{Stop, Wire};
use crate::{Budget, Error, Header, Text};

#[derive(Debug)]
pub(crate) struct TocReader {
    count: Option<usize>,
    entries: Vec<Entry>,
    places: BTreeMap<i32, usize>,
    step: Step,
    entry: Entry,
    // Where the entry begins.
    start: u64,
}

/// The field that comes next, in the order of the format.
#[derive(Debug, Clone, Copy)]
enum Step {
    DumpId,
    HasData,
    CatalogOid,
    Oid,
    Tag,
    Desc,
    Section,
    Definition,
    DropStatement,
    CopyStatement,
    Schema,
    Tablespace,
    TableAccessMethod,
    RelationKind,
    Owner,
    WithOids,
    Dependencies,
    Place,
}

impl TocReader {
    pub(crate) fn new() -> Self {
        TocReader {
            count: None,
            entries: Vec::new(),
            places: BTreeMap::new(),
            step: Step::DumpId,
            entry: blank(),
            start: 0,
        }
    }

    pub(crate) fn read(
        &mut self,
        wire: &mut Wire,
        header: &Header,
        budget: &Budget,
        input: &mut &[u8],
    ) -> Result<Toc, Stop> {
        let count = match self.count {
            Some(count) => count,
            None => {
                let count = wire.int(input)?;
                let at = wire.offset();
                let count = usize::try_from(count)
                    .map_err(|_| Error::malformed("the number of entries is negative").at(at))?;
                if count > budget.entries {
                    let detail = format!("{count} entries, limit={}", budget.entries);
                    return Err(Error::over_limit(detail).at(at).into());
                }
                *self.count.insert(count)
            }
        };
        while self.entries.len() < count {
            if !wire.within_field() && matches!(self.step, Step::DumpId) {
                self.start = wire.offset();
            }
            self.entry(wire, header, budget, input)?;
            let entry = std::mem::replace(&mut self.entry, blank());
            add(&mut self.places, entry.dump_id, self.entries.len()).map_err(|error| error.at(self.start))?;
            self.entries.push(entry);
        }
        Ok(Toc { entries: std::mem::take(&mut self.entries), places: std::mem::take(&mut self.places) })
    }

    // Ends with the step back at the beginning.
    fn entry(
        &mut self,
        wire: &mut Wire,
        header: &Header,
        budget: &Budget,
        input: &mut &[u8],
    ) -> Result<(), Stop> {
        let entry = &mut self.entry;
        loop {
            let at = wire.offset();
            if at > budget.toc_bytes {
                let detail = format!("the table of contents is long, limit={}", budget.toc_bytes);
                return Err(Error::over_limit(detail).at(at).into());
            }
            let mut text = || wire.text(budget.text_bytes, input);
            self.step = match self.step {
                Step::DumpId => set(&mut entry.dump_id, wire.int(input)?, Step::HasData),
                Step::HasData => set(&mut entry.has_data, flag(wire.int(input)?, at)?, Step::CatalogOid),
                Step::CatalogOid => set(&mut entry.catalog_oid, number(text()?, at)?, Step::Oid),
                Step::Oid => set(&mut entry.oid, number(text()?, at)?, Step::Tag),
                Step::Tag => set(&mut entry.tag, text()?, Step::Desc),
                Step::Desc => set(&mut entry.desc, text()?, Step::Section),
                Step::Section => {
                    let code = wire.int(input)?;
                    let section = Section::from_code(code)
                        .ok_or_else(|| Error::malformed(format!("section number {code}")).at(at))?;
                    set(&mut entry.section, section, Step::Definition)
                }
                Step::Definition => set(&mut entry.definition, text()?, Step::DropStatement),
                Step::DropStatement => set(&mut entry.drop_statement, text()?, Step::CopyStatement),
                Step::CopyStatement => set(&mut entry.copy_statement, text()?, Step::Schema),
                Step::Schema => set(&mut entry.schema, text()?, Step::Tablespace),
                Step::Tablespace => set(&mut entry.tablespace, text()?, Step::TableAccessMethod),
                Step::TableAccessMethod => {
                    if header.version.has_table_access_methods() {
                        entry.table_access_method = text()?;
                    }
                    Step::RelationKind
                }
                Step::RelationKind => {
                    if header.version.has_relation_kinds() {
                        entry.relation_kind = wire.int(input)?;
                    }
                    Step::Owner
                }
                Step::Owner => set(&mut entry.owner, text()?, Step::WithOids),
                Step::WithOids => set(&mut entry.with_oids, boolean(text()?, at)?, Step::Dependencies),
                Step::Dependencies => match text()? {
                    None => Step::Place,
                    some => {
                        entry.dependencies.push(number(some, at)?);
                        Step::Dependencies
                    }
                },
                Step::Place => {
                    let [code, offset @ ..] = wire.bytes::<9>(input)?;
                    let place = DataPlace::from_code(code, u64::from_le_bytes(offset)).ok_or_else(|| {
                        Error::malformed(format!("state {code} of an entry's data contradicts its offset"))
                            .at(at)
                    })?;
                    entry.data_place = place;
                    self.step = Step::DumpId;
                    return Ok(());
                }
            };
        }
    }
}

fn set<T>(field: &mut T, value: T, next: Step) -> Step {
    *field = value;
    next
}

// Numbers are texts here, for historical reasons. One spelling only, so that they are written as they were read.
fn number<N: std::str::FromStr + ToString>(text: Option<Text>, at: u64) -> Result<N, Error> {
    text.as_ref()
        .and_then(Text::as_str)
        .and_then(|text| text.parse::<N>().ok().filter(|number| number.to_string() == text))
        .ok_or_else(|| Error::malformed("a number is spelled wrong").at(at))
}

fn flag(number: i32, at: u64) -> Result<bool, Error> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::malformed("neither 0 nor 1").at(at)),
    }
}

fn boolean(text: Option<Text>, at: u64) -> Result<bool, Error> {
    match text.as_ref().and_then(Text::as_str) {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(Error::malformed("neither true nor false").at(at)),
    }
}

fn blank() -> Entry {
    Entry {
        dump_id: 0,
        has_data: false,
        catalog_oid: 0,
        oid: 0,
        tag: None,
        desc: None,
        section: Section::None,
        definition: None,
        drop_statement: None,
        copy_statement: None,
        schema: None,
        tablespace: None,
        table_access_method: None,
        relation_kind: 0,
        owner: None,
        with_oids: false,
        dependencies: Vec::new(),
        data_place: DataPlace::None,
    }
}
