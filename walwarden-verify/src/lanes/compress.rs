//! The compression function of FIPS 180-4 on eight messages, and who sits in which lane.

use std::ops::Range;

use crate::Sha256;
use fearless_simd::prelude::*;
use fearless_simd::u32x8;

const LANES: usize = 8;
const BLOCK_BYTES: usize = 64;

/// The eight words of a digest, each of all lanes.
type State = [[u32; LANES]; 8];

/// The place of a message of which some blocks may have been hashed.
#[derive(Clone, Copy, Default)]
struct Lane {
    message: usize,
    at: usize,
    end: usize,
    length: usize,
    rest: Rest,
}

/// What of a message was not hashed yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Rest {
    /// The bytes from `at` to `end`, and the padding.
    Bytes,
    /// The length in the last eight bytes of a block of zeros.
    Length,
    /// All was hashed, or nobody ever sat here.
    #[default]
    Nothing,
}

/// A lane takes the next message as soon as it is done with one, so that all are busy until the messages run out.
#[inline(always)]
pub(super) fn digest<S: Simd>(simd: S, data: &[u8], messages: &[Range<usize>], digests: &mut [Sha256]) {
    let mut waiting = messages.iter().enumerate();
    let mut lanes = [Lane::default(); LANES];
    let mut state: State = [[0; LANES]; 8];
    let mut seated = 0;
    for (place, lane) in lanes.iter_mut().enumerate() {
        seated += usize::from(seat(lane, place, &mut state, waiting.next()));
    }
    let mut words = [[0; LANES]; 16];
    while seated > 0 {
        for (place, lane) in lanes.iter_mut().enumerate() {
            let block = next_block(lane, data);
            for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
                word[place] = u32::from_be_bytes(*bytes);
            }
        }
        compress(simd, &mut state, &words);
        for (place, lane) in lanes.iter_mut().enumerate() {
            if lane.rest == Rest::Nothing && lane.length != usize::MAX {
                digests[lane.message] = column(&state, place);
                if !seat(lane, place, &mut state, waiting.next()) {
                    seated -= 1;
                }
            }
        }
    }
}

/// Gives the lane to the next message; without one it is left empty.
#[inline(always)]
fn seat(lane: &mut Lane, place: usize, state: &mut State, next: Option<(usize, &Range<usize>)>) -> bool {
    let Some((message, range)) = next else {
        *lane = Lane { length: usize::MAX, ..Lane::default() };
        return false;
    };
    *lane = Lane { message, at: range.start, end: range.end, length: range.len(), rest: Rest::Bytes };
    for (word, initial) in state.iter_mut().zip(INITIAL) {
        word[place] = initial;
    }
    true
}

#[inline(always)]
fn next_block(lane: &mut Lane, data: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    if lane.rest == Rest::Bytes {
        let left = lane.end - lane.at;
        if let Some(whole) = data[lane.at..].first_chunk().filter(|_| left >= BLOCK_BYTES) {
            lane.at += BLOCK_BYTES;
            return *whole;
        }
        block[..left].copy_from_slice(&data[lane.at..lane.end]);
        block[left] = 0x80;
        lane.rest = Rest::Length;
        if left + 1 > BLOCK_BYTES - 8 {
            lane.at = lane.end;
            return block;
        }
    }
    if lane.rest == Rest::Length {
        let bits = (lane.length as u64) << 3;
        block[BLOCK_BYTES - 8..].copy_from_slice(&bits.to_be_bytes());
        lane.rest = Rest::Nothing;
    }
    block
}

#[inline(always)]
fn column(state: &State, place: usize) -> Sha256 {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word[place].to_be_bytes();
    }
    Sha256::from_bytes(bytes)
}

#[inline(always)]
fn compress<S: Simd>(simd: S, state: &mut State, words: &[[u32; LANES]; 16]) {
    let mut w = words.map(|word| u32x8::simd_from(simd, word));
    let before = state.map(|word| u32x8::simd_from(simd, word));
    let mut v = before;
    for (step, constants) in ROUND_CONSTANTS.as_chunks::<16>().0.iter().enumerate() {
        if step > 0 {
            for i in 0..16 {
                w[i] =
                    w[i] + small_sigma0(w[(i + 1) % 16]) + w[(i + 9) % 16] + small_sigma1(w[(i + 14) % 16]);
            }
        }
        for i in 0..16 {
            v = round(v, w[i] + constants[i]);
        }
    }
    for ((word, before), v) in state.iter_mut().zip(before).zip(v) {
        *word = (before + v).into();
    }
}

#[inline(always)]
fn round<S: Simd>([a, b, c, d, e, f, g, h]: [u32x8<S>; 8], word: u32x8<S>) -> [u32x8<S>; 8] {
    let choice = g ^ (e & (f ^ g));
    let majority = b ^ ((a ^ b) & (b ^ c));
    let first = h + big_sigma1(e) + choice + word;
    let second = big_sigma0(a) + majority;
    [first + second, a, b, c, d + first, e, f, g]
}

#[inline(always)]
fn rotated<S: Simd>(word: u32x8<S>, bits: u32) -> u32x8<S> {
    (word >> bits) | (word << (32 - bits))
}

#[inline(always)]
fn big_sigma0<S: Simd>(word: u32x8<S>) -> u32x8<S> {
    rotated(word, 2) ^ rotated(word, 13) ^ rotated(word, 22)
}

#[inline(always)]
fn big_sigma1<S: Simd>(word: u32x8<S>) -> u32x8<S> {
    rotated(word, 6) ^ rotated(word, 11) ^ rotated(word, 25)
}

#[inline(always)]
fn small_sigma0<S: Simd>(word: u32x8<S>) -> u32x8<S> {
    rotated(word, 7) ^ rotated(word, 18) ^ (word >> 3)
}

#[inline(always)]
fn small_sigma1<S: Simd>(word: u32x8<S>) -> u32x8<S> {
    rotated(word, 17) ^ rotated(word, 19) ^ (word >> 10)
}

/// The fractional parts of the square roots of the first eight primes.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The fractional parts of the cube roots of the first 64 primes.
const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];
