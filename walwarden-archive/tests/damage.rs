//! Archives cut short and with bits turned over: an error or the same data, never a panic.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs;
use std::io::sink;
use std::num::NonZeroUsize;
use std::path::Path;

use walwarden_archive::codec::Encoding;
use walwarden_archive::{Compression, Contents, ErrorKind, Exploder, Measured, Transcoder, index};

const POSITIONS: usize = 1000;

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    names.into_iter().map(|name| (name.clone(), sample(&name))).collect()
}

fn transcode(archive: &[u8], codec: Compression) -> (Vec<u8>, Contents) {
    let mut copy = Vec::new();
    let mut transcoder = Transcoder::new(Encoding::new(codec)).unwrap();
    let mut out = |bytes: &[u8]| {
        copy.extend_from_slice(bytes);
        Ok(())
    };
    transcoder.update(archive, &mut out).unwrap();
    let contents = transcoder.finish(&mut out).unwrap();
    (copy, contents)
}

/// What matters of an archive's data, entry by entry.
fn data(contents: &Contents) -> Vec<Option<Measured>> {
    let blocks = contents.entries.iter().map(|entry| entry.data.as_ref());
    blocks.map(|block| block.map(|block| Measured { raw_bytes: block.raw_bytes, rows: block.rows })).collect()
}

/// So many bits, spread over the archive and the same on every run.
fn bits(archive: &[u8]) -> impl Iterator<Item = usize> {
    let all = archive.len() * 8;
    // A prime step visits every bit before it visits one again.
    (0..POSITIONS.min(all)).map(move |n| n * 1_000_003 % all)
}

#[test]
fn threads_make_no_difference_but_to_zstd_frames() {
    for (name, archive) in samples() {
        for codec in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let Ok(mut transcoder) =
                Transcoder::on_threads(Encoding::new(codec), NonZeroUsize::new(3).unwrap())
            else {
                panic!("{codec} is supported")
            };
            let mut copy = Vec::new();
            let mut out = |bytes: &[u8]| {
                copy.extend_from_slice(bytes);
                Ok(())
            };
            let copied = archive.chunks(997).try_for_each(|piece| transcoder.update(piece, &mut out));
            let old = codec == Compression::Zstd && archive[6] < 15;
            assert_eq!(copied.is_err(), old, "{name} to {codec}");
            if old {
                continue;
            }
            let contents = transcoder.finish(&mut out).unwrap();
            assert_eq!(index(&copy[..]).unwrap(), contents, "{name} to {codec}");
            assert_eq!(data(&contents), data(&index(&archive[..]).unwrap()), "{name} to {codec}");
            assert!(codec == Compression::Zstd || copy == transcode(&archive, codec).0, "{name} to {codec}");
        }
    }
}

#[test]
fn what_is_cut_short_is_refused() {
    for (name, archive) in samples() {
        let step = archive.len().div_ceil(POSITIONS);
        for end in (0..archive.len()).step_by(step) {
            // Without the second copy of its table of contents an archive is whole.
            let error = match index(&archive[..end]) {
                Err(error) => error,
                Ok(contents) => {
                    assert!(name.starts_with("stdout-") && end as u64 == contents.toc_size_bytes);
                    continue;
                }
            };
            assert_eq!(error.kind(), ErrorKind::Truncated, "{name} at {end}: {error}");
            assert!(error.offset().is_some_and(|offset| offset <= end as u64), "{name} at {end}: {error}");
        }
    }
}

#[test]
fn a_turned_bit_in_our_data_is_refused_and_the_index_knows_every_other() {
    for codec in Compression::ALL {
        let (archive, contents) = transcode(&sample("none-18.dump"), codec);
        let mut refused = 0;
        for bit in bits(&archive) {
            let mut turned = archive.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            let in_data = (bit / 8) as u64 >= contents.toc_size_bytes;
            match index(&turned[..]) {
                Err(error) => {
                    refused += 1;
                    assert!(error.offset().is_some_and(|at| at <= archive.len() as u64), "{error}");
                }
                Ok(other) => {
                    assert_ne!(other, contents, "{codec}: the index does not notice bit {bit}");
                    let unnoticed = in_data && codec != Compression::None;
                    assert!(!unnoticed || data(&other) == data(&contents), "{codec}: bit {bit}");
                }
            }
        }
        assert!(refused > 0, "{codec}");
    }
}

#[test]
fn a_turned_bit_in_what_pg_dump_wrote_is_refused_or_noticed_by_the_index() {
    for (name, archive) in samples() {
        let contents = index(&archive[..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        for bit in bits(&archive) {
            let mut turned = archive.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = index(&turned[..]) else { continue };
            assert_ne!(other, contents, "{name}: bit {bit}");
        }
    }
}

#[test]
fn no_damage_makes_the_transcoder_or_the_exploder_panic() {
    for (name, archive) in samples() {
        for bit in bits(&archive).step_by(5) {
            let mut turned = archive.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            let mut transcoder = Transcoder::new(Encoding::new(Compression::None)).unwrap();
            let copied =
                transcoder.update(&turned, &mut |_| Ok(())).and_then(|()| transcoder.finish(&mut |_| Ok(())));
            let mut exploder = Exploder::new(|_: &str| Ok(sink()));
            let exploded = exploder.update(&turned).and_then(|()| exploder.finish());
            let read = index(&turned[..]);
            assert_eq!(copied.is_ok(), read.is_ok(), "{name}: bit {bit}");
            assert!(exploded.is_ok() || read.is_err(), "{name}: bit {bit}");
        }
    }
}
