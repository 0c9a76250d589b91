//! Size and speed of every codec on the data of files, each file being one data block.
//!
//! ```sh
//! cargo bench -p walwarden-archive --bench codec -- [--rounds N] [--threads N,N] CODEC:LEVEL... FILE...
//! ```
//!
//! Threads 0 is [`Encoder`] on the caller's thread; any other number is [`Encoders`]. The best of the rounds counts. The
//! speed is told twice: by the clock and, for machines that have other work too, by the processor time of all threads.

use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::time::Instant;
use std::{env, fs};

use walwarden_archive::codec::{Decoder, Encoded, Encoder, Encoders, Encoding, Limits};
use walwarden_archive::{Compression, Error};

/// What comes off a pipe at once.
const CHUNK_BYTES: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut rounds, mut threads) = (3, vec![0, 1, 2]);
    let (mut encodings, mut blocks) = (Vec::new(), Vec::new());
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rounds" => rounds = arguments.next().unwrap_or_default().parse()?,
            "--threads" => {
                let list = arguments.next().unwrap_or_default();
                threads = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            _ => match encoding(&argument) {
                Some(encoding) => encodings.push(encoding?),
                None => blocks.push(fs::read(&argument)?),
            },
        }
    }
    let raw: usize = blocks.iter().map(Vec::len).sum();
    writeln!(stdout(), "{} blocks, {:.1} MB", blocks.len(), raw as f64 / 1e6)?;
    writeln!(
        stdout(),
        "codec     threads         bytes  ratio  encode MB/s   per CPU  decode MB/s   per CPU"
    )?;
    for encoding in encodings {
        for &threads in &threads {
            let (mut encoding_best, mut decoding_best, mut streams) = (Cost::MAX, Cost::MAX, Vec::new());
            for _ in 0..rounds {
                let cost;
                (streams, cost) = measured(|| encode(encoding, threads, &blocks))?;
                encoding_best = encoding_best.min(cost);
                let (read, cost) = measured(|| decode(encoding.compression(), &streams))?;
                decoding_best = decoding_best.min(cost);
                assert_eq!(read, raw, "what was encoded is decoded");
            }
            let bytes: usize = streams.iter().map(Vec::len).sum();
            let speed = |seconds: f64| raw as f64 / 1e6 / seconds;
            writeln!(
                stdout(),
                "{:<9} {threads:>7} {bytes:>13} {:>6.3} {:>12.1} {:>9.1} {:>12.1} {:>9.1}",
                format!("{}:{}", encoding.compression(), encoding.level()),
                raw as f64 / bytes as f64,
                speed(encoding_best.wall),
                speed(encoding_best.cpu),
                speed(decoding_best.wall),
                speed(decoding_best.cpu),
            )?;
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

impl Cost {
    const MAX: Cost = Cost { wall: f64::MAX, cpu: f64::MAX };

    fn min(self, other: Cost) -> Cost {
        Cost { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

fn measured<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<(T, Cost), Error> {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let result = work()?;
    Ok((result, Cost { wall: started.elapsed().as_secs_f64(), cpu: (cpu_seconds() - cpu).max(0.01) }))
}

/// Of all threads of this process, in hundredths; `NaN` where there is no `/proc`.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |place: usize| after_name.split(' ').nth(place).and_then(|ticks| ticks.parse::<f64>().ok());
    ticks(12).zip(ticks(13)).map_or(f64::NAN, |(user, system)| (user + system) / 100.0)
}

/// `zstd:3`, if it is that and no file.
fn encoding(argument: &str) -> Option<Result<Encoding, Error>> {
    let (codec, level) = argument.split_once(':')?;
    let (codec, level) = (codec.parse::<Compression>().ok()?, level.parse().ok()?);
    Some(Encoding::new(codec).with_level(level))
}

fn encode(encoding: Encoding, threads: usize, blocks: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
    let (mut streams, mut stream) = (Vec::new(), Vec::new());
    let mut output = |encoded: Encoded<'_>| {
        match encoded {
            Encoded::Bytes(bytes) => stream.extend_from_slice(bytes),
            Encoded::End => streams.push(std::mem::take(&mut stream)),
        }
        Ok(())
    };
    if let Some(threads) = NonZeroUsize::new(threads) {
        let mut encoders = Encoders::new(encoding, threads)?;
        for block in blocks {
            for chunk in block.chunks(CHUNK_BYTES) {
                encoders.encode(chunk, &mut output)?;
            }
            encoders.end_block(&mut output)?;
        }
        encoders.flush(&mut output)?;
    } else {
        let mut encoder = Encoder::new(encoding)?;
        for block in blocks {
            for chunk in block.chunks(CHUNK_BYTES) {
                encoder.encode(chunk, &mut |bytes| output(Encoded::Bytes(bytes)))?;
            }
            encoder.finish(&mut |bytes| output(Encoded::Bytes(bytes)))?;
            output(Encoded::End)?;
        }
    }
    Ok(streams)
}

fn decode(compression: Compression, streams: &[Vec<u8>]) -> Result<usize, Error> {
    let mut decoder = Decoder::new(compression, Limits::default())?;
    let mut read = 0;
    for stream in streams {
        for chunk in stream.chunks(CHUNK_BYTES) {
            decoder.decode(chunk, &mut |bytes| {
                read += bytes.len();
                Ok(())
            })?;
        }
        decoder.finish()?;
    }
    Ok(read)
}
