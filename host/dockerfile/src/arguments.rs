//! How the text behind an instruction's name splits into words, pairs and JSON arrays.
//!
//! Owns the splitting, before any variable is replaced and with quotes left in place, as BuildKit's line parsers
//! do it. Must not know what the words are for.

use crate::ast::{Invocation, Pair, Separator, Spelling, Word};
use crate::directives::Escape;
use crate::error::{DockerfileError, Problem};
use crate::line::{Part, is_blank};

/// Splits at blanks, whatever quotes stand there.
pub(crate) fn blank_separated(part: Part<'_>) -> Vec<Part<'_>> {
    let mut words = Vec::new();
    let mut rest = part.trimmed();
    while !rest.is_empty() {
        let (word, next) = rest.split_first();
        words.push(word);
        rest = next;
    }
    words
}

/// Splits at blanks that are neither quoted nor escaped; quotes and escapes stay in the words.
pub(crate) fn quoted_words(part: Part<'_>, escape: Escape) -> Vec<Part<'_>> {
    let escape = escape.character();
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut characters = part.text().char_indices();
    while let Some((index, character)) = characters.next() {
        if start.is_none() {
            if character.is_whitespace() {
                continue;
            }
            start = Some(index);
        }
        match quote {
            None if character.is_whitespace() => {
                words.extend(start.take().map(|start| part.range(start, index)));
            }
            // Within single quotes nothing is escaped.
            None | Some('"') if character == escape => {
                if characters.next().is_none() {
                    // An escape character that has nothing to escape is dropped.
                    let word = start.take().map(|start| part.range(start, index));
                    words.extend(word.filter(|word| !word.is_empty()));
                }
            }
            None if character == '\'' || character == '"' => quote = Some(character),
            Some(open) if open == character => quote = None,
            None | Some(_) => {}
        }
    }
    words.extend(start.map(|start| part.from(start)));
    words
}

/// What a text that may be a JSON array turns out to be.
pub(crate) enum Json {
    /// An array of strings.
    Array(Vec<String>),
    /// Anything else, which the language takes for plain text.
    Text,
}

/// Reads a JSON array.
///
/// # Errors
/// Refuses a well-formed array that holds anything but strings, as BuildKit does, and one with half a character, which
/// BuildKit replaces.
pub(crate) fn json(part: Part<'_>) -> Result<Json, DockerfileError> {
    let text = part.text();
    if !text.starts_with('[') {
        return Ok(Json::Text);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else {
        return match text.to_ascii_lowercase().match_indices("\\ud").any(|(at, _)| is_surrogate(text, at)) {
            true => Err(Problem::JsonSurrogate.at(part.span())),
            false => Ok(Json::Text),
        };
    };
    let mut strings = Vec::with_capacity(values.len());
    for value in values {
        match value {
            serde_json::Value::String(string) => strings.push(string),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => return Err(Problem::JsonNotStrings.at(part.span())),
        }
    }
    Ok(Json::Array(strings))
}

/// Says whether the `\u` at `at` stands for half of a surrogate pair.
fn is_surrogate(text: &str, at: usize) -> bool {
    let digits = text.get(at + 2..at + 6).unwrap_or_default();
    u32::from_str_radix(digits, 16).is_ok_and(|code| (0xD800..0xE000).contains(&code))
}

/// Reads a command in its JSON or its shell form.
pub(crate) fn invocation(part: Part<'_>) -> Result<Invocation, DockerfileError> {
    Ok(match json(part)? {
        Json::Array(arguments) => Invocation::Exec(arguments),
        Json::Text => Invocation::Shell(part.text().to_owned()),
    })
}

/// Reads words in a JSON array or separated by blanks.
pub(crate) fn word_list(part: Part<'_>) -> Result<Vec<Word>, DockerfileError> {
    Ok(match json(part)? {
        Json::Array(texts) => {
            let span = part.span();
            texts.into_iter().map(|text| Word { text, span, spelling: Spelling::Rewritten }).collect()
        }
        Json::Text => blank_separated(part).into_iter().map(Part::word).collect(),
    })
}

/// Reads `key=value …`, or the old form `key value` with one value to the end of the line.
pub(crate) fn pairs(
    part: Part<'_>,
    escape: Escape,
    instruction: &'static str,
) -> Result<Vec<Pair>, DockerfileError> {
    let words = quoted_words(part, escape);
    let Some(first) = words.first() else {
        return Err(Problem::Arguments { instruction, needed: "at least one `name=value`" }.at(part.span()));
    };
    if !first.text().contains('=') {
        let (key, value) = part.split_first();
        if value.is_empty() {
            return Err(Problem::Arguments { instruction, needed: "a name and a value" }.at(part.span()));
        }
        return Ok(vec![Pair { key: key.word(), value: value.word(), separator: Separator::Blank }]);
    }
    words
        .into_iter()
        .map(|word| {
            let Some(end) = word.text().find('=') else {
                let word_text = word.text().to_owned();
                return Err(Problem::PairWithoutValue { instruction, word: word_text }.at(word.span()));
            };
            if end == 0 {
                return Err(Problem::BlankName { instruction }.at(word.span()));
            }
            let (key, value) = (word.range(0, end).word(), word.from(end + 1).word());
            Ok(Pair { key, value, separator: Separator::Equals })
        })
        .collect()
}

/// Says whether a text holds no blank that would split it.
pub(crate) fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_blank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    fn texts(words: &[Part<'_>]) -> Vec<String> {
        words.iter().map(|word| word.text().to_owned()).collect()
    }

    #[test]
    fn quotes_hold_words_together() {
        let line = Line::single(r#" a="b c" d\ e 'f\' g"h'i j" k\"#, 1, 1);
        let words = quoted_words(line.part(), Escape::Backslash);
        assert_eq!(texts(&words), [r#"a="b c""#, r"d\ e", r"'f\'", r#"g"h'i j""#, "k"]);
        assert_eq!(texts(&quoted_words(Line::single(r"a \", 1, 1).part(), Escape::Backslash)), ["a"]);
        assert_eq!(texts(&blank_separated(line.part())).len(), 8);
    }

    #[test]
    fn json_is_json_or_text() {
        let read = |text: &str| {
            json(Line::single(text, 1, 1).part()).map(|json| match json {
                Json::Array(texts) => Some(texts),
                Json::Text => None,
            })
        };
        assert_eq!(read(r#"["a", "\u0062\n"]"#).unwrap(), Some(vec!["a".to_owned(), "b\n".to_owned()]));
        assert_eq!(read("[]").unwrap(), Some(Vec::new()));
        for text in ["['a']", "[\"a\"] b", "[\"a\"", "a", "", "[ -f x ]", "[\"a\",]"] {
            assert_eq!(read(text).unwrap(), None, "{text}");
        }
        for text in [r#"["\ud800"]"#, r#"["\uDC00 a"]"#] {
            assert_eq!(read(text).unwrap_err().problem(), &Problem::JsonSurrogate, "{text}");
        }
        assert_eq!(read(r#"["\ud83d\ude00"]"#).unwrap(), Some(vec!["\u{1f600}".to_owned()]));
        for text in ["[1]", "[\"a\", null]", "[[]]"] {
            assert_eq!(read(text).unwrap_err().problem(), &Problem::JsonNotStrings, "{text}");
        }
    }

    #[test]
    fn pairs_have_two_forms() {
        let read = |text: &str| {
            pairs(Line::single(text, 1, 1).part(), Escape::Backslash, "ENV").map(|pairs| {
                pairs.into_iter().map(|pair| (pair.key.text, pair.value.text)).collect::<Vec<_>>()
            })
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read("a=b c=\"d e\" f=").unwrap(), [pair("a", "b"), pair("c", "\"d e\""), pair("f", "")]);
        assert_eq!(read("a b=c  d").unwrap(), [pair("a", "b=c  d")]);
        assert_eq!(read("a=b=c").unwrap(), [pair("a", "b=c")]);
        for text in ["", "a", "a=b c", "=a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
