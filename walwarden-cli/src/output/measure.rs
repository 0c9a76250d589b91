//! Sizes and times as people read them.

use std::time::Duration;

/// `999 B`, `1.5 KiB`, `2.0 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut unit = 0;
    #[allow(clippy::cast_precision_loss)] // shown with one decimal
    let mut amount = count as f64 / 1024.0;
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// The age of something, as the dashboard shows it: `12m 00s`, `8h 36m`, `1d 4h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if hours == 0 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h {:02}m", minutes % 60)
    } else {
        format!("{days}d {}h", hours % 24)
    }
}

/// How long something took: `0.42 s`, `12.3 s`, then as [`span`].
pub(crate) fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..60 => format!("{:.1} s", time.as_secs_f64()),
        _ => span(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_published() {
        let minutes = |count: u64| span(Duration::from_secs(count * 60));
        assert_eq!(minutes(0), "0m 00s");
        assert_eq!(minutes(12), "12m 00s");
        assert_eq!(span(Duration::from_secs(3599)), "59m 59s");
        assert_eq!(minutes(60), "1h 00m");
        assert_eq!(minutes(8 * 60 + 36), "8h 36m");
        assert_eq!(minutes(24 * 60 - 1), "23h 59m");
        assert_eq!(minutes(28 * 60), "1d 4h");
    }

    #[test]
    fn sizes_keep_one_decimal() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn short_times_show_fractions() {
        assert_eq!(elapsed(Duration::from_millis(420)), "0.42 s");
        assert_eq!(elapsed(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(elapsed(Duration::from_secs(61)), "1m 01s");
    }
}
