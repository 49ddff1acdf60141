//! Bytes to logical lines and here-documents: byte order mark, directives, comments, continuations.
//!
//! Owns what a line is, as BuildKit's `parser.Parse` has it. Must not know any instruction. Comments may hold any
//! bytes; lines of instructions and of here-documents are UTF-8 without NUL.

use std::borrow::Cow;
use std::slice::SplitInclusive;

use zoea_model::SourceSpan;

use crate::ast::{HereDocument, Tabs};
use crate::directives::{DirectiveReader, Directives, Escape, Role};
use crate::error::{DockerfileError, Problem};
use crate::error_list::ErrorList;
use crate::heredoc::Mark;
use crate::line::{Line, LineBuilder};

/// The longest physical line, without its line feed: what BuildKit's line scanner can hold.
const LONGEST_LINE: usize = 65_535;

/// The largest file: far above any Dockerfile, generated ones included, and small enough to be held several times.
const LARGEST_FILE: usize = 8 << 20;

/// The most comments that are kept for one instruction, so that a file of nothing else fills no memory.
const MOST_COMMENTS: usize = 10_000;

/// The most blank lines in continued instructions that are kept: each of them only says what the first one says.
const MOST_EMPTY_CONTINUATIONS: usize = 10_000;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file that is being cut into logical lines.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    physical: SplitInclusive<'a, u8, fn(&u8) -> bool>,
    number: usize,
    directives: DirectiveReader,
    comments: Vec<String>,
    empty_continuations: Vec<SourceSpan>,
    errors: ErrorList,
}

/// One instruction's line with what belongs to it.
#[derive(Debug)]
pub(crate) struct Logical {
    /// The line.
    pub(crate) line: Line,
    /// The comments above it.
    pub(crate) comments: Vec<String>,
    /// Whether its text is what the file holds.
    pub(crate) state: LineState,
}

/// Whether a line could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineState {
    /// It could.
    Sound,
    /// It holds what is no text; that error is noted, and no other may be made of it.
    Damaged,
}

/// What is known of a file at its end.
#[derive(Debug)]
pub(crate) struct Rest {
    /// What stands in the comments at its top.
    pub(crate) directives: Directives,
    /// The blank lines within continued instructions.
    pub(crate) empty_continuations: Vec<SourceSpan>,
    /// What was wrong with its lines.
    pub(crate) errors: ErrorList,
}

/// One line of the file.
struct Physical<'a> {
    number: usize,
    /// With its line feed.
    whole: &'a [u8],
    /// Without the line feed, and the carriage returns before it.
    bytes: &'a [u8],
}

impl<'a> Physical<'a> {
    /// Returns what follows the `#` of a comment, and the column of the `#`.
    fn comment(&self) -> Option<(&'a [u8], usize)> {
        let valid = match std::str::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(cause) => std::str::from_utf8(self.bytes.get(..cause.valid_up_to())?).ok()?,
        };
        let blanks = valid.len() - valid.trim_start().len();
        let comment = self.bytes.get(blanks..)?.strip_prefix(b"#")?;
        Some((comment, valid.get(..blanks)?.chars().count() + 1))
    }

    /// Returns `bytes`, which begin this line, as text, or the replaced text and what is wrong with it.
    fn text(&self, bytes: &'a [u8]) -> (Cow<'a, str>, Option<DockerfileError>) {
        let at = |problem: Problem, valid: &[u8]| {
            let column = String::from_utf8_lossy(valid).chars().count() + 1;
            problem.at(SourceSpan { line: self.number, column, end_line: self.number })
        };
        let text = String::from_utf8_lossy(bytes);
        let error = match std::str::from_utf8(bytes) {
            Err(cause) => Some(at(Problem::NotText, bytes.get(..cause.valid_up_to()).unwrap_or_default())),
            Ok(text) => text.find('\0').map(|end| at(Problem::NulByte, bytes.get(..end).unwrap_or_default())),
        };
        (text, error)
    }
}

