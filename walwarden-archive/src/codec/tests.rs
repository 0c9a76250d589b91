use proptest::prelude::*;

use super::*;
use crate::{Compression, ErrorKind};

const CODECS: [Compression; 4] = Compression::ALL;

/// Rows that compress, with a part that does not, longer than two pieces of a zlib stream.
fn rows(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut rows = Vec::with_capacity(bytes + 100);
    for id in 0.. {
        if rows.len() >= bytes {
            break;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if id % 50 == 0 {
            rows.extend((0..64_u32).map(|at| (state.rotate_left(at).wrapping_mul(at + 77) >> 13) as u8));
        }
        rows.extend_from_slice(format!("{id}\tcustomer {}\t{state:08x}\\N\n", id % 977).as_bytes());
    }
    rows.truncate(bytes);
    rows
}

/// Appends what comes out.
fn into(collected: &mut Vec<u8>) -> impl FnMut(&[u8]) -> Result<(), Error> {
    |bytes| {
        collected.extend_from_slice(bytes);
        Ok(())
    }
}

fn encode(encoding: Encoding, content: &[u8], chunk: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(encoding).expect("the codec is built in");
    let mut stream = Vec::new();
    for part in content.chunks(chunk) {
        encoder.encode(part, &mut into(&mut stream)).expect("input is taken");
    }
    encoder.finish(&mut into(&mut stream)).expect("the stream is ended");
    stream
}

fn decode(compression: Compression, stream: &[u8], chunk: usize) -> Result<Vec<u8>, Error> {
    let mut decoder = Decoder::new(compression, Limits::default())?;
    let mut content = Vec::new();
    for part in stream.chunks(chunk) {
        decoder.decode(part, &mut into(&mut content))?;
    }
    decoder.finish()?;
    Ok(content)
}

fn kind(result: Result<Vec<u8>, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn what_was_encoded_is_decoded_at_every_level() {
    let content = rows(900_000);
    for compression in CODECS {
        for level in -7..=22 {
            let Ok(encoding) = Encoding::new(compression).with_level(level) else { continue };
            if level > 9 && level % 4 != 0 {
                continue;
            }
            let stream = encode(encoding, &content, 70_000);
            assert_eq!(decode(compression, &stream, 4096).expect("sound"), content, "{compression} {level}");
        }
    }
}

#[test]
fn incompressible_content_grows_by_little() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(3_000_000)
    .collect();
    for compression in CODECS {
        let stream = encode(Encoding::new(compression), &noise, 1 << 20);
        assert!(stream.len() < noise.len() + noise.len() / 500, "{compression}: {}", stream.len());
        assert_eq!(decode(compression, &stream, 1 << 20).expect("sound"), noise, "{compression}");
    }
}

#[test]
fn one_encoder_and_one_decoder_serve_block_after_block() {
    for compression in CODECS {
        let encoding = Encoding::new(compression);
        let mut encoder = Encoder::new(encoding).expect("the codec is built in");
        let mut decoder = Decoder::new(compression, Limits::default()).expect("the codec is built in");
        for bytes in [0, 1, 300_000, 0, 70] {
            let (content, mut stream, mut decoded) = (rows(bytes), Vec::new(), Vec::new());
            encoder.encode(&content, &mut into(&mut stream)).expect("taken");
            encoder.finish(&mut into(&mut stream)).expect("ended");
            assert_eq!(stream, encode(encoding, &content, 1000), "{compression}, {bytes} bytes");
            decoder.decode(&stream, &mut into(&mut decoded)).expect("sound");
            decoder.finish().expect("complete");
            assert_eq!(decoded, content, "{compression}, {bytes} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn chunks_make_no_difference(bytes in 0_usize..1_300_000, first in 1_usize..300_000, second in 1_usize..9000) {
        let content = rows(bytes);
        for compression in CODECS {
            let encoding = Encoding::new(compression);
            let stream = encode(encoding, &content, first);
            prop_assert!(stream == encode(encoding, &content, second), "{} depends on chunks", compression);
            prop_assert!(decode(compression, &stream, second)? == content);
            prop_assert!(decode(compression, &stream, first)? == content);
        }
    }

    #[test]
    fn made_up_input_is_refused_without_a_panic(noise: Vec<u8>, chunk in 1_usize..50) {
        for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
            let _ = decode(compression, &noise, chunk);
            // Past the first bytes, which noise never gets right; a little noise may be what was cut off.
            let mut stream = encode(Encoding::new(compression), b"", 1);
            stream.truncate(7);
            stream.extend_from_slice(&noise);
            prop_assert!(decode(compression, &stream, chunk).is_err() || noise.len() < 16);
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_refused() {
    let content = rows(3000);
    for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let stream = encode(Encoding::new(compression), &content, 1000);
        for length in 0..stream.len() {
            let result = decode(compression, &stream[..length], 64);
            assert_eq!(kind(result), Some(ErrorKind::Truncated), "{compression} cut to {length}");
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let stream = encode(Encoding::new(compression), &rows(3000), 1000);
        for surplus in [&[0][..], &stream] {
            for chunk in [1, stream.len(), usize::MAX] {
                let result = decode(compression, &[&stream, surplus].concat(), chunk);
                assert_eq!(kind(result), Some(ErrorKind::Malformed), "{compression}, chunks of {chunk}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let content = rows(2000);
    for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let stream = encode(Encoding::new(compression), &content, 1000);
        for bit in 0..stream.len() * 8 {
            let mut damaged = stream.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match decode(compression, &damaged, 512) {
                Err(_) => {}
                // Bits that say how the stream came about, as the level in a zlib header, may differ.
                Ok(decoded) => assert_eq!(decoded, content, "{compression}, bit {bit}"),
            }
        }
    }
}

#[test]
fn an_error_of_the_output_comes_back() {
    for compression in CODECS {
        let content = rows(600_000);
        let stream = encode(Encoding::new(compression), &content, 1000);
        let mut decoder = Decoder::new(compression, Limits::default()).expect("the codec is built in");
        let error = decoder.decode(&stream, &mut |_| Err(Error::invalid("the disk is full")));
        assert_eq!(error.expect_err("passed on").to_string(), "invalid: the disk is full");
    }
}

#[cfg(feature = "zstd")]
mod zstd_frames {
    use super::*;

    /// A frame with one raw block, a window of this logarithm and no checksum.
    fn frame(window_log: u8) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3];
        frame.extend_from_slice(&[0b0001_1001, 0, 0]);
        frame.extend_from_slice(b"abc");
        frame
    }

    #[test]
    fn windows_are_bounded_as_pg_restore_bounds_them() {
        assert_eq!(decode(Compression::Zstd, &frame(27), 100).expect("128 MiB are allowed"), b"abc");
        assert_eq!(kind(decode(Compression::Zstd, &frame(28), 100)), Some(ErrorKind::OverLimit));
    }

    #[test]
    fn windows_are_bounded_as_the_caller_bounds_them() {
        let limits = Limits::default().with_window_bytes((1 << 20) + 5);
        for (window_log, expected) in [(20, None), (21, Some(ErrorKind::OverLimit))] {
            let mut decoder = Decoder::new(Compression::Zstd, limits).expect("the codec is built in");
            let result = decoder.decode(&frame(window_log), &mut |_| Ok(()));
            assert_eq!(result.err().map(|error| error.kind()), expected, "{window_log}");
        }
    }
}

mod lz4_frames {
    use super::*;

    /// What `lz4 --content-size -BX -B4` of lz4 1.9.4 makes of 32 times the letter a: checksums of blocks and content,
    /// and the size.
    const BY_LZ4: [u8; 42] = [
        0x04, 0x22, 0x4d, 0x18, 0x7c, 0x40, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x19, 0x0b, 0x00,
        0x00, 0x00, 0x1f, 0x61, 0x01, 0x00, 0x07, 0x50, 0x61, 0x61, 0x61, 0x61, 0x61, 0x3b, 0xa7, 0x3c, 0x00,
        0x00, 0x00, 0x00, 0x00, 0xbe, 0x4f, 0x23, 0xa3,
    ];

    #[test]
    fn frames_with_every_flag_are_read() {
        assert_eq!(decode(Compression::Lz4, &BY_LZ4, 1).expect("sound"), [b'a'; 32]);
        for bit in 0..BY_LZ4.len() * 8 {
            let mut damaged = BY_LZ4;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(Compression::Lz4, &damaged, 9).is_err(), "bit {bit}");
        }
    }
}

#[cfg(feature = "threads")]
mod threads {
    use std::num::NonZeroUsize;

    use super::*;

    /// Sizes on both sides of every limit: nothing, handed over or not, one piece or several, a large frame.
    const SIZES: [usize; 10] = [0, 10, 4096, 262_144, 0, 1_048_577, 300_000, 2_097_152, 5_300_000, 70];

    fn encode_all(encoding: Encoding, threads: usize, contents: &[Vec<u8>], chunk: usize) -> Vec<Vec<u8>> {
        let threads = NonZeroUsize::new(threads).expect("some threads");
        let mut encoders = Encoders::new(encoding, threads).expect("the codec is built in");
        let (mut blocks, mut block) = (Vec::new(), Vec::new());
        let mut output = |encoded: Encoded<'_>| {
            match encoded {
                Encoded::Bytes(bytes) => block.extend_from_slice(bytes),
                Encoded::End => blocks.push(std::mem::take(&mut block)),
            }
            Ok(())
        };
        for content in contents {
            for part in content.chunks(chunk) {
                encoders.encode(part, &mut output).expect("input is taken");
            }
            encoders.end_block(&mut output).expect("the block is ended");
        }
        encoders.flush(&mut output).expect("all is put out");
        assert!(block.is_empty(), "bytes without an end");
        blocks
    }

    #[test]
    fn blocks_come_out_in_order_and_alike_however_many_threads() {
        let contents: Vec<_> = SIZES.into_iter().chain([30; 40]).chain(SIZES).map(rows).collect();
        for compression in CODECS {
            let encoding = Encoding::new(compression);
            let blocks = encode_all(encoding, 1, &contents, 1 << 20);
            assert_eq!(blocks.len(), contents.len(), "{compression}");
            for (block, content) in blocks.iter().zip(&contents) {
                assert!(decode(compression, block, 1 << 16).expect("sound") == *content, "{compression}");
                if compression != Compression::Zstd {
                    assert!(
                        *block == encode(encoding, content, 50_000),
                        "{compression}, {} bytes",
                        content.len()
                    );
                }
            }
            for (threads, chunk) in [(2, 65_536), (3, 4_000), (4, 777_777)] {
                assert!(
                    encode_all(encoding, threads, &contents, chunk) == blocks,
                    "{compression}, {threads} threads"
                );
            }
        }
    }

    #[test]
    fn an_error_of_the_output_comes_back_and_the_threads_end() {
        for compression in CODECS {
            let threads = NonZeroUsize::new(2).expect("some threads");
            let mut encoders =
                Encoders::new(Encoding::new(compression), threads).expect("the codec is built in");
            let content = rows(700_000);
            let mut output = |_: Encoded<'_>| Err(Error::invalid("the disk is full"));
            let error = (0..100).find_map(|_| {
                encoders.encode(&content, &mut output).and_then(|()| encoders.end_block(&mut output)).err()
            });
            assert_eq!(error.expect("passed on").to_string(), "invalid: the disk is full");
        }
    }

    #[test]
    fn no_more_is_pending_than_the_threads_need() {
        let threads = NonZeroUsize::new(2).expect("some threads");
        let mut encoders = Encoders::new(Encoding::new(Compression::Gzip), threads).expect("built in");
        let piece = rows(256 * 1024);
        let (mut submitted, mut put_out) = (0_usize, 0_usize);
        for _ in 0..100 {
            encoders
                .encode(&piece, &mut |_| {
                    put_out += 1;
                    Ok(())
                })
                .expect("input is taken");
            submitted += 1;
            assert!(submitted - put_out <= 6, "{submitted} submitted, {put_out} put out");
        }
    }
}
