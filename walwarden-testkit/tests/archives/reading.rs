use walwarden_archive::{DataPlace, Event, Indexer, Kind, Reader, index};
use walwarden_verify::Sha256;
use walwarden_verify::index::CHUNK_SIZE_BYTES;

use crate::source::{Into, all_dumps, list};

#[test]
fn every_layout_of_every_major_is_read_and_its_head_is_written_as_it_was() {
    for dump in all_dumps() {
        let bytes = dump.bytes();
        // Byte by byte takes long where data is not compressed.
        let smallest = if bytes.len() < 1 << 20 { 1 } else { 1021 };
        for size in [smallest, 4093, usize::MAX] {
            let mut reader = Reader::new();
            let mut head = 0;
            for piece in bytes.chunks(size.min(bytes.len())) {
                let mut input = piece;
                while let Some(event) = reader.read(&mut input).unwrap_or_else(|e| panic!("{dump:?}: {e}")) {
                    if event == Event::Toc {
                        head = usize::try_from(reader.offset()).unwrap();
                    }
                }
            }
            reader.finish().unwrap_or_else(|e| panic!("{dump:?}: {e}"));
            let toc = reader.toc().unwrap();
            assert_eq!(toc.to_bytes(reader.header().unwrap()), bytes[..head], "{dump:?}");
            if dump.into == Into::File {
                assert!(toc.has_offsets(), "{dump:?}");
            }
        }
    }
}

#[test]
fn the_index_says_what_lies_where() {
    for dump in all_dumps() {
        let bytes = dump.bytes();
        let contents = index(&bytes[..]).unwrap_or_else(|error| panic!("{dump:?}: {error}"));
        let mut indexer = Indexer::new();
        bytes.chunks(1013).for_each(|piece| indexer.update(piece).unwrap());
        let toc = indexer.toc().unwrap().clone();
        assert_eq!(indexer.finish().unwrap(), contents, "{dump:?}");

        let chunks: Vec<_> = bytes.chunks(CHUNK_SIZE_BYTES as usize).map(Sha256::of).collect();
        assert_eq!(contents.chunks, chunks);
        let mut end = contents.toc_size_bytes;
        for (entry, known) in contents.entries.iter().zip(toc.entries()) {
            assert_eq!(entry.data.is_some(), known.has_block(), "{dump:?} {known:?}");
            let Some(block) = &entry.data else { continue };
            assert_eq!(block.offset, end, "{dump:?}: blocks follow each other");
            end += block.length;
            let stored = &bytes[block.offset as usize..end as usize];
            assert_eq!(block.sha256, Sha256::of(stored));
            if let DataPlace::At(offset) = known.data_place {
                assert_eq!(offset, block.offset);
            }
            let counts =
                entry.desc == "TABLE DATA" && !dump.has("--inserts") && !dump.has("--column-inserts");
            assert_eq!(block.rows.is_some(), counts, "{dump:?} {known:?}");
        }
        let has_copy = end < bytes.len() as u64;
        assert!(!has_copy || (dump.into == Into::Stdout && dump.major >= 16), "{dump:?}");
        assert_eq!(toc.entries().len(), contents.entries.len());
    }
}

#[test]
fn pg_restore_lists_the_same_entries() {
    for dump in all_dumps() {
        let bytes = dump.bytes();
        let (_, toc) = walwarden_archive::read_toc(&bytes[..]).unwrap();
        // Settings are not listed, and what is about the database only with --create.
        let is_listed = |entry: &&walwarden_archive::Entry| match entry.kind() {
            Kind::Encoding | Kind::StandardStrings | Kind::SearchPath | Kind::Database => false,
            _ => entry.desc.as_ref().is_none_or(|desc| *desc != "DATABASE PROPERTIES"),
        };
        let ours = toc.entries().iter().filter(is_listed);
        let plain = |text: &Option<walwarden_archive::Text>| match text {
            Some(text) if !text.is_empty() => text.to_string().replace(['\n', '\r'], " "),
            _ => "-".to_owned(),
        };
        let ours: Vec<String> = ours
            .map(|entry| {
                let owner = entry.owner.as_ref().map(|owner| owner.to_string()).unwrap_or_default();
                format!(
                    "{}; {} {} {} {} {} {}",
                    entry.dump_id,
                    entry.catalog_oid,
                    entry.oid,
                    entry.desc.as_ref().unwrap(),
                    plain(&entry.schema),
                    plain(&entry.tag),
                    owner
                )
            })
            .collect();
        assert_eq!(ours, list(dump.major, &dump.path, &[]), "{dump:?}");
    }
}
