use crate::wire::{put_int, put_text};
use crate::{Budget, Error, ErrorKind, Event, Reader, read_toc};

const PIPE: &[u8] = include_bytes!("../../tests/data/pipe-18.dump");
const STDOUT: &[u8] = include_bytes!("../../tests/data/stdout-17.dump");
const NONE: &[u8] = include_bytes!("../../tests/data/none-18.dump");

fn read(archive: &[u8], budget: Budget) -> Result<(), Error> {
    let (mut reader, mut input) = (Reader::with_budget(budget), archive);
    while reader.read(&mut input)?.is_some() {}
    reader.finish()
}

fn refused(archive: &[u8]) -> Error {
    read(archive, Budget::default()).expect_err("refused")
}

/// Bytes of the header and of the table of contents.
fn head(archive: &[u8]) -> (usize, usize) {
    let (header, toc) = read_toc(archive).unwrap();
    (header.to_bytes().len(), toc.to_bytes(&header).len())
}

#[test]
fn a_promised_length_takes_no_memory_before_its_bytes_come() {
    let (header, _) = head(PIPE);
    let entries = |count: i32| {
        let mut archive = PIPE[..header].to_vec();
        put_int(&mut archive, count);
        archive
    };
    assert_eq!(refused(&entries(i32::MAX)).kind(), ErrorKind::OverLimit);
    assert_eq!(refused(&entries(-1)).kind(), ErrorKind::Malformed);
    assert_eq!(refused(&entries(1_000_000)).kind(), ErrorKind::Truncated);

    let mut long_name = PIPE[..47].to_vec();
    put_int(&mut long_name, i32::MAX);
    let error = refused(&long_name);
    assert_eq!((error.kind(), error.offset()), (ErrorKind::OverLimit, Some(47)));
}

#[test]
fn every_limit_of_the_budget_is_kept() {
    let limits: [fn(&mut Budget); 3] =
        [|budget| budget.toc_bytes = 2000, |budget| budget.entries = 5, |budget| budget.text_bytes = 20];
    for limit in limits {
        let mut budget = Budget::default();
        limit(&mut budget);
        let error = read(PIPE, budget).expect_err("over a limit");
        assert_eq!(error.kind(), ErrorKind::OverLimit, "{error}");
    }
}

#[test]
fn versions_and_formats_that_are_not_known_are_named() {
    for (at, byte, place) in
        [(5, 2, 5), (6, 11, 5), (6, 17, 5), (8, 8, 8), (9, 4, 8), (10, 2, 10), (11, 4, 11)]
    {
        let mut archive = PIPE.to_vec();
        archive[at] = byte;
        let error = refused(&archive);
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Unsupported, Some(place)), "{error}");
    }
    let mut directory = PIPE.to_vec();
    directory[10] = 3;
    assert!(refused(&directory).to_string().contains("toc.dat"), "{}", refused(&directory));
}

#[test]
fn a_value_has_one_spelling() {
    let mut minus_zero = PIPE.to_vec();
    minus_zero[12] = 1;
    minus_zero[13..17].fill(0);
    assert_eq!(refused(&minus_zero).to_string(), "malformed: an int is spelled wrong, offset=12");

    let mut zero_byte = PIPE[..47].to_vec();
    put_text(&mut zero_byte, Some(b"sh\0p"));
    assert_eq!(refused(&zero_byte).to_string(), "malformed: a text has a zero byte in it, offset=54");
}

#[test]
fn blocks_are_those_of_the_table_of_contents() {
    let (_, toc) = head(NONE);
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut archive = NONE.to_vec();
        change(&mut archive);
        refused(&archive)
    };
    let error = change(&|archive| archive[toc] = 2);
    assert_eq!(error.to_string(), format!("malformed: a block of type 2; 1 and 3 are known, offset={toc}"));
    let error = change(&|archive| archive[toc] = 3);
    assert!(error.to_string().contains("is of the wrong type"), "{error}");
    let error = change(&|archive| archive[toc + 2..toc + 6].fill(0x7f));
    assert!(error.to_string().contains("which does not exist"), "{error}");
    let error = change(&|archive| archive.truncate(toc));
    assert!(error.to_string().contains("ends before the data of entry"), "{error}");
    let error = change(&|archive| archive.extend_from_within(toc..));
    assert!(error.to_string().contains("a second block"), "{error}");
}

#[test]
fn only_the_table_of_contents_may_follow_the_last_block() {
    let (header, toc) = head(STDOUT);
    assert_eq!(STDOUT.len(), toc + toc - header);
    read(STDOUT, Budget::default()).unwrap();
    let mut other = STDOUT.to_vec();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&other).kind(), ErrorKind::Malformed);
    let mut longer = STDOUT.to_vec();
    longer.push(0);
    assert_eq!(refused(&longer).kind(), ErrorKind::Malformed);
    assert_eq!(refused(&STDOUT[..STDOUT.len() - 1]).kind(), ErrorKind::Truncated);
}

#[test]
fn a_refused_archive_stays_refused() {
    let mut reader = Reader::new();
    assert!(reader.read(&mut &b"PGDMQ"[..]).is_err());
    assert_eq!(reader.read(&mut &PIPE[5..]).expect_err("refused").kind(), ErrorKind::Invalid);
    assert!(reader.finish().is_err());
}

#[test]
fn large_objects_beyond_two_billion_keep_their_number() {
    let (mut reader, mut input) = (Reader::new(), PIPE);
    let mut oids = Vec::new();
    while let Some(event) = reader.read(&mut input).unwrap() {
        if let Event::LargeObjectStart { oid } = event {
            oids.push(oid);
        }
    }
    assert_eq!(oids, [4001, 4002, 3_000_000_000]);
}
