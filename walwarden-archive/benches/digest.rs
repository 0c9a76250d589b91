//! Speed of one SHA-256 per line, by different implementations, on the lines of files.
//!
//! ```sh
//! cargo bench -p walwarden-archive --bench digest -- FILE...
//! ```
//!
//! Of every group of lines the best of five rounds counts, so that other work on the machine hardly does.

use std::io::{Write, stdout};
use std::ops::Range;
use std::time::Instant;
use std::{env, fs};

use sha2::Digest as _;
use walwarden_verify::Sha256;
use walwarden_verify::lanes::LaneHasher;

const ROUNDS: usize = 5;
/// Lines are handed over in groups that fit the cache.
const GROUP_BYTES: usize = 64 * 1024;

type Implementation = fn(&[u8], &[Range<usize>], &mut Vec<Sha256>);

const IMPLEMENTATIONS: [(&str, Implementation); 3] = [
    ("sha2", |data, lines, digests| {
        digests.extend(
            lines.iter().map(|line| Sha256::from_bytes(sha2::Sha256::digest(&data[line.clone()]).into())),
        );
    }),
    ("aws-lc-rs", |data, lines, digests| {
        digests.extend(lines.iter().map(|line| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &data[line.clone()]);
            Sha256::from_bytes(digest.as_ref().try_into().expect("32 bytes"))
        }));
    }),
    ("lanes", |data, lines, digests| LaneHasher::new().digest(data, lines, digests)),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    writeln!(stdout(), "bytes a line  implementation     MB/s")?;
    for path in env::args().skip(1).filter(|argument| argument != "--bench") {
        let data = fs::read(path)?;
        let groups = groups(&data);
        let lines: usize = groups.iter().map(Vec::len).sum();
        let mut first = None;
        for (name, implementation) in IMPLEMENTATIONS {
            let (mut best, mut digests, mut last) = (vec![f64::MAX; groups.len()], Vec::new(), None);
            for _ in 0..ROUNDS {
                for (lines, best) in groups.iter().zip(&mut best) {
                    digests.clear();
                    let started = Instant::now();
                    implementation(&data, lines, &mut digests);
                    *best = best.min(started.elapsed().as_secs_f64());
                    last = digests.last().copied();
                }
            }
            assert_eq!(*first.get_or_insert(last), last, "all agree");
            let speed = data.len() as f64 / 1e6 / best.iter().sum::<f64>();
            writeln!(stdout(), "{:>12} {name:>15} {speed:>8.1}", data.len() / lines.max(1))?;
        }
    }
    Ok(())
}

fn groups(data: &[u8]) -> Vec<Vec<Range<usize>>> {
    let (mut groups, mut group, mut start, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    for line in data.split(|byte| *byte == b'\n') {
        group.push(start..start + line.len());
        start += line.len() + 1;
        bytes += line.len();
        if bytes > GROUP_BYTES {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
    }
    groups.push(group);
    groups
}
