#![allow(clippy::single_range_in_vec_init)] // a list of one range is meant

use std::ops::Range;

use proptest::prelude::*;

use super::*;

fn digests(data: &[u8], messages: &[Range<usize>]) -> Vec<Sha256> {
    let mut digests = vec![Sha256::of(b"left from before")];
    LaneHasher { one_by_one: false, ..LaneHasher::new() }.digest(data, messages, &mut digests);
    let mut again = Vec::new();
    LaneHasher { one_by_one: true, ..LaneHasher::new() }.digest(data, messages, &mut again);
    assert_eq!(digests, again);
    digests
}

fn one_by_one(data: &[u8], messages: &[Range<usize>]) -> Vec<Sha256> {
    messages.iter().map(|message| Sha256::of(&data[message.clone()])).collect()
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn every_length_in_every_company_has_its_digest() {
    let data = noise(400);
    for length in 0..=300 {
        for count in [1, 2, 7, 8, 9, 17] {
            // The others are shorter and longer, and end at the data's end too.
            let messages: Vec<_> = (0..count)
                .map(|nth| {
                    let length = (length + nth * 61) % 301;
                    let start = (nth * 13).min(400 - length);
                    start..start + length
                })
                .chain([400 - length..400])
                .collect();
            assert_eq!(
                digests(&data, &messages),
                one_by_one(&data, &messages),
                "{length} bytes, {count} messages"
            );
        }
    }
}

#[test]
fn without_messages_there_are_no_digests() {
    assert_eq!(digests(b"abc", &[]), []);
}

#[test]
fn long_messages_sit_beside_short_ones() {
    let data = noise(3_000_000);
    let mut messages = vec![0..2_900_001];
    messages.extend((0..500).map(|nth| nth * 100..nth * 100 + nth));
    messages.push(2_000_000..3_000_000);
    assert_eq!(digests(&data, &messages), one_by_one(&data, &messages));
}

proptest! {
    #[test]
    fn any_mix_is_digested(lengths in proptest::collection::vec(0_usize..300, 0..40), data in proptest::collection::vec(any::<u8>(), 300..600)) {
        let messages: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(nth, length)| {
                let start = (nth * 37) % (data.len() - length + 1);
                start..start + length
            })
            .collect();
        prop_assert_eq!(digests(&data, &messages), one_by_one(&data, &messages));
    }
}
