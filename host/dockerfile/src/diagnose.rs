//! How errors and warnings are shown: message, line, caret, hint.

use std::fmt::Write as _;

use zoea_model::SourceSpan;

use crate::error::DockerfileError;

/// The most characters of a source line that are shown, so that one long line does not bury its message.
const LONGEST_EXCERPT: usize = 160;

/// Shows a message with the line of `text` that it is about.
///
/// The form is `file:line:column: message`, the line with a caret below it, and the hint.
pub fn render(
    file_name: &str,
    text: &[u8],
    span: Option<SourceSpan>,
    message: &str,
    hint: Option<&str>,
) -> String {
    let mut out = String::new();
    let message = printable(message);
    match span {
        Some(span) => {
            out = format!("{file_name}:{}:{}: {message}\n", span.line, span.column);
            excerpt(&mut out, span, text);
        }
        None => {
            out.push_str(&message);
            out.push('\n');
        }
    }
    if let Some(hint) = hint {
        out.push_str("hint: ");
        out.push_str(&printable(hint));
        out.push('\n');
    }
    out
}

/// The most characters of a message or hint, which may hold a word of any length.
const LONGEST_MESSAGE: usize = 400;

impl DockerfileError {
    /// Shows the error with the line of `text` that it is about, as [`render`] does.
    pub fn render(&self, file_name: &str, text: &[u8]) -> String {
        render(file_name, text, self.span(), &self.message(), self.hint().as_deref())
    }
}

/// Appends the source line and a caret below its column.
fn excerpt(out: &mut String, span: SourceSpan, text: &[u8]) {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let Some(line) = text.split(|byte| *byte == b'\n').nth(span.line.saturating_sub(1)) else { return };
    let line = String::from_utf8_lossy(line);
    let before = span.column.saturating_sub(1);
    let skipped = before.saturating_sub(LONGEST_EXCERPT / 2);
    let shown: String = line.trim_end().chars().skip(skipped).take(LONGEST_EXCERPT).map(visible).collect();
    if shown.is_empty() {
        return;
    }
    let number = span.line.to_string();
    // Tabs are shown as one blank each, so that the caret stands below its character in every terminal.
    let gutter = " ".repeat(number.len());
    let caret = " ".repeat(before - skipped);
    // Writing to a string cannot fail.
    if writeln!(out, "{number} | {shown}\n{gutter} | {caret}^").is_err() {
        out.push('\n');
    }
}

/// Makes of a message, which may hold words of the file, what can be shown on one line.
pub(crate) fn printable(message: &str) -> String {
    let mut shown: String = message.chars().take(LONGEST_MESSAGE).map(visible).collect();
    if message.chars().nth(LONGEST_MESSAGE).is_some() {
        shown.push('…');
    }
    shown
}

/// Replaces characters that would move the cursor or colour the terminal.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        control if control.is_control() => '\u{FFFD}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(line: usize, column: usize, text: &str) -> String {
        let span = Some(SourceSpan { line, column, end_line: line });
        super::render("D", text.as_bytes(), span, "No", Some("yes"))
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        assert_eq!(render(2, 6, "FROM a\n\tRUN é x\r\n"), "D:2:6: No\n2 |  RUN é x\n  |      ^\nhint: yes\n");
    }

    #[test]
    fn places_outside_the_text_are_survived() {
        assert_eq!(render(9, 1, "a"), "D:9:1: No\nhint: yes\n");
        let long = render(1, 60_000, &"x".repeat(60_000));
        assert!(long.len() < 500, "{long}");
        assert!(!render(1, 1, "\u{1b}[31m").contains('\u{1b}'));
    }

    #[test]
    fn messages_are_short_and_cannot_command_a_terminal() {
        let text = super::render("D", b"", None, &"\u{1b}[31m\n".repeat(10_000), Some("\u{1b}"));
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2 && text.len() < 2_000, "{text}");
    }
}
