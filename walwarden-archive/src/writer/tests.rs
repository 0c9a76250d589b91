use crate::{ErrorKind, Kind, Measured, Writer, index, read_toc};

const PIPE: &[u8] = include_bytes!("../../tests/data/pipe-18.dump");
const NOTHING: Measured = Measured { raw_bytes: 0, rows: None };

fn writer() -> Writer {
    let (header, toc) = read_toc(PIPE).unwrap();
    Writer::new(header, &toc)
}

fn dump_id(writer: &Writer, kind: Kind) -> i32 {
    let mut entries = writer.toc().entries().iter();
    entries.find(|entry| entry.kind() == kind).map(|entry| entry.dump_id).unwrap()
}

#[test]
fn calls_come_in_their_turn_or_are_refused() {
    let mut bytes = Vec::new();
    let mut out = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    let mut writer = writer();
    let (table, blobs) = (dump_id(&writer, Kind::TableData), dump_id(&writer, Kind::Blobs));
    let comment = dump_id(&writer, Kind::Comment);

    let mut refused = Vec::new();
    refused.push(writer.start_block(table, &mut out));
    writer.begin(&mut out).unwrap();
    refused.push(writer.begin(&mut out));
    refused.push(writer.data(b"x", &mut out));
    refused.push(writer.end_block(NOTHING, &mut out));
    refused.push(writer.start_block(comment, &mut out));
    refused.push(writer.start_block(1_000_000, &mut out));
    writer.start_block(blobs, &mut out).unwrap();
    refused.push(writer.data(b"x", &mut out));
    refused.push(writer.start_large_object(0, &mut out));
    writer.start_large_object(7, &mut out).unwrap();
    refused.push(writer.end_block(NOTHING, &mut out));
    writer.end_large_object(&mut out).unwrap();
    refused.push(writer.end_large_object(&mut out));
    writer.end_block(NOTHING, &mut out).unwrap();
    refused.push(writer.start_block(blobs, &mut out));
    writer.start_block(table, &mut out).unwrap();
    refused.push(writer.start_large_object(7, &mut out));
    refused.push(writer.end_block(NOTHING, &mut out));
    for (call, result) in refused.into_iter().enumerate() {
        assert_eq!(result.expect_err("out of turn").kind(), ErrorKind::Invalid, "call {call}");
    }
    assert_eq!(writer.finish().expect_err("unfinished").kind(), ErrorKind::Invalid);
}

#[test]
fn an_archive_without_all_its_data_is_not_finished() {
    let mut writer = writer();
    writer.begin(&mut |_| Ok(())).unwrap();
    assert_eq!(writer.finish().expect_err("no data").kind(), ErrorKind::Invalid);
}

#[test]
fn an_error_of_the_output_comes_back() {
    let mut full = |_: &[u8]| Err(std::io::Error::other("the disk is full").into());
    assert_eq!(writer().begin(&mut full).expect_err("full").kind(), ErrorKind::Io);
}

#[test]
fn offsets_that_no_longer_hold_are_dropped() {
    let file = &include_bytes!("../../tests/data/zstd-18.dump")[..];
    let (header, toc) = read_toc(file).unwrap();
    assert!(toc.has_offsets());
    let writer = Writer::new(header, &toc);
    assert!(!writer.toc().has_offsets());
    assert!(index(file).is_ok());
}
