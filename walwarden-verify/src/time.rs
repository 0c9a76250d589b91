//! Points in time as our documents write them.

use std::fmt;
use std::str::FromStr;

/// A UTC time to the millisecond, written as RFC 3339 with exactly three fractional digits:
/// `2026-11-21T02:06:29.123Z`. Years 0000 to 9999, no leap seconds.
///
/// ```
/// use walwarden_verify::Timestamp;
///
/// let time: Timestamp = "2026-11-21T02:06:29.123Z".parse().unwrap();
/// assert_eq!(time.unix_millis(), 1_795_226_789_123);
/// assert_eq!(Timestamp::from_unix_millis(1_795_226_789_123), Some(time));
/// assert!("2026-11-21T02:06:29Z".parse::<Timestamp>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    // Milliseconds since 1970-01-01T00:00:00Z, always within MIN..=MAX.
    millis: i64,
}

const MILLIS_PER_DAY: i64 = 86_400_000;

impl Timestamp {
    /// The earliest: `0000-01-01T00:00:00.000Z`.
    pub const MIN: Timestamp = Timestamp { millis: -62_167_219_200_000 };
    /// The latest: `9999-12-31T23:59:59.999Z`.
    pub const MAX: Timestamp = Timestamp { millis: 253_402_300_799_999 };

    /// From milliseconds since the Unix epoch; none outside the years 0000 to 9999.
    pub const fn from_unix_millis(millis: i64) -> Option<Self> {
        if millis >= Self::MIN.millis && millis <= Self::MAX.millis {
            Some(Timestamp { millis })
        } else {
            None
        }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.millis
    }

    /// The UTC day as year, month and day.
    ///
    /// ```
    /// # use walwarden_verify::Timestamp;
    /// assert_eq!(Timestamp::from_unix_millis(0).unwrap().date(), (1970, 1, 1));
    /// ```
    pub const fn date(self) -> (u16, u8, u8) {
        civil_from_days(self.millis.div_euclid(MILLIS_PER_DAY))
    }
}

// Days since 1970-01-01 to the proleptic Gregorian date and back. Years are counted from March, so that the leap
// day is the last of its year, in eras of 400 years (146,097 days).
const fn civil_from_days(days: i64) -> (u16, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    (year as u16, month as u8, day as u8)
}

const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The text is not a UTC time with exactly three fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeTextError;

impl fmt::Display for TimeTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time is written as YYYY-MM-DDThh:mm:ss.mmmZ")
    }
}

impl std::error::Error for TimeTextError {}

impl FromStr for Timestamp {
    type Err = TimeTextError;

    fn from_str(text: &str) -> Result<Self, TimeTextError> {
        let bytes: &[u8; 24] = text.as_bytes().try_into().map_err(|_| TimeTextError)?;
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0_i64, |sum, digit| match digit {
                b'0'..=b'9' => Ok(sum * 10 + i64::from(digit - b'0')),
                _ => Err(TimeTextError),
            })
        };
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
        if marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
            return Err(TimeTextError);
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second, milli) =
            (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
        let days = days_from_civil(year, month, day);
        // A day or month that does not exist comes back as another date.
        let round_trip = civil_from_days(days);
        let exists =
            (i64::from(round_trip.0), i64::from(round_trip.1), i64::from(round_trip.2)) == (year, month, day);
        if !(1..=12).contains(&month) || !exists || hour > 23 || minute > 59 || second > 59 {
            return Err(TimeTextError);
        }
        let millis = days * MILLIS_PER_DAY + ((hour * 60 + minute) * 60 + second) * 1000 + milli;
        Ok(Timestamp { millis })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let of_day = self.millis.rem_euclid(MILLIS_PER_DAY);
        let (second, milli) = (of_day / 1000, of_day % 1000);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
