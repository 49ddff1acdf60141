//! One logical line with the way back from each of its bytes to the place in the file.
//!
//! Owns spans. A logical line is joined from pieces of physical lines; a [`Part`] is a range of it that knows its
//! place. Must not know what a line means.

use zoea_model::SourceSpan;

use crate::ast::{Spelling, Word};

/// Every how many bytes the characters are counted in advance, so that a column is found without counting a
/// whole line again for each of its words.
const STRIDE: usize = 256;

/// Where a piece of a logical line comes from.
#[derive(Debug, Clone)]
struct Piece {
    offset: usize,
    line: usize,
    column: usize,
}

/// A logical line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    text: String,
    /// How many characters begin before each multiple of [`STRIDE`].
    counts: Vec<usize>,
    pieces: Vec<Piece>,
    end_line: usize,
    /// The place of every part, where the line is not in the file itself.
    fixed: Option<SourceSpan>,
}

/// Joins pieces to a logical line.
#[derive(Debug, Default)]
pub(crate) struct LineBuilder {
    text: String,
    pieces: Vec<Piece>,
    end_line: usize,
}

impl LineBuilder {
    /// Appends `text`, which stands at `column` of the physical line `line`.
    pub(crate) fn push(&mut self, text: &str, line: usize, column: usize) {
        self.pieces.push(Piece { offset: self.text.len(), line, column });
        self.text.push_str(text);
        self.end_line = line;
    }

    /// Completes the line.
    pub(crate) fn finish(self) -> Line {
        let mut counts = vec![0];
        let mut count = 0;
        for chunk in self.text.as_bytes().chunks(STRIDE) {
            count += chunk.iter().filter(|byte| is_first_byte(**byte)).count();
            counts.push(count);
        }
        Line { text: self.text, counts, pieces: self.pieces, end_line: self.end_line, fixed: None }
    }
}

/// Says whether `byte` begins a character in UTF-8.
fn is_first_byte(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

impl Line {
    /// Gives every part of the line the place `span`.
    pub(crate) fn placed(self, span: SourceSpan) -> Self {
        Self { fixed: Some(span), ..self }
    }

    /// Makes a line of one piece.
    #[cfg(test)]
    pub(crate) fn single(text: &str, line: usize, column: usize) -> Self {
        let mut builder = LineBuilder::default();
        builder.push(text, line, column);
        builder.finish()
    }

    /// Returns the whole line.
    pub(crate) fn part(&self) -> Part<'_> {
        Part { line: self, start: 0, end: self.text.len() }
    }

    /// Returns the physical line and the column of the byte at `offset`.
    fn place(&self, offset: usize) -> (usize, usize) {
        let index = self.pieces.partition_point(|piece| piece.offset <= offset).saturating_sub(1);
        match self.pieces.get(index) {
            Some(piece) => (piece.line, piece.column + self.count(offset) - self.count(piece.offset)),
            None => (1, 1),
        }
    }

    /// Counts the characters that begin before `offset`.
    fn count(&self, offset: usize) -> usize {
        let block = offset / STRIDE;
        let counted = self.counts.get(block).copied().unwrap_or_default();
        let rest = self.text.as_bytes().get(block * STRIDE..offset).unwrap_or_default();
        counted + rest.iter().filter(|byte| is_first_byte(**byte)).count()
    }
}

/// A range of a logical line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    line: &'a Line,
    start: usize,
    end: usize,
}

impl<'a> Part<'a> {
    /// Returns the text.
    pub(crate) fn text(self) -> &'a str {
        self.line.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Says whether there is no text.
    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Returns the bytes from `start` to `end` of this part.
    pub(crate) fn range(self, start: usize, end: usize) -> Self {
        let end = (self.start + end).min(self.end);
        Self { line: self.line, start: (self.start + start).min(end), end }
    }

    /// Returns what follows the first `start` bytes.
    pub(crate) fn from(self, start: usize) -> Self {
        self.range(start, self.end - self.start)
    }

    /// Drops white space at both ends.
    pub(crate) fn trimmed(self) -> Self {
        let text = self.text();
        let end = text.trim_end().len();
        let start = end - text.get(..end).unwrap_or_default().trim_start().len();
        self.range(start, end)
    }

    /// Splits at the first run of blanks.
    pub(crate) fn split_first(self) -> (Self, Self) {
        let text = self.text();
        let end = text.find(is_blank).unwrap_or(text.len());
        let rest = text.get(end..).unwrap_or_default();
        let next = end + rest.len() - rest.trim_start_matches(is_blank).len();
        (self.range(0, end), self.from(next))
    }

    /// Returns the place.
    pub(crate) fn span(self) -> SourceSpan {
        if let Some(span) = self.line.fixed {
            return span;
        }
        let (line, column) = self.line.place(self.start);
        let end_line = match self.end {
            end if end >= self.line.text.len() => self.line.end_line,
            end if end > self.start => self.line.place(end - 1).0,
            _ => line,
        };
        SourceSpan { line, column, end_line }
    }

    /// Copies text and place.
    pub(crate) fn word(self) -> Word {
        let span = self.span();
        let verbatim = self.line.fixed.is_none() && span.line == span.end_line;
        let spelling = if verbatim { Spelling::Verbatim } else { Spelling::Rewritten };
        Word { text: self.text().to_owned(), span, spelling }
    }
}

/// Says whether a character separates words: the blanks of the language, among which a line feed is not.
pub(crate) fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: usize, column: usize, end_line: usize) -> SourceSpan {
        SourceSpan { line, column, end_line }
    }

    #[test]
    fn places_are_found_again_across_pieces() {
        let mut builder = LineBuilder::default();
        builder.push("RUN é ", 3, 5);
        builder.push("  b", 6, 1);
        let line = builder.finish();
        assert_eq!(line.part().text(), "RUN é   b");
        assert_eq!(line.part().span(), span(3, 5, 6));
        let (keyword, rest) = line.part().split_first();
        assert_eq!((keyword.text(), keyword.span()), ("RUN", span(3, 5, 3)));
        assert_eq!((rest.text(), rest.span()), ("é   b", span(3, 9, 6)));
        let (_, last) = rest.split_first();
        assert_eq!((last.text(), last.span()), ("b", span(6, 3, 6)));
    }

    #[test]
    fn columns_count_characters_far_into_a_line() {
        let line = Line::single(&"é".repeat(1000), 1, 1);
        assert_eq!(line.part().from(1998).span().column, 1000);
    }

    #[test]
    fn trimming_stops_at_nothing() {
        let line = Line::single("  \t ", 1, 1);
        assert!(line.part().trimmed().is_empty());
        assert_eq!(Line::single(" a ", 1, 1).part().trimmed().text(), "a");
    }
}
