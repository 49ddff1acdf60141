//! Here-documents: finding where a line asks for one.
//!
//! Owns their recognition only. This version does not build them, and must not take their text for instructions,
//! so every line that asks for one is refused.

use crate::arguments::{quoted_words, quotes_are_closed};
use crate::directives::Escape;
use crate::line::Part;

/// Returns the first word of the form `[digits]<<[-]NAME`.
///
/// As in BuildKit, a line with an open quote has none.
pub(crate) fn find(part: Part<'_>, escape: Escape) -> Option<Part<'_>> {
    if !part.text().contains("<<") || !quotes_are_closed(part.text(), escape) {
        return None;
    }
    quoted_words(part, escape).into_iter().find(|word| is_heredoc(word.text()))
}

fn is_heredoc(word: &str) -> bool {
    let rest = word.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let Some(name) = rest.strip_prefix("<<") else { return false };
    let name = name.strip_prefix('-').unwrap_or(name);
    !name.contains('<') && !name.trim_matches(['\'', '"']).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    #[test]
    fn heredocs_are_told_from_other_uses() {
        for (text, expected) in [
            ("cat <<EOF > /x", Some("<<EOF")),
            ("3<<-'E'", Some("3<<-'E'")),
            ("cat<<EOF", None),
            ("cat <<< word", None),
            ("cat <<<word", None),
            ("echo \"a <<EOF\"", None),
            ("echo it's <<EOF", None),
            ("echo $((1<<2))", None),
            ("cat << EOF", None),
            ("echo a", None),
        ] {
            let line = Line::single(text, 1, 1);
            assert_eq!(find(line.part(), Escape::Backslash).map(Part::text), expected, "{text}");
        }
    }
}
