//! How large the parts of an upload of unknown length are.

/// Part sizes by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// 8 MiB at first, doubled after each 1,000 parts, at most 4 GiB:
    ///
    /// | object up to | part size |
    /// |---|---|
    /// | 7.8 GiB | 8 MiB |
    /// | 23 GiB | 16 MiB |
    /// | 54 GiB | 32 MiB |
    /// | 117 GiB | 64 MiB |
    /// | 242 GiB | 128 MiB |
    /// | 1.9 TiB | 1 GiB |
    /// | 7.9 TiB | 4 GiB |
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
            Parts::Growing => FIRST_BYTES << (number / 1_000),
            Parts::Fixed(bytes) => bytes,
        })
    }
}

const MOST_PARTS: usize = 10_000;
const FIRST_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_parts_hold_multi_tebibyte_objects_within_the_limits_of_stores() {
        let sizes: Vec<u64> = (0..MOST_PARTS).map_while(|number| Parts::Growing.size(number)).collect();
        assert_eq!(sizes.len(), MOST_PARTS);
        assert_eq!(Parts::Growing.size(MOST_PARTS), None);
        assert!(sizes.iter().all(|size| (5 << 20..=4 << 30).contains(size)));
        assert!(sizes.iter().sum::<u64>() > 7 << 40);
    }
}
