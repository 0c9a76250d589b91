//! The seeds of the fuzz targets, and what fuzzing has found, through the same functions as in `fuzz/`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[allow(unreachable_pub, missing_docs, reason = "the fuzz targets' own module")]
#[path = "../../fuzz/archive_decoders.rs"]
mod decoders;

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

#[test]
fn every_decoder_takes_a_seed_and_none_panics() {
    for (name, decode) in decoders::ALL {
        let folder = fuzz().join("seeds").join(name);
        let seeds = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let taken = seeds.filter(|seed| decode(seed)).count();
        assert!(taken > 0, "{name} takes none of its seeds");
    }
}

#[test]
fn every_decoder_has_its_target_and_its_seeds() {
    let known: BTreeSet<String> = decoders::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let ours = |folder| names(&fuzz().join(folder)).into_iter().filter(|name| name.starts_with("archive_"));
    assert_eq!(ours("fuzz_targets").collect::<BTreeSet<_>>(), known);
    assert_eq!(ours("seeds").collect::<BTreeSet<_>>(), known);
}
