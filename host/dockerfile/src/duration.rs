//! Durations as Go writes and reads them: `1h2m3.5s`.

/// A unit with its length in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration in nanoseconds, as Go's `time.ParseDuration`; `None` where that fails or is negative.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, after) = rest.split_at_checked(number_end?)?;
        let is_unit = |character: char| !character.is_ascii_digit() && character != '.';
        let (unit, next) =
            after.split_at_checked(after.find(|each| !is_unit(each)).unwrap_or(after.len()))?;
        let length = UNITS.into_iter().find(|(name, _)| *name == unit)?.1;
        total = total.checked_add(amount(number, length)?)?;
        rest = next;
    }
    i64::try_from(total).ok()
}

/// Multiplies a decimal number by the length of its unit; what is below a nanosecond is cut off.
fn amount(number: &str, length: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let mut result = whole.checked_mul(length)?;
    let mut place = length;
    let mut remainder: u64 = 0;
    for digit in fraction.bytes() {
        // Each digit is worth a tenth of the one before it; the remainder carries what does not divide.
        let value = u64::from(digit - b'0') * place;
        result = result.checked_add(value / 10)?;
        remainder += value % 10;
        place /= 10;
        if place == 0 {
            break;
        }
    }
    result.checked_add(remainder / 10)
}

/// Writes nanoseconds as Go's `Duration.String` does.
pub(crate) fn format(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1_000_000_000 {
        let (length, unit) = match total {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{unit}", decimal(total, length));
    }
    let (minutes, seconds) = (total / 60_000_000_000, total % 60_000_000_000);
    let seconds = decimal(seconds, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Writes `value / length`, a power of ten, without zeros at the end.
fn decimal(value: u64, length: u64) -> String {
    let (whole, fraction) = (value / length, value % length);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = length.to_string().len() - 1;
    format!("{whole}.{}", format!("{fraction:0digits$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1h", Some(3_600_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("+1ms", Some(1_000_000)),
            ("5us", Some(5_000)),
            ("5µs", Some(5_000)),
            ("7ns", Some(7)),
            ("1.23456789s", Some(1_234_567_890)),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("-1s", None),
            ("1x", None),
            ("1.2.3s", None),
            ("1 s", None),
            ("99999999999h", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_000_000_000, "-1s"),
        ] {
            assert_eq!(format(nanoseconds), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(nanoseconds in 0..=i64::MAX) {
            prop_assert_eq!(parse(&format(nanoseconds)), Some(nanoseconds));
        }

        #[test]
        fn never_panics(text in "[0-9.smhnuµ+-]{0,24}") {
            prop_assert!(parse(&text).is_none_or(|nanoseconds| nanoseconds >= 0));
        }
    }
}
