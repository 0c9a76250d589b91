use crate::{DataEntries, DataPlace, ErrorKind, Kind, Section, Toc, index, read_toc};

const PIPE: &[u8] = include_bytes!("../../tests/data/pipe-14.dump");

#[test]
fn entries_are_found_by_their_number() {
    let (_, toc) = read_toc(PIPE).unwrap();
    for entry in toc.entries() {
        assert_eq!(toc.entry(entry.dump_id), Some(entry));
    }
    assert_eq!(toc.entry(0), None);
    let mut twice = toc.entries().to_vec();
    twice.extend_from_slice(toc.entries());
    assert_eq!(Toc::new(twice).expect_err("twice").kind(), ErrorKind::Malformed);
}

#[test]
fn an_entry_has_all_its_fields() {
    let (_, toc) = read_toc(PIPE).unwrap();
    let of_kind = |kind| toc.entries().iter().find(|entry| entry.kind() == kind).unwrap();
    let table = toc
        .entries()
        .iter()
        .find(|entry| {
            entry.kind() == Kind::Table && entry.tag.as_ref().is_some_and(|tag| *tag == "customers")
        })
        .unwrap();
    assert_eq!(table.schema.as_ref().unwrap(), &"public");
    assert_eq!(table.owner.as_ref().unwrap(), &"postgres");
    assert_eq!(table.table_access_method.as_ref().unwrap(), &"heap");
    assert_eq!(table.section, Section::PreData);
    assert_eq!(table.catalog_oid, 1259);
    assert!(table.definition.as_ref().unwrap().to_string().starts_with("CREATE TABLE public.customers"));
    assert_eq!(table.drop_statement.as_ref().unwrap(), &"DROP TABLE public.customers;\n");
    assert_eq!(table.data_place, DataPlace::None);
    let data = of_kind(Kind::TableData);
    assert_eq!((data.section, data.data_place), (Section::Data, DataPlace::Unknown));
    assert!(data.has_copy_lines() && data.has_block() && !data.dependencies.is_empty());
    assert!(of_kind(Kind::Blobs).has_block() && !of_kind(Kind::Blobs).has_copy_lines());
}

#[test]
fn offsets_and_cuts_change_nothing_else() {
    let (header, toc) = read_toc(PIPE).unwrap();
    let offsets = index(PIPE).unwrap().offsets();
    let patched = toc.with_offsets(|entry| offsets.get(&entry.dump_id).copied()).unwrap();
    assert!(patched.has_offsets() && patched.without_offsets() == toc);
    assert_eq!(patched.to_bytes(&header).len(), toc.to_bytes(&header).len());
    assert_eq!(toc.with_offsets(|_| None).expect_err("unknown").kind(), ErrorKind::Invalid);

    let kept = toc.without_data(DataEntries::Keep);
    assert_eq!(kept.entries().len(), toc.entries().len());
    assert!(kept.entries().iter().all(|entry| !entry.has_block()));
    let removed = toc.without_data(DataEntries::Remove);
    assert_eq!(removed.entries().len(), toc.entries().len() - offsets.len());
    assert!(removed.entries().iter().any(|entry| entry.kind() == Kind::SequenceSet));
}
