//! The lines of a file around a place.

use zoea_model::SourceSpan;

use crate::diagnose::printable;

/// What parts the lines from what stands around them.
const RULER: &str = "--------------------\n";

/// How many steps are gone away from a place of one line, and from a longer one, for lines around it.
const AROUND_ONE_LINE: usize = 4;
const AROUND_SEVERAL: usize = 2;

/// Writes `file:line` and the lines of a place, marked, with some around them.
pub(super) fn excerpt(file_name: &str, text: &[u8], span: SourceSpan) -> String {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if span.line == 0 || span.line > lines.len() {
        return String::new();
    }
    let last = span.end_line.clamp(span.line, lines.len());
    let (first_shown, last_shown) = around(span.line, last, lines.len());
    let mut out = format!("{}:{}\n{RULER}", printable(file_name), span.line);
    for (number, line) in (1..).zip(lines).take(last_shown).skip(first_shown - 1) {
        let mark = if (span.line..=last).contains(&number) { ">>>" } else { "   " };
        let line = String::from_utf8_lossy(line);
        let line = printable(line.trim_end_matches('\r'));
        out.push_str(&format!(" {number:>3} | {mark} {line}\n"));
    }
    out.push_str(RULER);
    out
}

/// Widens a range of lines above and below, as BuildKit does: a line that is not there counts too.
fn around(mut first: usize, mut last: usize, count: usize) -> (usize, usize) {
    let wanted = if first == last { AROUND_ONE_LINE } else { AROUND_SEVERAL };
    let mut steps = 0;
    while steps < wanted {
        if first > 1 {
            first -= 1;
            steps += 1;
        }
        if last < count {
            last += 1;
            steps += 1;
        }
        steps += 1;
    }
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_are_shown() {
        let text = b"FROM a\nRUN b\nRUN c\nRUN d\nRUN e\n";
        let span = SourceSpan { line: 3, column: 1, end_line: 3 };
        assert_eq!(
            excerpt("Dockerfile", text, span),
            "Dockerfile:3\n--------------------\n   1 |     FROM a\n   2 |     RUN b\n   3 | >>> RUN c\n   4 |     RUN d\n   5 |     RUN e\n--------------------\n"
        );
        let whole = SourceSpan { line: 1, column: 1, end_line: 9 };
        assert!(excerpt("f", b"a\nb", whole).contains("   2 | >>> b\n"));
        assert_eq!(excerpt("f", b"a", SourceSpan { line: 9, column: 1, end_line: 9 }), "");
    }
}
