use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use walwarden_archive::codec::Encoding;
use walwarden_archive::{Compression, Contents, Error, ErrorKind, Measured, Transcoder, index, read_toc};

use crate::source::{all_dumps, file_of, readers, sql};

fn transcode(archive: &[u8], codec: Compression, threads: usize) -> Result<(Vec<u8>, Contents), Error> {
    let mut copy = Vec::new();
    let mut out = |bytes: &[u8]| {
        copy.extend_from_slice(bytes);
        Ok(())
    };
    let mut transcoder = match NonZeroUsize::new(threads) {
        Some(threads) => Transcoder::on_threads(Encoding::new(codec), threads)?,
        None => Transcoder::new(Encoding::new(codec))?,
    };
    archive.chunks(10_007).try_for_each(|piece| transcoder.update(piece, &mut out))?;
    let contents = transcoder.finish(&mut out)?;
    Ok((copy, contents))
}

#[test]
fn pg_restore_makes_the_same_of_every_archive_and_its_copies() {
    for (number, dump) in all_dumps().iter().enumerate() {
        let bytes = dump.bytes();
        let (header, _) = read_toc(&bytes[..]).unwrap();
        let before = index(&bytes[..]).unwrap();
        if before.entries.iter().all(|entry| entry.data.is_none()) {
            continue;
        }
        // The newest reader judges every copy, and one of the others in turn, so that each judges each codec.
        let judges = readers(&header);
        let (newest, others) = judges.split_last().unwrap();
        let judges = others.get(number % others.len().max(1)).into_iter().chain([newest]);
        let reads = |major: &u32| (*major, sql(*major, &dump.path, &[]));
        let original: BTreeMap<u32, _> = judges.map(reads).collect();
        for codec in Compression::ALL {
            if !header.version().supports(codec) {
                let error = transcode(&bytes, codec, 0).expect_err("too old");
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                continue;
            }
            let copy = transcode(&bytes, codec, bytes.len() % 2 * 2);
            let (copy, contents) = copy.unwrap_or_else(|error| panic!("{dump:?} to {codec}: {error}"));
            assert_eq!(index(&copy[..]).unwrap(), contents, "{dump:?} to {codec}");
            assert_eq!(measured(&contents), measured(&before), "{dump:?} to {codec}");

            let path = file_of(&copy);
            let (header, _) = read_toc(&copy[..]).unwrap();
            let judges = readers(&header).into_iter().filter(|major| original.contains_key(major));
            for major in judges {
                assert!(sql(major, &path, &[]) == original[&major], "{dump:?} to {codec}, read by {major}");
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn measured(contents: &Contents) -> Vec<Option<Measured>> {
    let blocks = contents.entries.iter().map(|entry| entry.data.as_ref());
    blocks.map(|block| block.map(|block| Measured { raw_bytes: block.raw_bytes, rows: block.rows })).collect()
}
