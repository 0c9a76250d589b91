use super::RowLines;
use crate::{BlockReader, Content, Contents, Entry, Error, ErrorKind, Header, Toc, index, read_toc};
use walwarden_verify::index::Block;

const ARCHIVES: [&[u8]; 4] = [
    include_bytes!("../../tests/data/none-14.dump"),
    include_bytes!("../../tests/data/pipe-16.dump"),
    include_bytes!("../../tests/data/lz4-17.dump"),
    include_bytes!("../../tests/data/zstd-18.dump"),
];

fn rows_of(data: &[u8], piece: usize) -> Vec<u8> {
    let (mut rows, mut lines) = (Vec::new(), RowLines::default());
    for piece in data.chunks(piece) {
        let mut take = |bytes: &[u8]| {
            rows.extend_from_slice(bytes);
            Ok(())
        };
        lines.update(piece, &mut take).unwrap();
    }
    rows
}

#[test]
fn rows_lose_their_end_marker_and_nothing_else() {
    for (data, rows) in [
        (&b"\\.\n\n\n"[..], &b""[..]),
        (b"1\n\\.\n\n\n", b"1\n"),
        (b"\n\n\\.\n\n\n", b"\n\n"),
        (b"\\N\n\\\\.\n\\t\\.\n\\.\n\n", b"\\N\n\\\\.\n\\t\\.\n"),
        (b"a\\.\n.\n\\\\\n\\.\n", b"a\\.\n.\n\\\\\n"),
    ] {
        for piece in 1..=data.len() {
            assert_eq!(rows_of(data, piece), rows, "{data:?} in pieces of {piece}");
        }
    }
}

/// Everything that comes out of the block, as text, in pieces of this size.
fn read(archive: &[u8], toc: &Toc, contents: &Contents, dump_id: i32, piece: usize) -> Vec<String> {
    read_by(BlockReader::new, archive, toc, contents, dump_id, piece)
}

fn read_by(
    of: impl Fn(&Header, &Entry, &Block) -> Result<BlockReader, Error>,
    archive: &[u8],
    toc: &Toc,
    contents: &Contents,
    dump_id: i32,
    piece: usize,
) -> Vec<String> {
    let (header, _) = read_toc(archive).unwrap();
    let block = contents.block(dump_id).unwrap();
    let stored = &archive[block.offset as usize..][..block.length as usize];
    let mut reader = of(&header, toc.entry(dump_id).unwrap(), block).unwrap();
    let (mut read, mut data) = (Vec::new(), Vec::new());
    for piece in stored.chunks(piece) {
        reader
            .update(piece, &mut |content| {
                match content {
                    Content::Data(bytes) => data.extend_from_slice(bytes),
                    other => {
                        read.push(format!("{}{other:?}", String::from_utf8_lossy(&std::mem::take(&mut data))))
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    reader.finish().unwrap();
    read.push(String::from_utf8(data).unwrap());
    read
}

#[test]
fn every_block_is_read_by_itself_in_pieces_of_any_size() {
    for archive in ARCHIVES {
        let ((_, toc), contents) = (read_toc(archive).unwrap(), index(archive).unwrap());
        let with_data: Vec<_> = toc.entries().iter().filter(|entry| entry.has_block()).collect();
        assert!(with_data.len() >= 4);
        let mut all = String::new();
        for entry in with_data {
            let whole = read(archive, &toc, &contents, entry.dump_id, usize::MAX);
            for piece in [1, 2, 3, 7, 64] {
                assert_eq!(read(archive, &toc, &contents, entry.dump_id, piece), whole);
            }
            let compared =
                read_by(BlockReader::of_verified_bytes, archive, &toc, &contents, entry.dump_id, usize::MAX);
            assert_eq!(compared, whole);
            all.push_str(&whole.concat());
        }
        assert!(all.contains("1\tAda\t\\N\n2\tGr\\\\ace\\t\t1\n3\t\t1\n") && all.contains("привет"), "{all}");
        assert!(all.contains("LargeObjectStart { oid: 4002 }largeLargeObjectEnd"), "{all}");
        assert!(!all.contains("\\."), "{all}");
    }
}

#[test]
fn a_block_that_is_not_the_one_in_the_index_is_refused() {
    for archive in ARCHIVES {
        let ((header, toc), contents) = (read_toc(archive).unwrap(), index(archive).unwrap());
        for entry in toc.entries().iter().filter(|entry| entry.has_block()) {
            let block = contents.block(entry.dump_id).unwrap();
            let stored = &archive[block.offset as usize..][..block.length as usize];
            let judge = |bytes: &[u8]| {
                let mut reader = BlockReader::new(&header, entry, block).unwrap();
                reader.update(bytes, &mut |_| Ok(())).and_then(|()| reader.finish())
            };
            assert!(judge(stored).is_ok());
            for bit in 0..stored.len() * 8 {
                let mut turned = stored.to_vec();
                turned[bit / 8] ^= 1 << (bit % 8);
                assert!(judge(&turned).is_err(), "entry {} bit {bit}", entry.dump_id);
            }
            for end in 0..stored.len() {
                let error = judge(&stored[..end]).expect_err("cut short");
                assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
                let mut compared = BlockReader::of_verified_bytes(&header, entry, block).unwrap();
                compared.update(&stored[..end], &mut |_| Ok(())).unwrap();
                assert_eq!(compared.finish().expect_err("cut short").kind(), ErrorKind::Truncated);
            }
            let other = Block { raw_bytes: block.raw_bytes + 1, ..block.clone() };
            let mut compared = BlockReader::of_verified_bytes(&header, entry, &other).unwrap();
            compared.update(stored, &mut |_| Ok(())).unwrap();
            assert_eq!(compared.finish().expect_err("of another size").kind(), ErrorKind::Malformed);
            let error = judge(&[stored, b"\0"].concat()).expect_err("too long");
            assert_eq!(
                (error.kind(), error.offset()),
                (ErrorKind::Malformed, Some(block.offset + block.length))
            );
        }
        let without = toc.entries().iter().find(|entry| !entry.has_block()).unwrap();
        let block = contents.entries.iter().find_map(|entry| entry.data.as_ref()).unwrap();
        let error = BlockReader::new(&header, without, block).expect_err("no data");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
