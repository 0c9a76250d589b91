//! Streams of ours read by the programs of others, and theirs by us. Needs `python3`, `zstd` and `lz4`.
#![cfg(all(feature = "threads", feature = "zstd"))]
#![allow(clippy::unwrap_used)] // helpers of tests

use std::fs::File;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};

use walwarden_archive::codec::{Decoder, Encoded, Encoder, Encoders, Encoding, Limits};
use walwarden_archive::{Compression, Error};

const COMPRESSED: [Compression; 3] = [Compression::Gzip, Compression::Lz4, Compression::Zstd];
const PYTHON_ZLIB: [&str; 3] = [
    "python3",
    "-c",
    "import sys, zlib; d = zlib.decompressobj(); data = sys.stdin.buffer.read(); \
     sys.stdout.buffer.write(d.decompress(data)); assert d.eof and not d.unused_data",
];

/// Rows of about 70 bytes.
fn rows(bytes: usize) -> Vec<u8> {
    let mut rows = Vec::with_capacity(bytes + 100);
    for id in 0_u64.. {
        if rows.len() >= bytes {
            break;
        }
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let row =
            format!("{id}\tcustomer {}\t{mixed:016x}\t\\N\t{}.50 for the ledger\n", id % 977, mixed >> 50);
        rows.extend_from_slice(row.as_bytes());
    }
    rows.truncate(bytes);
    rows
}

/// What a program makes of its input.
fn through(command: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    through_file(command, file)
}

fn through_file(command: &[&str], input: File) -> Vec<u8> {
    let output = Command::new(command[0])
        .args(&command[1..])
        .stdin(input)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| {
            panic!("{} does not run ({error}): scripts/apt-install python3 zstd lz4", command[0])
        });
    assert!(output.status.success(), "{command:?} refuses its input");
    output.stdout
}

fn judge(compression: Compression) -> &'static [&'static str] {
    match compression {
        Compression::Gzip => &PYTHON_ZLIB,
        Compression::Lz4 => &["lz4", "-dc"],
        _ => &["zstd", "-dcq"],
    }
}

fn encode(encoding: Encoding, content: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut encoder = Encoder::new(encoding).unwrap();
    let mut output = |bytes: &[u8]| stream.write_all(bytes).map_err(Error::from);
    encoder.encode(content, &mut output).unwrap();
    encoder.finish(&mut output).unwrap();
    stream
}

fn encode_with_threads(encoding: Encoding, content: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut encoders = Encoders::new(encoding, NonZeroUsize::new(2).unwrap()).unwrap();
    let mut output = |encoded: Encoded<'_>| match encoded {
        Encoded::Bytes(bytes) => stream.write_all(bytes).map_err(Error::from),
        Encoded::End => Ok(()),
    };
    encoders.encode(content, &mut output).unwrap();
    encoders.end_block(&mut output).unwrap();
    encoders.flush(&mut output).unwrap();
    stream
}

fn decode(compression: Compression, stream: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut decoder = Decoder::new(compression, Limits::default())?;
    for chunk in stream.chunks(4093) {
        decoder.decode(chunk, &mut |bytes| content.write_all(bytes).map_err(Error::from))?;
    }
    decoder.finish()?;
    Ok(content)
}

#[test]
fn others_read_what_is_encoded() {
    for bytes in [0, 1, 1000, 262_144, 1_048_576, 9_000_000] {
        let content = rows(bytes);
        for compression in COMPRESSED {
            let encoding = Encoding::new(compression);
            for stream in [encode(encoding, &content), encode_with_threads(encoding, &content)] {
                assert!(through(judge(compression), &stream) == content, "{compression}, {bytes} bytes");
            }
        }
    }
}

#[test]
fn what_others_encode_is_read() {
    let zlib = |level: &str| {
        format!("import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read(), {level}))")
    };
    let (fast, best) = (zlib("1"), zlib("9"));
    let makers: [(Compression, &[&str]); 11] = [
        (Compression::Gzip, &["python3", "-c", &fast]),
        (Compression::Gzip, &["python3", "-c", &best]),
        (Compression::Lz4, &["lz4", "-qc"]),
        // Linked blocks of 64 KiB without checksums, as pg_dump has them; then everything a frame can have.
        (Compression::Lz4, &["lz4", "-qc", "-BD", "-B4", "--no-frame-crc"]),
        (Compression::Lz4, &["lz4", "-qc", "-BD", "-BX", "-B5"]),
        (Compression::Lz4, &["lz4", "-q9c", "-BI", "-B7"]),
        (Compression::Zstd, &["zstd", "-qc", "--fast=3"]),
        (Compression::Zstd, &["zstd", "-qc", "-3", "--no-check"]),
        (Compression::Zstd, &["zstd", "-qc", "-19"]),
        (Compression::Zstd, &["zstd", "-qc", "--long=27"]),
        (Compression::Zstd, &["zstd", "-qc", "-1", "-T2"]),
    ];
    for bytes in [0, 1, 1000, 65_536, 2_500_000] {
        let content = rows(bytes);
        for (compression, maker) in makers {
            let stream = through(maker, &content);
            assert!(decode(compression, &stream).unwrap() == content, "{maker:?}, {bytes} bytes");
        }
    }
}

#[test]
fn frames_that_pg_restore_would_take_are_refused_when_cut() {
    // Without checksums there is nothing but the end of the frame to go by.
    for (compression, maker) in [
        (Compression::Zstd, &["zstd", "-qc", "--no-check"][..]),
        (Compression::Lz4, &["lz4", "-qc", "-BD", "-B4", "--no-frame-crc"]),
    ] {
        let stream = through(maker, &rows(300_000));
        for length in (0..stream.len()).step_by(997).chain(stream.len() - 8..stream.len()) {
            assert!(decode(compression, &stream[..length]).is_err(), "{compression} cut to {length}");
        }
    }
}
