use walwarden_verify::index::{CHUNK_SIZE_BYTES, Index};

use crate::codec::Encoding;
use crate::{
    Compression, Difference, EntryProblem, ErrorKind, Transcoder, Verification, index, transcode, verify,
};

const ARCHIVE: &[u8] = include_bytes!("../../tests/data/none-18.dump");

fn index_of(archive: &[u8]) -> Index {
    index(archive).unwrap().into_index("0198c5a0-0000-7000-8000-000000000001".parse().unwrap())
}

fn told(index: &Index, archive: &[u8]) -> Vec<String> {
    verify(archive, index).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_archive_itself_does_not_differ_and_every_damage_does() {
    let index = index_of(ARCHIVE);
    assert!(told(&index, ARCHIVE).is_empty());
    for bit in (0..ARCHIVE.len() * 8).step_by(11) {
        let mut turned = ARCHIVE.to_vec();
        turned[bit / 8] ^= 1 << (bit % 8);
        let differences = verify(&turned[..], &index).unwrap();
        assert!(matches!(differences[0], Difference::Chunk { number: 0 }), "bit {bit}: {differences:?}");
    }
    for end in (0..ARCHIVE.len()).step_by(97) {
        let differences = verify(&ARCHIVE[..end], &index).unwrap();
        let Some(Difference::Unreadable(error)) = differences.last() else { panic!("{differences:?}") };
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
}

#[test]
fn a_changed_row_is_told_with_its_table() {
    let index = index_of(ARCHIVE);
    let at = ARCHIVE.windows(3).rposition(|bytes| bytes == b"Ada").unwrap();
    let mut changed = ARCHIVE.to_vec();
    changed[at..at + 3].copy_from_slice(b"Eve");
    let [Difference::Chunk { number: 0 }, Difference::Entry { name, problem, .. }] =
        &verify(&changed[..], &index).unwrap()[..]
    else {
        panic!("{:?}", told(&index, &changed))
    };
    assert_eq!((name.as_str(), *problem), ("customers", EntryProblem::OtherData));
}

#[test]
fn an_archive_compressed_differently_has_the_same_content_in_other_bytes() {
    let index = index_of(ARCHIVE);
    let mut copy = Vec::new();
    transcode(ARCHIVE, &mut copy, Transcoder::new(Encoding::new(Compression::Gzip)).unwrap()).unwrap();
    let mut verification = Verification::new(&index).of_plaintext();
    verification.update(&copy);
    let differences = verification.finish();
    assert!(!differences.is_empty());
    for difference in differences {
        let Difference::Entry { problem, .. } = difference else { panic!("{difference:?}") };
        assert_eq!(problem, EntryProblem::OtherBytes);
    }
}

#[test]
fn all_chunks_are_told_also_behind_what_cannot_be_read() {
    let mut archive = ARCHIVE.to_vec();
    let mut index = index_of(ARCHIVE);
    // Nothing may follow an archive, so that all of this is unreadable, and has digests nevertheless.
    let chunk = usize::try_from(CHUNK_SIZE_BYTES).unwrap();
    archive.resize(3 * chunk - 5, 7);
    let mut chunks = crate::ChunkDigests::new();
    chunks.update(&archive);
    index.chunks = chunks.finish();
    let differences = verify(&archive[..], &index).unwrap();
    assert!(matches!(&differences[..], [Difference::Unreadable(_)]), "{differences:?}");

    archive[2 * chunk] ^= 1;
    archive.resize(3 * chunk + 1, 7);
    let lines = told(&index, &archive);
    assert_eq!(lines[0], format!("chunk 2 (from byte {}) has other bytes", 2 * chunk));
    assert_eq!(lines[1], "the archive goes on after its last chunk");
    assert!(lines[2].starts_with("the archive cannot be read: malformed"), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_index_of_other_entries_is_told_entry_by_entry() {
    let mut index = index_of(ARCHIVE);
    let removed = index.entries.remove(1);
    let mut moved = index.clone();
    index.entries[0].owner = Some("eve".to_owned());
    let mut missing = index.entries[2].clone();
    missing.dump_id = 999_999;
    index.entries.push(missing);
    index.toc_size_bytes += 1;
    let lines = told(&index, ARCHIVE);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("the version or the size"), "{lines:?}");
    assert!(lines[1].ends_with("is described differently"), "{lines:?}");
    assert!(lines[2].starts_with("entry 999999 ") && lines[2].ends_with("is missing"), "{lines:?}");
    assert!(lines[3].ends_with("is not in the index"), "{lines:?}");
    moved.entries.push(removed);
    assert_eq!(told(&moved, ARCHIVE), ["the entries come in another order"]);
}
