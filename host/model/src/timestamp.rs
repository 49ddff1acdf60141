//! Points in time as file systems and tar archives keep them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// Seconds and nanoseconds since 1970-01-01T00:00:00Z.
///
/// Ordered by time. The nanoseconds always count forwards, so half a second before the epoch is
/// `{ seconds: -1, nanoseconds: 500_000_000 }`, as `struct timespec` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp {
    /// Whole seconds since the epoch.
    pub seconds: i64,
    /// Nanoseconds after `seconds`; below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self::from_seconds(0);

    /// Makes a timestamp on a whole second.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Says whether [`to_rfc3339`](Self::to_rfc3339) gives what can be read again: its years have four digits.
    pub fn is_rfc3339(self) -> bool {
        const YEAR_0: i64 = -62_167_219_200;
        const YEAR_10000: i64 = 253_402_300_800;
        (YEAR_0..YEAR_10000).contains(&self.seconds)
    }

    /// Formats as RFC 3339 in UTC, with as many fractional digits as needed (0, 3, 6 or 9).
    pub fn to_rfc3339(self) -> String {
        let (days, second_of_day) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        let fraction = match self.nanoseconds {
            0 => String::new(),
            nanoseconds => format!(".{}", format!("{nanoseconds:09}").trim_end_matches('0')),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }
}

/// Converts days since the epoch to (year, month, day) of the proleptic Gregorian calendar.
///
/// Counts eras of 400 years that begin on the first of March, so that the leap day is the last of a year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl FromStr for Timestamp {
    type Err = ModelError;

    /// Reads whole seconds since the epoch, as in `SOURCE_DATE_EPOCH`; an image must be able to tell of them.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let time = text.trim().parse().ok().map(Self::from_seconds).filter(|time| time.is_rfc3339());
        time.ok_or_else(|| ModelError::Timestamp(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_rfc3339() {
        let text = |seconds, nanoseconds| Timestamp { seconds, nanoseconds }.to_rfc3339();
        assert_eq!(text(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(text(951_782_400, 0), "2000-02-29T00:00:00Z");
        assert_eq!(text(1_700_000_000, 120_000_000), "2023-11-14T22:13:20.12Z");
        assert_eq!(text(-1, 0), "1969-12-31T23:59:59Z");
        assert_eq!(text(253_402_300_799, 0), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn parses_seconds_only() {
        assert_eq!("12".parse::<Timestamp>().unwrap(), Timestamp::from_seconds(12));
        for (text, edge) in
            [("253402300799", "9999-12-31T23:59:59Z"), ("-62167219200", "0000-01-01T00:00:00Z")]
        {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_rfc3339(), edge);
        }
        assert!("253402300800".parse::<Timestamp>().is_err());
        assert!("-62167219201".parse::<Timestamp>().is_err());
        assert!("1.5".parse::<Timestamp>().is_err());
        assert!("".parse::<Timestamp>().is_err());
    }
}
