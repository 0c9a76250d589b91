//! Tables and large objects read from their blocks alone, judged by the server they come from.

use std::collections::BTreeMap;

use walwarden_archive::codec::Encoding;
use walwarden_archive::{BlockReader, Compression, Content, Transcoder, index, read_toc, transcode};
use walwarden_testkit::postgres::MAJORS;

use crate::rows::copied;
use crate::source::{Into, database, dump, has_modern_codecs, psql};

#[derive(Debug, Default, PartialEq, Eq)]
struct Data {
    rows: BTreeMap<(String, String), Vec<u8>>,
    large_objects: BTreeMap<u32, Vec<u8>>,
}

/// Everything in an archive, block by block, the last one first.
fn data_of(archive: &[u8]) -> Data {
    let ((header, toc), contents) = (read_toc(archive).unwrap(), index(archive).unwrap());
    let mut found = Data::default();
    for entry in toc.entries().iter().filter(|entry| entry.has_block()).rev() {
        let block = contents.block(entry.dump_id).unwrap();
        let stored = &archive[block.offset as usize..][..block.length as usize];
        let (mut data, mut oid) = (Vec::new(), None);
        let mut take = |content: Content<'_>| {
            match content {
                Content::Data(bytes) => data.extend_from_slice(bytes),
                Content::LargeObjectStart { oid: begun } => oid = Some(begun),
                _ => drop(found.large_objects.insert(oid.take().unwrap(), std::mem::take(&mut data))),
            }
            Ok(())
        };
        let mut reader = BlockReader::new(&header, entry, block).unwrap();
        stored.chunks(65_521).for_each(|piece| reader.update(piece, &mut take).unwrap());
        reader.finish().unwrap();
        if entry.has_copy_lines() {
            let text = |text: &Option<_>| text.as_ref().map(ToString::to_string).unwrap_or_default();
            let (schema, name): (String, String) = (text(&entry.schema), text(&entry.tag));
            found.rows.insert((schema, name), data);
        }
    }
    found
}

#[test]
fn every_block_has_the_rows_and_large_objects_of_the_server() {
    for major in MAJORS {
        let (server, name) = database(major);
        let archive = dump(major, &["--compress=0"], Into::Pipe).bytes();
        let found = data_of(&archive);
        assert!(found.rows.len() > 12, "{major}");
        for ((schema, table), rows) in &found.rows {
            assert!(&copied(server, name, schema, table) == rows, "{major}: {schema}.{table}");
        }
        let oids = found.large_objects.keys().copied();
        let sums = "SELECT oid, encode(lo_get(oid), 'hex') FROM pg_largeobject_metadata ORDER BY oid";
        let sums = String::from_utf8(psql(server, name, sums)).unwrap();
        let expected = sums.lines().map(|line| line.split_once('|').unwrap());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let ours = oids.map(|oid| (oid.to_string(), hex(&found.large_objects[&oid])));
        assert!(ours.eq(expected.map(|(oid, hex)| (oid.to_owned(), hex.to_owned()))), "{major}");

        for codec in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
            if codec == Compression::Gzip || has_modern_codecs(major) && major >= 16 {
                let mut copy = Vec::new();
                transcode(&archive[..], &mut copy, Transcoder::new(Encoding::new(codec)).unwrap()).unwrap();
                assert!(data_of(&copy) == found, "{major} as {codec}");
            }
        }
    }
}
