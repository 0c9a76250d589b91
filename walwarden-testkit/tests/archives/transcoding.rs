use walwarden_archive::codec::Encoding;
use walwarden_archive::{Compression, Contents, Error, Transcoder, index, read_toc};

use crate::source::{all_dumps, file_of, list, readers, sql};

pub(crate) fn transcode(archive: &[u8], codec: Compression, piece: usize) -> Result<(Vec<u8>, Contents), Error> {
    let mut copy = Vec::new();
    let mut transcoder = Transcoder::new(Encoding::new(codec))?;
    for piece in archive.chunks(piece) {
        transcoder.update(piece, &mut |bytes| Ok(copy.extend_from_slice(bytes)))?;
    }
    transcoder.finish().map(|contents| (copy, contents))
}

#[test]
fn pg_restore_makes_the_same_of_every_archive_and_its_copies() {
    for dump in all_dumps() {
        let bytes = dump.bytes();
        let (header, _) = read_toc(&bytes[..]).unwrap();
        let before = index(&bytes[..]).unwrap();
        for codec in Compression::ALL {
            if !header.version().supports(codec) {
                let error = transcode(&bytes, codec, 4096).expect_err("too old");
                assert_eq!(error.kind(), walwarden_archive::ErrorKind::Unsupported);
                continue;
            }
            let (copy, contents) = transcode(&bytes, codec, 10_007).unwrap_or_else(|e| panic!("{dump:?} {codec}: {e}"));
            assert_eq!(index(&copy[..]).unwrap(), contents, "{dump:?} {codec}");
            for (one, other) in before.entries.iter().zip(&contents.entries) {
                let raw = |entry: &walwarden_verify::index::Entry| {
                    entry.data.as_ref().map(|block| (block.raw_bytes, block.rows))
                };
                assert_eq!(raw(one), raw(other), "{dump:?} {codec}");
            }
            let copied = file_of(&copy);
            let (new_header, _) = read_toc(&copy[..]).unwrap();
            for major in readers(&new_header) {
                // Who cannot read the original is asked for nothing but the same text that its maker reads.
                let judge = if readers(&header).contains(&major) { major } else { dump.major };
                assert!(
                    sql(major, &copied, &[]) == sql(judge, &dump.path, &[]) || judge != major,
                    "{dump:?} to {codec}, read by {major}"
                );
                assert_eq!(list(major, &copied), list(judge, &dump.path), "{dump:?} to {codec}, read by {major}");
            }
            std::fs::remove_file(copied).unwrap();
        }
    }
}
