//! Fields of tar headers and records of PAX headers.
//!
//! Only parses bytes that are in memory already. Numbers come in octal or in base 256 (GNU), as `tar(5)` says.

use std::io;

use zoea_model::Timestamp;

use crate::error::invalid;
use crate::tar_reader::{BLOCK_SIZE, Xattrs};

/// Prefix of PAX records that hold extended attributes.
pub(crate) const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// Where the checksum stands in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// What extended headers say about the member behind them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<Timestamp>,
    pub(crate) xattrs: Xattrs,
    pub(crate) sparse: bool,
}

/// A number of a header: 64 bits with a sign do for every field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(i64);

impl Number {
    pub(crate) fn signed(self, _field: &'static str) -> io::Result<i64> {
        Ok(self.0)
    }

    pub(crate) fn unsigned(self, field: &'static str) -> io::Result<u64> {
        u64::try_from(self.0).map_err(|_| invalid(format!("the {field} is negative")))
    }
}

/// Reads a numeric field; an empty one is zero.
pub(crate) fn number(field: &[u8], name: &'static str) -> io::Result<Number> {
    let bad = || invalid(format!("the {name} of a header is no number"));
    if let Some(first) = field.first().filter(|first| **first & 0x80 != 0) {
        // Two's complement in all bits but the first, whose second is the sign.
        let start: i128 = if first & 0x40 != 0 { -1 } else { 0 };
        let first = i128::from(first & 0x3f);
        let mut value = start << 6 | first;
        for byte in field.get(1..).unwrap_or_default() {
            value = value << 8 | i128::from(*byte);
        }
        return i64::try_from(value).map(Number).map_err(|_| bad());
    }
    let digits = field.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
    let mut value: i64 = 0;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'7' => i64::from(digit - b'0'),
            _ => return Err(bad()),
        };
        value = value.checked_mul(8).and_then(|value| value.checked_add(digit)).ok_or_else(bad)?;
    }
    Ok(Number(value))
}

/// Compares the checksum with the bytes, as unsigned ones or as the signed ones of some old writers.
pub(crate) fn checksum_matches(block: &[u8; BLOCK_SIZE]) -> bool {
    let Some(Number(expected)) = block.get(CHECKSUM).and_then(|field| number(field, "checksum").ok()) else {
        return false;
    };
    let bytes = block.iter().enumerate();
    let blanked = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = blanked.clone().map(i64::from).sum();
    let signed: i64 = blanked.map(|byte| i64::from(byte.cast_signed())).sum();
    expected == unsigned || expected == signed
}

/// Says whether a header's own name tells anything: those of extended headers are made up.
pub(crate) fn has_name(block: &[u8; BLOCK_SIZE]) -> bool {
    !matches!(tar::Header::from_byte_slice(block).as_old().linkflag, [b'x' | b'g' | b'L' | b'K'])
}

/// Reads the records of a PAX header, `<length> <key>=<value>\n` each.
pub(crate) fn parse_records(mut records: &[u8], extensions: &mut Extensions) -> io::Result<()> {
    let bad = || invalid("a PAX header is not well-formed");
    while !records.is_empty() {
        let blank = records.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length = decimal(records.get(..blank).unwrap_or_default()).ok_or_else(bad)?;
        let length = usize::try_from(length).map_err(|_| bad())?;
        let record = records.get(blank + 1..length).ok_or_else(bad)?;
        let record = record.strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        let (key, value) = (record.get(..equals).unwrap_or_default(), record.get(equals + 1..));
        apply(key, value.unwrap_or_default(), extensions).ok_or_else(bad)?;
        records = records.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn apply(key: &[u8], value: &[u8], extensions: &mut Extensions) -> Option<()> {
    let text = |value: &[u8]| (!value.is_empty()).then(|| value.to_vec());
    match key {
        b"path" => extensions.path = text(value),
        b"linkpath" => extensions.link = text(value),
        b"size" => extensions.size = Some(decimal(value)?),
        b"uid" => extensions.uid = Some(decimal(value)?),
        b"gid" => extensions.gid = Some(decimal(value)?),
        b"mtime" => extensions.mtime = Some(time(value)?),
        _ if key.starts_with(b"GNU.sparse.") => extensions.sparse = true,
        _ => {
            if let Some(name) = key.strip_prefix(XATTR_PREFIX) {
                extensions.xattrs.insert(name.to_vec(), value.to_vec());
            }
        }
    }
    Some(())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.iter().any(|digit| !digit.is_ascii_digit()) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads seconds with an optional sign and fraction; digits beyond nanoseconds are cut off.
fn time(value: &[u8]) -> Option<Timestamp> {
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or(b"0");
    decimal(fraction).or_else(|| fraction.iter().all(u8::is_ascii_digit).then_some(0))?;
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanoseconds) {
        (false, _) => Timestamp { seconds, nanoseconds },
        (true, 0) => Timestamp::from_seconds(-seconds),
        (true, _) => Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        let read = |field: &[u8]| number(field, "size").map(|number| number.0).ok();
        assert_eq!(read(b"0000644\0"), Some(0o644));
        assert_eq!(read(b"   644 \0"), Some(0o644));
        assert_eq!(read(b"\0\0\0"), Some(0));
        assert_eq!(read(b"77777777777 "), Some(0o77_777_777_777));
        assert_eq!(read(&[0x80, 0, 0, 1, 0]), Some(256));
        assert_eq!(read(&[0xff, 0xff, 0xfe]), Some(-2));
        assert_eq!(read(b"12x"), None);
        assert_eq!(read(b"-1"), None);
        assert_eq!(read(&[0xbf; 12]), None);
    }

    #[test]
    fn times_have_signs_and_fractions() {
        let at = |seconds, nanoseconds| Some(Timestamp { seconds, nanoseconds });
        assert_eq!(time(b"5"), at(5, 0));
        assert_eq!(time(b"5.5"), at(5, 500_000_000));
        assert_eq!(time(b"5.1234567891234567891234567"), at(5, 123_456_789));
        assert_eq!(time(b"-0.5"), at(-1, 500_000_000));
        assert_eq!(time(b"-7"), at(-7, 0));
        for bad in [&b""[..], b"-", b".5", b"1e5", b"5.x", b"99999999999999999999"] {
            assert_eq!(time(bad), None, "{bad:?}");
        }
    }
}
