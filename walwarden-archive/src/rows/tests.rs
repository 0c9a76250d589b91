use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

fn counted(data: &[u8], chunk: usize) -> Result<Rows, Error> {
    let mut rows = RowCounter::new();
    for part in data.chunks(chunk) {
        rows.update(part)?;
    }
    rows.finish()
}

fn one_by_one(lines: &[Vec<u8>]) -> Rows {
    let mut digest = RowsDigest::default();
    for line in lines {
        digest.add_line(line);
    }
    Rows { count: lines.len() as u64, digest: digest.to_sha256() }
}

fn with_end(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut data: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    data.extend_from_slice(b"\\.\n\n\n");
    data
}

fn line(nth: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + ((at * 7 + nth) % 26) as u8).collect()
}

#[test]
fn lines_of_every_length_count_once() {
    let around = |length: usize| length - 2..length + 3;
    let lengths =
        (0..200).chain(around(WAITING_BYTES)).chain(0..3000).chain(around(2 * WAITING_BYTES)).chain([0, 1]);
    let lines: Vec<_> = lengths.enumerate().map(|(nth, length)| line(nth, length)).collect();
    let data = with_end(&lines);
    for chunk in [1000, 65_536, WAITING_BYTES - 1, WAITING_BYTES, data.len()] {
        assert_eq!(counted(&data, chunk).expect("sound"), one_by_one(&lines), "chunks of {chunk}");
    }
}

#[test]
fn what_only_looks_like_the_end_marker_is_a_row() {
    for text in ["\\.x", "x\\.", ".", "\\", "\\\\."] {
        let lines = vec![text.as_bytes().to_vec()];
        assert_eq!(counted(&with_end(&lines), 1).expect("sound"), one_by_one(&lines), "{text}");
    }
}

#[test]
fn data_without_its_end_is_refused() {
    let data = with_end(&[line(0, 10), line(1, 2 * WAITING_BYTES), line(2, 10)]);
    let marker_end = data.len() - 2;
    for end in [0, 5, 11, 200_000, data.len() - 6, marker_end - 1] {
        let error = counted(&data[..end], 1 << 16).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::Truncated, "cut to {end}");
    }
    assert!(counted(&data[..marker_end], 1 << 16).is_ok());
}

#[test]
fn data_after_the_end_marker_is_refused() {
    for (before, surplus) in
        [(3, &b"4\tno\n"[..]), (3, b"\n\n\\.\n"), (WAITING_BYTES - 4, b"x"), (WAITING_BYTES, b"x")]
    {
        let data = [&with_end(&[line(0, before)])[..], surplus].concat();
        for chunk in [1, data.len()] {
            let error = counted(&data, chunk).expect_err("goes on");
            assert_eq!(error.kind(), ErrorKind::Malformed, "{before} bytes before, chunks of {chunk}");
        }
    }
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        lengths in proptest::collection::vec(prop_oneof![9 => 0_usize..300, 1 => 0_usize..200_000], 0..30),
        chunk in 1_usize..70_000,
    ) {
        let lines: Vec<_> = lengths.into_iter().enumerate().map(|(nth, length)| line(nth, length)).collect();
        prop_assert_eq!(counted(&with_end(&lines), chunk)?, one_by_one(&lines));
    }
}
