//! Text for a terminal: what others wrote is shown, and never obeyed.
//!
//! Owns which characters a message may not send. Dockerfiles, images and servers name much of what messages tell.

/// Makes a line of progress of `text`: nothing in it moves the cursor, colours, or begins another line.
pub(crate) fn visible_line(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// Makes a message of `text`, which may have several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { character } else { visible(character) }).collect()
}

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

    #[test]
    fn a_terminal_gets_no_orders() {
        assert_eq!(visible_line("a\u{1b}[31m\r\nb\tc\u{9b}é"), "a\u{FFFD}[31m\u{FFFD}\u{FFFD}b c\u{FFFD}é");
        assert_eq!(visible_lines("a\u{7}\n  b"), "a\u{FFFD}\n  b");
    }
}
