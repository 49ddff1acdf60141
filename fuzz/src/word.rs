//! Words with quotes and variables: whatever they hold, replacing the variables ends, and within bounds.

use crate::dockerfile;

/// Puts the bytes after the first into an instruction and plans its build; the first chooses the escape character and
/// the way in which the word is read: as one word, as a list, or as a here-document.
///
/// # Panics
/// As [`dockerfile`].
pub fn word(bytes: &[u8]) {
    let Some((first, word)) = bytes.split_first() else { return };
    let escape = if first & 1 == 0 { '\\' } else { '`' };
    let (before, after) = match (first >> 1) % 3 {
        0 => ("LABEL key=", ""),
        1 => ("EXPOSE ", ""),
        _ => ("COPY <<EOF /to\n", "\nEOF"),
    };
    let start = format!(
        "# escape={escape}\nFROM scratch\nENV a=A b='x y' e= v=foobarfoo p=/usr/local/tool.tar.gz star=a*b\n{before}"
    );
    dockerfile(&[start.as_bytes(), word, after.as_bytes(), b"\n"].concat());
}
