//! How large the parts of an upload of unknown length are.

/// Part sizes by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// 8 MiB at first, doubled after 1,000 and after 2,000 parts, and after 6,000 with every 500 more, at most 4 GiB. As
    /// the length is not known beforehand, small parts are kept for as long as 10,000 of them can still hold 5 TiB:
    ///
    /// | object up to | part size |
    /// |---|---|
    /// | 7.8 GiB | 8 MiB |
    /// | 23 GiB | 16 MiB |
    /// | 148 GiB | 32 MiB |
    /// | 179 GiB | 64 MiB |
    /// | 242 GiB | 128 MiB |
    /// | 367 GiB | 256 MiB |
    /// | 617 GiB | 512 MiB |
    /// | 1.0 TiB | 1 GiB |
    /// | 2.0 TiB | 2 GiB |
    /// | 5.9 TiB | 4 GiB |
    Growing,
    /// Always this many bytes.
    Fixed(u64),
}

impl Parts {
    /// Size in bytes of the part with this number, counted from 0; `None` beyond what stores accept.
    pub(super) fn size(self, number: usize) -> Option<u64> {
        if number >= MOST_PARTS {
            return None;
        }
        Some(match self {
            Parts::Growing => {
                let doubled = match number {
                    0..2_000 => number / 1_000,
                    2_000..6_000 => 2,
                    _ => 3 + (number - 6_000) / 500,
                };
                (FIRST_BYTES << doubled).min(LARGEST_BYTES)
            }
            Parts::Fixed(bytes) => bytes,
        })
    }
}

const MOST_PARTS: usize = 10_000;
const FIRST_BYTES: u64 = 8 << 20;
const LARGEST_BYTES: u64 = 4 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_parts_hold_multi_tebibyte_objects_within_the_limits_of_stores() {
        let sizes: Vec<u64> = (0..MOST_PARTS).map_while(|number| Parts::Growing.size(number)).collect();
        assert_eq!(sizes.len(), MOST_PARTS);
        assert_eq!(Parts::Growing.size(MOST_PARTS), None);
        assert!(sizes.iter().all(|size| (5 << 20..=4 << 30).contains(size)));
        assert!(sizes.iter().sum::<u64>() > 5 << 40, "Amazon's largest object");
    }

    /// What [`BucketStorage`](crate::storage::BucketStorage) says of memory rests on these.
    #[test]
    fn parts_stay_small_for_objects_of_ordinary_size() {
        let up_to = |most: u64| {
            let sizes = (0..MOST_PARTS).map_while(|number| Parts::Growing.size(number));
            sizes.take_while(|size| *size <= most).sum::<u64>() >> 30
        };
        let mib = [8, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];
        let gib = [7, 148, 179, 242, 367, 617, 1_117, 2_117, 6_117];
        assert_eq!(mib.map(|mib| up_to(mib << 20)), gib);
    }
}