impl<'a> Source<'a> {
    /// Begins at the first line of `text`.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, DockerfileError> {
        if text.len() > LARGEST_FILE {
            return Err(Problem::FileTooLarge { limit: LARGEST_FILE }.nowhere());
        }
        Ok(Self {
            physical: split(text),
            number: 0,
            directives: DirectiveReader::new(),
            comments: Vec::new(),
            empty_continuations: Vec::new(),
            errors: ErrorList::default(),
        })
    }

    /// Returns the escape character that holds for the line that was read last.
    pub(crate) fn escape(&self) -> Escape {
        self.directives.escape()
    }

    /// Returns what is known at the end.
    pub(crate) fn finish(self) -> Rest {
        Rest {
            directives: self.directives.finish(),
            empty_continuations: self.empty_continuations,
            errors: self.errors,
        }
    }

    /// Reads the next line of an instruction.
    pub(crate) fn next_line(&mut self) -> Option<Logical> {
        let mut open: Option<LineBuilder> = None;
        let mut state = LineState::Sound;
        while let Some(physical) = self.next_physical() {
            if let Some((comment, column)) = physical.comment() {
                if open.is_none() {
                    self.comment(&physical, comment, column);
                }
                continue;
            }
            self.directives.close();
            let (text, error) = physical.text(physical.bytes);
            if let Some(error) = error.filter(|_| state == LineState::Sound) {
                self.errors.push(error);
                state = LineState::Damaged;
            }
            let blank = text.trim_start().is_empty();
            // Blanks at the start of a continued line belong to the instruction, those before an instruction do not.
            let (mut line, text, column) = match open.take() {
                None if blank => continue,
                Some(line) if blank => {
                    self.empty_continuation(physical.number);
                    open = Some(line);
                    continue;
                }
                Some(line) => (line, text.as_ref(), 1),
                None => {
                    let stripped = text.trim_start();
                    let before = text.chars().count() - stripped.chars().count();
                    (LineBuilder::default(), stripped, before + 1)
                }
            };
            let (content, continuation) = continuation(text, self.directives.escape());
            line.push(content, physical.number, column);
            match continuation {
                Continuation::More => open = Some(line),
                Continuation::End => return Some(self.logical(line, state)),
            }
        }
        open.map(|line| self.logical(line, state))
    }

    fn logical(&mut self, line: LineBuilder, state: LineState) -> Logical {
        Logical { line: line.finish(), comments: std::mem::take(&mut self.comments), state }
    }

    /// Reads the lines of the here-document that `mark`, which stands at `place`, asks for.
    pub(crate) fn document(
        &mut self,
        mark: Mark,
        place: SourceSpan,
    ) -> Result<HereDocument, DockerfileError> {
        let line = self.number + 1;
        let mut written = String::new();
        let mut near_miss = None;
        let mut state = LineState::Sound;
        while let Some(physical) = self.next_physical() {
            let tabs = match mark.tabs {
                Tabs::Strip => physical.bytes.iter().take_while(|byte| **byte == b'\t').count(),
                Tabs::Keep => 0,
            };
            if physical.bytes.get(tabs..) == Some(mark.name.as_bytes()) {
                let span = SourceSpan { line, column: 1, end_line: physical.number };
                return Ok(HereDocument::new(mark, written, span));
            }
            if near_miss.is_none() && physical.bytes.trim_ascii() == mark.name.as_bytes() {
                near_miss = Some(physical.number);
            }
            let (text, error) = physical.text(physical.whole);
            if let Some(error) = error.filter(|_| state == LineState::Sound) {
                self.errors.push(error);
                state = LineState::Damaged;
            }
            written.push_str(&text);
        }
        Err(Problem::HeredocOpen { name: mark.name, near_miss }.at(place))
    }

    fn next_physical(&mut self) -> Option<Physical<'a>> {
        let whole = self.physical.next()?;
        self.number += 1;
        let number = self.number;
        if whole.strip_suffix(b"\n").unwrap_or(whole).len() > LONGEST_LINE {
            let span = SourceSpan { line: number, column: 1, end_line: number };
            self.errors.push(Problem::LineTooLong { limit: LONGEST_LINE }.at(span));
            // What follows cannot be told: the line may have been continued.
            self.physical = split(b"");
            return None;
        }
        let whole = match number {
            1 => whole.strip_prefix(BYTE_ORDER_MARK).unwrap_or(whole),
            _ => whole,
        };
        let end = whole.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
        Some(Physical { number, whole, bytes: whole.get(..end).unwrap_or_default() })
    }

    fn empty_continuation(&mut self, line: usize) {
        if self.empty_continuations.len() < MOST_EMPTY_CONTINUATIONS {
            self.empty_continuations.push(SourceSpan { line, column: 1, end_line: line });
        }
    }

    fn comment(&mut self, physical: &Physical<'a>, comment: &[u8], column: usize) {
        let span = SourceSpan { line: physical.number, column, end_line: physical.number };
        match self.directives.comment(comment, span) {
            Ok(Role::Directive) => return,
            Ok(Role::Comment) => {}
            Err(error) => self.errors.push(error),
        }
        // BuildKit drops the first byte of the line, which is the `#` unless blanks stand before it.
        let text = readable(physical.bytes.get(1..).unwrap_or_default());
        if text.trim().is_empty() {
            self.comments.clear();
        } else if self.comments.len() < MOST_COMMENTS {
            self.comments.push(text.trim().to_owned());
        }
    }
}

