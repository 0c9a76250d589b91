use std::fs::OpenOptions;

use walwarden_archive::{index, patch_offsets, read_toc};

use crate::restored::restore_and_compare;
use crate::rows::by_index;
use crate::source::{Into, dump, fresh_path, has_modern_codecs, readers, sql};
use walwarden_testkit::postgres::MAJORS;

/// Bytes of the header that say when the dump began, which is all that two dumps differ in.
fn without_time(mut archive: Vec<u8>) -> Vec<u8> {
    let (header, _) = read_toc(&archive[..]).unwrap();
    let start = if header.version().minor >= 15 { 12 } else { 16 };
    archive[start..start + 35].fill(0);
    archive
}

#[test]
fn a_patched_archive_is_the_one_that_pg_dump_writes_to_a_file() {
    for major in MAJORS {
        for args in [&["--compress=0"][..], &[], &["--compress=zstd"]] {
            if args.contains(&"--compress=zstd") && !has_modern_codecs(major) {
                continue;
            }
            let (pipe, file) = (dump(major, args, Into::Pipe), dump(major, args, Into::File));
            let mut patched = OpenOptions::new().read(true).write(true).open(&pipe.path).unwrap();
            patch_offsets(&mut patched).unwrap();
            assert!(without_time(pipe.bytes()) == without_time(file.bytes()), "{pipe:?}");
            // A second time it changes nothing.
            patch_offsets(&mut patched).unwrap();
            assert!(without_time(pipe.bytes()) == without_time(file.bytes()), "{pipe:?}");
        }
    }
}

#[test]
fn a_patched_archive_restores_in_parallel_and_table_by_table() {
    for major in MAJORS {
        let archive = dump(major, &[], Into::Pipe);
        let contents = index(&archive.bytes()[..]).unwrap();
        let (header, toc) = read_toc(&archive.bytes()[..]).unwrap();
        let offsets = contents.offsets();
        let patched = toc.with_offsets(|entry| offsets.get(&entry.dump_id).copied()).unwrap();
        let mut bytes = patched.to_bytes(&header);
        assert_eq!(bytes.len() as u64, contents.toc_size_bytes);
        bytes.extend_from_slice(&archive.bytes()[bytes.len()..]);
        let path = fresh_path("patched");
        std::fs::write(&path, bytes).unwrap();

        restore_and_compare(major, &path, &by_index(&contents));
        for reader in readers(&header) {
            let args = ["--table=orders", "--data-only"];
            assert!(sql(reader, &path, &args) == sql(reader, &archive.path, &args), "{major} by {reader}");
        }
    }
}
