//! How long it takes to check an archive, and to copy it with its data compressed by another codec.
//!
//! ```sh
//! cargo bench -p walwarden-archive --features aws-lc-rs --bench transcode -- [--rounds N] [--threads N,N] ARCHIVE CODEC:LEVEL...
//! ```
//!
//! The copy goes nowhere. Threads 0 compress on the thread that reads and hashes. The best of the rounds counts; memory is the
//! most the process has had so far, the buffers of earlier lines included.

use std::fs::{self, File};
use std::io::{self, Write, stdout};
use std::num::NonZeroUsize;
use std::time::Instant;
use std::{env, error};

use walwarden_archive::codec::Encoding;
use walwarden_archive::{Compression, Transcoder, index, transcode};

fn main() -> Result<(), Box<dyn error::Error>> {
    let (mut rounds, mut threads) = (3, vec![0, 2]);
    let (mut encodings, mut path) = (Vec::new(), None);
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), argument.split_once(':')) {
            ("--rounds", _) => rounds = arguments.next().unwrap_or_default().parse()?,
            ("--threads", _) => {
                let list = arguments.next().unwrap_or_default();
                threads = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            (_, Some((codec, level))) => {
                encodings.push(Encoding::new(codec.parse::<Compression>()?).with_level(level.parse()?)?);
            }
            _ => path = Some(argument),
        }
    }
    let Some(path) = path else { return Ok(()) };
    let size = fs::metadata(&path)?.len();
    let line = |name: &str, threads: usize, bytes: u64, cost: Cost| {
        let (mib, speed) = (peak_kib() / 1024, size as f64 / 1e6 / cost.wall);
        let (wall, cpu) = (cost.wall, cost.cpu);
        writeln!(stdout(), "{name:<9} {threads:>7} {wall:>8.2} {cpu:>8.2} {speed:>8.1} {bytes:>13} {mib:>6}")
    };
    writeln!(stdout(), "{path}: {size} bytes")?;
    writeln!(stdout(), "work      threads  seconds      CPU     MB/s         bytes    MiB")?;
    let (contents, cost) = best(rounds, || Ok(index(File::open(&path)?)?))?;
    line("check", 0, size, cost)?;
    for encoding in encodings {
        for &threads in &threads {
            let (bytes, cost) = best(rounds, || {
                let transcoder = match NonZeroUsize::new(threads) {
                    Some(threads) => Transcoder::on_threads(encoding, threads)?,
                    None => Transcoder::new(encoding)?,
                };
                let mut copy = Counted(0);
                let copied = transcode(File::open(&path)?, &mut copy, transcoder)?;
                assert_eq!(copied.entries.len(), contents.entries.len(), "nothing is lost");
                Ok(copy.0)
            })?;
            line(&format!("{}:{}", encoding.compression(), encoding.level()), threads, bytes, cost)?;
        }
    }
    Ok(())
}

/// Seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

type Measured<T> = Result<(T, Cost), Box<dyn error::Error>>;

fn best<T>(rounds: usize, mut work: impl FnMut() -> Result<T, Box<dyn error::Error>>) -> Measured<T> {
    let mut best: Option<(T, Cost)> = None;
    for _ in 0..rounds.max(1) {
        let (started, cpu) = (Instant::now(), cpu_seconds());
        let result = work()?;
        let cost = Cost { wall: started.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu };
        if best.as_ref().is_none_or(|(_, best)| cost.wall < best.wall) {
            best = Some((result, cost));
        }
    }
    best.ok_or_else(|| "no round was run".into())
}

/// Of all threads of this process, in hundredths; `NaN` where there is no `/proc`.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |place: usize| after_name.split(' ').nth(place).and_then(|ticks| ticks.parse::<f64>().ok());
    ticks(12).zip(ticks(13)).map_or(f64::NAN, |(user, system)| (user + system) / 100.0)
}

/// The most memory this process has had; 0 where there is no `/proc`.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// How many bytes were written to nowhere.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
