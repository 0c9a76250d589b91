//! The seeds of the fuzz targets, and what fuzzing has found, through the same functions as in `fuzz/`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[allow(unreachable_pub, missing_docs, reason = "the fuzz targets' own module")]
#[path = "../../fuzz/decoders.rs"]
mod decoders;

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Seeds named `refused-…` are refused; those named `found-…` by what fuzzing found may be either; all others are taken.
#[test]
fn every_decoder_takes_its_seeds_but_those_named_otherwise() {
    let mut wrong = Vec::new();
    for (name, decode) in decoders::ALL {
        let mut taken = 0;
        for entry in fs::read_dir(fuzz().join("seeds").join(name)).unwrap() {
            let path = entry.unwrap().path();
            let seed = path.file_name().unwrap().to_str().unwrap();
            let is_taken = decode(&fs::read(&path).unwrap());
            taken += u32::from(is_taken);
            if !seed.starts_with("found-") && is_taken == seed.starts_with("refused-") {
                wrong.push(format!("{name}/{seed}: taken is {is_taken}"));
            }
        }
        assert!(taken > 0, "{name} takes none of its seeds");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_decoder_has_its_target_and_its_seeds() {
    let known: BTreeSet<String> = decoders::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    // Those of archives are the business of walwarden-archive; timestamps are read with the feature of that name.
    let read = |name: &String| {
        !name.starts_with("archive_") && (cfg!(feature = "timestamps") || name != "timestamp")
    };
    let ours = |folder| names(&fuzz().join(folder)).into_iter().filter(read);
    assert_eq!(ours("fuzz_targets").collect::<BTreeSet<_>>(), known);
    assert_eq!(ours("seeds").collect::<BTreeSet<_>>(), known);
}

/// Seeds cut, joined and changed, for 30 seconds each where everything is tested (`WALWARDEN_TEST_FULL`), otherwise for a
/// moment. What libFuzzer finds with its knowledge of the code is another matter: `./just fuzz`.
#[test]
#[allow(clippy::disallowed_methods, reason = "how long it takes is the caller's choice")]
fn no_decoder_panics_on_changed_seeds() {
    let full = std::env::var_os("WALWARDEN_TEST_FULL").is_some();
    let time = if full { Duration::from_secs(30) } else { Duration::from_millis(150) };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                while let Some((name, decode)) = decoders::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rounds = replay(name, *decode, time);
                    assert!(rounds > 0, "{name} was not tried");
                }
            });
        }
    });
}

/// Reproducible but for where it ends.
fn replay(name: &str, decode: fn(&[u8]) -> bool, time: Duration) -> u64 {
    let folder = fuzz().join("seeds").join(name);
    let mut seeds: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|path| fs::read(path).unwrap()).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < time {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            change(&mut input, &seeds, &mut random);
        }
        decode(&input);
        rounds += 1;
    }
    rounds
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    const TOKENS: [&[u8]; 12] = [
        b"\0",
        b"\xff",
        b"\n",
        b"\n\n",
        b"\"",
        b"\\u0000",
        b"9007199254740993",
        b"-0",
        b"null",
        b"{}",
        b"[",
        b"\xe2\x80\xae",
    ];
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() - at + 1).min(64);
    match random.below(6) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        3 => {
            let token = TOKENS[random.below(TOKENS.len())];
            input.splice(at..at, token.iter().copied());
        }
        4 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// Xorshift: nothing here needs better.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
