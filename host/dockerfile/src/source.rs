//! Bytes to logical lines: byte order mark, directives, comments, continuations.
//!
//! Owns what a line is, as BuildKit's `parser.Parse` has it. Must not know any instruction. Comments may hold any
//! bytes; lines of instructions are UTF-8 without NUL.

use zoea_model::SourceSpan;

use crate::directives::{DirectiveReader, Directives, Escape};
use crate::error::{DockerfileError, Problem};
use crate::line::{Line, LineBuilder};

/// The longest physical line, without its line feed: what BuildKit's line scanner can hold.
const LONGEST_LINE: usize = 65_535;

/// The largest file: far above any Dockerfile, generated ones included, and small enough to be held several times.
const LARGEST_FILE: usize = 8 << 20;

/// A file cut into logical lines.
#[derive(Debug)]
pub(crate) struct Source {
    /// What stands in the comments at its top.
    pub(crate) directives: Directives,
    /// The lines of instructions.
    pub(crate) lines: Vec<Line>,
}

/// One line of the file.
struct Physical<'a> {
    number: usize,
    bytes: &'a [u8],
}

impl<'a> Physical<'a> {
    fn new(number: usize, bytes: &'a [u8]) -> Result<Self, DockerfileError> {
        if bytes.len() > LONGEST_LINE {
            let span = SourceSpan { line: number, column: 1, end_line: number };
            return Err(Problem::LineTooLong { limit: LONGEST_LINE }.at(span));
        }
        let end = bytes.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        Ok(Self { number, bytes: bytes.get(..end).unwrap_or_default() })
    }

    /// Returns what follows the `#` of a comment, and the column of the `#`.
    fn comment(&self) -> Option<(&'a [u8], usize)> {
        let start = self.bytes.iter().position(|byte| !b" \t\x0b\x0c\r".contains(byte))?;
        let comment = self.bytes.get(start..)?.strip_prefix(b"#")?;
        Some((comment, start + 1))
    }

    fn text(&self) -> Result<&'a str, DockerfileError> {
        let at = |valid: &[u8]| {
            let column = String::from_utf8_lossy(valid).chars().count() + 1;
            SourceSpan { line: self.number, column, end_line: self.number }
        };
        let text = std::str::from_utf8(self.bytes).map_err(|cause| {
            Problem::NotText.at(at(self.bytes.get(..cause.valid_up_to()).unwrap_or_default()))
        })?;
        match text.find('\0') {
            Some(end) => Err(Problem::NulByte.at(at(self.bytes.get(..end).unwrap_or_default()))),
            None => Ok(text),
        }
    }
}

/// Cuts `text` into logical lines.
pub(crate) fn read(text: &[u8]) -> Result<Source, DockerfileError> {
    if text.len() > LARGEST_FILE {
        return Err(Problem::FileTooLarge { limit: LARGEST_FILE }.nowhere());
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut directives = DirectiveReader::new();
    let mut lines = Vec::new();
    let mut open: Option<LineBuilder> = None;
    for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let physical = Physical::new(index + 1, bytes)?;
        if let Some((comment, column)) = physical.comment() {
            if open.is_none() {
                read_comment(&mut directives, comment, &physical, column)?;
            }
            continue;
        }
        directives.close();
        let text = physical.text()?;
        if text.trim_start().is_empty() {
            continue;
        }
        // Blanks at the start of a continued line belong to the instruction, those before an instruction do not.
        let (mut line, text, column) = match open.take() {
            Some(line) => (line, text, 1),
            None => {
                let stripped = text.trim_start();
                let before = text.chars().count() - stripped.chars().count();
                (LineBuilder::default(), stripped, before + 1)
            }
        };
        let (content, continuation) = continuation(text, directives.escape());
        line.push(content, physical.number, column);
        match continuation {
            Continuation::More => open = Some(line),
            Continuation::End => lines.push(line.finish()),
        }
    }
    lines.extend(open.map(LineBuilder::finish));
    lines.retain(|line| !line.part().trimmed().is_empty());
    Ok(Source { directives: directives.finish(), lines })
}

fn read_comment(
    directives: &mut DirectiveReader,
    comment: &[u8],
    physical: &Physical<'_>,
    column: usize,
) -> Result<(), DockerfileError> {
    let span = SourceSpan { line: physical.number, column, end_line: physical.number };
    match std::str::from_utf8(comment) {
        Ok(comment) => directives.comment(comment, span),
        Err(_) => {
            directives.close();
            Ok(())
        }
    }
}

/// Whether the next physical line belongs to the same instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuation {
    More,
    End,
}

/// Takes the escape character off the end, unless another stands before it. Blanks may follow it.
fn continuation(text: &str, escape: Escape) -> (&str, Continuation) {
    let escape = escape.character();
    match text.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(content) if !content.ends_with(escape) => (content, Continuation::More),
        Some(_) | None => (text, Continuation::End),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<String> {
        read(text).unwrap().lines.iter().map(|line| line.part().text().to_owned()).collect()
    }

    #[test]
    fn lines_are_continued() {
        assert_eq!(lines(b"RUN a \\\n  b \\ \t\n# comment \\\n\n   c\nRUN d"), ["RUN a   b    c", "RUN d"]);
        assert_eq!(lines(b"RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(lines(b"RUN a \\"), ["RUN a "]);
        assert_eq!(lines(b"\\\nRUN a\n"), ["RUN a"]);
        assert_eq!(lines(b"\\\n"), [""; 0]);
    }

    #[test]
    fn marks_and_line_ends_are_dropped() {
        assert_eq!(lines(b"\xEF\xBB\xBF# escape=`\r\n  RUN a `\r\n b\r\n"), ["RUN a  b"]);
        assert_eq!(lines(b"\n\n \t\n"), [""; 0]);
    }

    #[test]
    fn comments_may_hold_anything() {
        assert_eq!(lines(b"# caf\xe9\n# escape=`\nRUN a\\\n # \xff \\\nb"), ["RUN ab"]);
        assert_eq!(lines(b"RUN a # b"), ["RUN a # b"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_stand() {
        let error = read(b"FROM a\nRUN \xc3\xa9\xff").unwrap_err();
        assert_eq!(error.problem(), &Problem::NotText);
        assert_eq!(error.span(), Some(SourceSpan { line: 2, column: 6, end_line: 2 }));
        assert_eq!(read(b"RUN \0").unwrap_err().problem(), &Problem::NulByte);
    }

    #[test]
    fn long_lines_are_refused() {
        assert!(read(&[b'x'; LONGEST_LINE]).is_ok());
        assert!(read(&[b'x'; LONGEST_LINE + 1]).is_err());
        assert!(read(&vec![b'\n'; LARGEST_FILE + 1]).is_err());
    }
}