/// Cuts a text behind its line feeds.
fn split(text: &[u8]) -> SplitInclusive<'_, u8, fn(&u8) -> bool> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Replaces what is no text, without growing.
fn readable(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .flat_map(|chunk| [chunk.valid(), if chunk.invalid().is_empty() { "" } else { "?" }])
        .collect()
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

    fn read(text: &[u8]) -> (Vec<Logical>, Rest) {
        let mut source = Source::new(text).unwrap();
        let lines = std::iter::from_fn(|| source.next_line()).collect();
        (lines, source.finish())
    }

    fn lines(text: &[u8]) -> Vec<String> {
        let (lines, rest) = read(text);
        assert!(rest.errors.is_empty(), "{rest:?}");
        lines.iter().map(|logical| logical.line.part().text().to_owned()).collect()
    }

    fn error(text: &[u8]) -> DockerfileError {
        read(text).1.errors.finish().unwrap_err().first().clone()
    }

    #[test]
    fn lines_are_continued() {
        assert_eq!(lines(b"RUN a \\\n  b \\ \t\n# comment \\\n\n   c\nRUN d"), ["RUN a   b    c", "RUN d"]);
        assert_eq!(lines(b"RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(lines(b"RUN a\\\\\\\nRUN b"), ["RUN a\\\\\\", "RUN b"]);
        assert_eq!(lines(b"RUN a \\"), ["RUN a "]);
        assert_eq!(lines(b"\\\nRUN a\n"), ["RUN a"]);
        assert_eq!(lines(b"\\\n"), [""]);
    }

    #[test]
    fn blank_lines_in_continuations_are_noted() {
        let (_, rest) = read(b"\nRUN a \\\n\n# c\n \t\n b\n\n");
        assert_eq!(rest.empty_continuations.iter().map(|span| span.line).collect::<Vec<_>>(), [3, 5]);
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
    fn comments_belong_to_the_next_instruction() {
        let (lines, _) = read(b"# escape=`\n# a\n#\n#b \xff\n\n  # c\nARG x `\n# no\n y\nARG z");
        assert_eq!(lines[0].comments, ["b ?", "# c"]);
        assert_eq!(lines[1].comments, [""; 0]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_stand() {
        let error = error(b"FROM a\nRUN \xc3\xa9\xff");
        assert_eq!(error.problem(), &Problem::NotText);
        assert_eq!(error.span(), Some(SourceSpan { line: 2, column: 6, end_line: 2 }));
        assert_eq!(self::error(b"RUN \0").problem(), &Problem::NulByte);
        let (lines, _) = read(b"RUN \xff \\\n b\nRUN c");
        assert_eq!(
            lines.iter().map(|line| line.state).collect::<Vec<_>>(),
            [LineState::Damaged, LineState::Sound]
        );
    }

    #[test]
    fn long_lines_are_refused() {
        assert_eq!(lines(&[b'x'; LONGEST_LINE]).len(), 1);
        assert_eq!(error(&[b'x'; LONGEST_LINE + 1]).span().unwrap().line, 1);
        assert_eq!(error(&[&b"# "[..], &[b'x'; LONGEST_LINE], b"\n"].concat()).span().unwrap().line, 1);
        assert!(Source::new(&vec![b'\n'; LARGEST_FILE + 1]).is_err());
    }
}
