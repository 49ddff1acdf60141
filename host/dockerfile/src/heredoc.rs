//! Here-documents: which words of a line ask for one.
//!
//! Owns the recognition, as BuildKit's parser does it before it reads an instruction. The lines themselves are read
//! by [`Source`](crate::source::Source).

use crate::arguments::{Json, json};
use crate::ast::{Expansion, Tabs};
use crate::error::{DockerfileError, Problem};
use crate::flags;
use crate::keyword::Keyword;
use crate::line::Part;
use crate::shell_words::{Marks, Quoting, Unreadable, each_word};

/// `<<NAME` as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The digits before `<<`.
    pub(crate) descriptor: String,
    /// What its last line is, quotes and escape characters taken away.
    pub(crate) name: String,
    /// Whether variables are replaced in it.
    pub(crate) expansion: Expansion,
    /// What becomes of tabs at the beginnings of its lines.
    pub(crate) tabs: Tabs,
}

/// Finds the here-documents that a line asks for, in the order in which they follow it.
///
/// A line with an open quote or a wrong substitution asks for none.
pub(crate) fn asked_for(line: Part<'_>) -> Result<Vec<(Mark, Part<'_>)>, DockerfileError> {
    let text = line.text();
    if !text.contains("<<") || !can_ask(line) {
        return Ok(Vec::new());
    }
    let mut words = Vec::new();
    let read = each_word(text, Marks::Keep, &mut |word| {
        if word.text.contains("<<") {
            words.push(word);
        }
    });
    match read {
        Ok(_) => {}
        Err(Unreadable::Broken) => return Ok(Vec::new()),
        Err(Unreadable::TooDeep) => return Err(Problem::HeredocUnclear.at(line.span())),
    }
    let mut marks = Vec::new();
    for word in words {
        let place = line.from(word.start);
        let mark = mark(&word.text).map_err(|_| Problem::HeredocUnclear.at(place.span()))?;
        marks.extend(mark.map(|mark| (mark, place)));
    }
    Ok(marks)
}

/// Says whether the instruction of a line can have here-documents: `RUN`, `COPY` and `ADD` that are not in JSON
/// form, and `ONBUILD` of these.
fn can_ask(line: Part<'_>) -> bool {
    let (keyword, arguments) = split(line);
    let (keyword, arguments) = match keyword {
        Some(Keyword::OnBuild) => split(arguments),
        other => (other, arguments),
    };
    matches!(keyword, Some(Keyword::Run | Keyword::Copy | Keyword::Add))
        && !matches!(json(arguments), Ok(Json::Array(_)))
}

fn split(line: Part<'_>) -> (Option<Keyword>, Part<'_>) {
    let (head, rest) = line.trimmed().split_first();
    (Keyword::find(head.text()), flags::take(rest).1)
}

/// Reads a word of the form `[digits]<<[-][blanks]NAME`; any other asks for nothing.
pub(crate) fn mark(word: &str) -> Result<Option<Mark>, Unreadable> {
    let rest = word.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let descriptor = word.strip_suffix(rest).unwrap_or_default();
    let Some(rest) = rest.strip_prefix("<<") else { return Ok(None) };
    let (tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (Tabs::Strip, rest),
        None => (Tabs::Keep, rest),
    };
    let rest = rest.trim_start_matches(['\t', '\n', '\u{c}', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let mut names = Vec::new();
    let quoting = each_word(rest, Marks::Drop, &mut |word| names.push(word.text))?;
    let expansion = match quoting {
        Quoting::None => Expansion::Variables,
        Quoting::Some => Expansion::None,
    };
    Ok(match <[String; 1]>::try_from(names) {
        Ok([name]) => Some(Mark { descriptor: descriptor.to_owned(), name, expansion, tabs }),
        Err(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    fn names(text: &str) -> Vec<String> {
        let line = Line::single(text, 1, 1);
        asked_for(line.part()).unwrap().into_iter().map(|(mark, _)| mark.name).collect()
    }

    #[test]
    fn here_documents_are_told_from_other_uses() {
        for (text, expected) in [
            ("RUN cat <<EOF > /x", &["EOF"][..]),
            ("RUN 3<<-'E' cat <<\"F G\" 2>&1", &["E", "F G"]),
            ("run cat << EOF", &["EOF"]),
            ("RUN cat <<EOF>/x", &["EOF>/x"]),
            ("RUN cat <<$EOF", &["$EOF"]),
            ("RUN cat <<''", &[""]),
            ("RUN --mount=type=cache <<E", &["E"]),
            ("RUN cat<<EOF", &[]),
            ("RUN cat <<- EOF", &[]),
            ("RUN cat <<< word", &[]),
            ("RUN cat <<<word", &[]),
            ("RUN echo \"a <<EOF\"", &[]),
            ("RUN echo it's <<EOF", &[]),
            ("RUN echo ${x!y} <<EOF", &[]),
            ("RUN echo $((1<<2))", &[]),
            ("RUN echo $((1 << 2))", &["2))"]),
            ("RUN [\"a\", \"<<E\"]", &[]),
            ("RUN [\"a\", <<E]", &["E]"]),
            ("CMD cat <<E", &[]),
            ("COPY <<a <<-b /c", &["a", "b"]),
            ("ONBUILD ADD <<a /c", &["a"]),
            ("ONBUILD -- ADD <<a /c", &["a"]),
            ("ONBUILD CMD <<a", &[]),
            ("ONBUILD ONBUILD RUN <<a", &[]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_but_not_escapes_keep_variables() {
        for (word, name, expansion, tabs) in [
            ("<<E", "E", Expansion::Variables, Tabs::Keep),
            ("<<-E", "E", Expansion::Variables, Tabs::Strip),
            ("<<'E'", "E", Expansion::None, Tabs::Keep),
            ("<<E\"o\"f", "Eof", Expansion::None, Tabs::Keep),
            ("<<\\E", "E", Expansion::Variables, Tabs::Keep),
            ("<<eo\\'f", "eo'f", Expansion::Variables, Tabs::Keep),
            ("<<'e'o\\'f", "eo'f", Expansion::None, Tabs::Keep),
            ("<<''", "", Expansion::None, Tabs::Keep),
        ] {
            let mark = mark(word).unwrap().unwrap();
            assert_eq!((mark.name.as_str(), mark.expansion, mark.tabs), (name, expansion, tabs), "{word}");
        }
        assert_eq!(mark("12<<E").unwrap().unwrap().descriptor, "12");
    }
}
