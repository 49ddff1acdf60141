//! Spellings of values that BuildKit takes from Go's libraries.
//!
//! Owns how they are read, nothing about what they are for.

/// Reads a truth value as `strconv.ParseBool` does.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a number in `base` as `strconv.ParseUint` does: digits only.
pub(crate) fn parse_unsigned(text: &str, base: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.chars().all(|digit| digit.is_digit(base));
    digits.then(|| u32::from_str_radix(text, base).ok())?
}

/// Reads a size in bytes as `units.RAMInBytes` does: `64m`, `1.5 GiB`; none if it is negative or too large.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let end = text.rfind(|last: char| last.is_ascii_digit() || last == '.' || last == ' ')?;
    let (number, suffix) = text.split_at(end + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let suffix = suffix.to_lowercase();
    let power = match suffix.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let is_number = number.starts_with(|first: char| first.is_ascii_digit() || first == '.' || first == '+');
    let bytes = number.parse::<f64>().ok().filter(|_| is_number)? * 1024f64.powi(power);
    // Above this, numbers of bytes are not exact, and no memory is as large.
    (bytes < 1e15).then(|| format!("{:.0}", bytes.trunc()).parse().ok())?
}

/// Splits a line of comma-separated values as `encoding/csv` does; none if a quote stands where it may not.
///
/// Each value comes with the offset of its first byte in the line.
pub(crate) fn split_list(line: &str) -> Option<Vec<(usize, String)>> {
    let mut values = Vec::new();
    let mut rest = line;
    loop {
        let offset = line.len() - rest.len();
        let Some(quoted) = rest.strip_prefix('"') else {
            let (value, more) = match rest.split_once(',') {
                Some((value, more)) => (value, Some(more)),
                None => (rest, None),
            };
            if value.contains('"') {
                return None;
            }
            values.push((offset, value.to_owned()));
            match more {
                Some(more) => rest = more,
                None => return Some(values),
            }
            continue;
        };
        let (value, more) = quoted_value(quoted)?;
        values.push((offset, value));
        match more.strip_prefix(',') {
            Some(more) => rest = more,
            None if more.is_empty() => return Some(values),
            None => return None,
        }
    }
}

/// Reads up to the closing quote; a doubled one is a quote.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (piece, more) = rest.split_once('"')?;
        value.push_str(piece);
        match more.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value, more)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("64", Some(64)),
            ("64m", Some(64 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("2KB", Some(2048)),
            ("10 b", Some(10)),
            ("1e3", Some(1000)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1x", None),
            ("1kbb", None),
            ("inf 1", None),
            ("9999999p", None),
            ("nan", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }

    #[test]
    fn lists() {
        let values = |line: &str| {
            split_list(line).map(|values| values.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
        };
        assert_eq!(values("a=1,b").unwrap(), ["a=1", "b"]);
        assert_eq!(values("\"a,\"\"b\",c,").unwrap(), ["a,\"b", "c", ""]);
        assert_eq!(split_list("ab,\"c\"").unwrap().last(), Some(&(3, "c".to_owned())));
        for line in ["a\"b", "\"a", "\"a\"b", "a,\""] {
            assert_eq!(values(line), None, "{line}");
        }
    }

    #[test]
    fn numbers_and_switches() {
        assert_eq!(parse_unsigned("0755", 8), Some(0o755));
        for text in ["", "+1", "8", "1_0", "77777777777777"] {
            assert_eq!(parse_unsigned(text, 8), None, "{text}");
        }
        assert_eq!(parse_bool("T"), Some(true));
        assert_eq!(parse_bool("yes"), None);
    }
}
