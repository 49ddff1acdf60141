//! The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*`, `?` and the backslash, no classes.
//!
//! Owns what a pattern matches. As in BuildKit, a pattern becomes a regular expression whose search takes the first
//! match, and neither `*` nor `?` matches a line feed.

use regex::{Match, Regex};

use crate::error::Problem;

/// The longest pattern, in bytes: many times what anyone writes, and compiled within a few megabytes.
pub(super) const LONGEST_PATTERN: usize = 1024;

/// How much a `*` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Shortest,
    Longest,
}

/// Whether a pattern may match anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Start,
    Anywhere,
}

/// Takes what `pattern` matches off the beginning.
pub(super) fn without_prefix(value: &str, pattern: &str, reach: Reach) -> Result<String, Problem> {
    let found = compile(pattern, reach, Anchor::Start)?.find(value).map_or(0, |found| found.end());
    Ok(value.get(found..).unwrap_or_default().to_owned())
}

/// Takes what `pattern` matches off the end: as BuildKit, off the beginning of everything written backwards.
pub(super) fn without_suffix(value: &str, pattern: &str, reach: Reach) -> Result<String, Problem> {
    let rest = without_prefix(&backwards(value), &pattern_backwards(pattern), reach)
        .map_err(|problem| problem_of(pattern, problem))?;
    Ok(backwards(&rest))
}

/// Puts `replacement` in the place of the first match.
pub(super) fn with_first_replaced(value: &str, pattern: &str, replacement: &str) -> Result<String, Problem> {
    let regex = compile(pattern, Reach::Longest, Anchor::Anywhere)?;
    let Some(found) = regex.find(value) else { return Ok(value.to_owned()) };
    let (before, after) = around(value, &found);
    Ok([before, replacement, after].concat())
}

/// Puts `replacement` in the place of every match; `None` if the result is longer than `limit`.
///
/// The replacement is a template in which `$0` is the match: BuildKit uses a function of its language that has them.
pub(super) fn with_all_replaced(
    value: &str,
    pattern: &str,
    replacement: &str,
    limit: usize,
) -> Result<Option<String>, Problem> {
    let regex = compile(pattern, Reach::Longest, Anchor::Anywhere)?;
    let (mut text, mut end) = (String::new(), 0);
    for found in regex.find_iter(value) {
        text.push_str(value.get(end..found.start()).unwrap_or_default());
        fill_template(&mut text, replacement, found.as_str(), limit);
        end = found.end();
        if text.len() > limit {
            return Ok(None);
        }
    }
    text.push_str(value.get(end..).unwrap_or_default());
    Ok((text.len() <= limit).then_some(text))
}

fn around<'a>(value: &'a str, found: &Match<'_>) -> (&'a str, &'a str) {
    let part = |range: Option<&'a str>| range.unwrap_or_default();
    (part(value.get(..found.start())), part(value.get(found.end()..)))
}

fn compile(pattern: &str, reach: Reach, anchor: Anchor) -> Result<Regex, Problem> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(Problem::PatternTooLong { limit: LONGEST_PATTERN });
    }
    let invalid = |reason: String| Problem::Pattern { pattern: pattern.to_owned(), reason };
    // The scanner that BuildKit reads patterns with drops a byte order mark.
    let mut characters = pattern.strip_prefix('\u{feff}').unwrap_or(pattern).chars().peekable();
    let mut expression = String::new();
    if anchor == Anchor::Start {
        expression.push('^');
    }
    while let Some(character) = characters.next() {
        match character {
            '*' if reach == Reach::Longest => expression.push_str(".*"),
            '*' => expression.push_str(".*?"),
            '?' => expression.push('.'),
            // `}` and `/` are escaped to stand in `${…}` at all; the escape is no part of the pattern.
            '\\' if matches!(characters.peek(), Some('}' | '/')) => {}
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '?' | '\\')) => literal(&mut expression, escaped),
                Some(other) => return Err(invalid(format!("`\\{other}` is no escape in it"))),
                None => return Err(invalid("a backslash ends it".to_owned())),
            },
            other => literal(&mut expression, other),
        }
    }
    Regex::new(&expression).map_err(|error| invalid(error.to_string()))
}

fn literal(expression: &mut String, character: char) {
    expression.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// Writes a pattern backwards, each backslash still before the character that it escapes.
fn pattern_backwards(pattern: &str) -> String {
    let mut units: Vec<&str> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.strip_prefix('\\').and_then(|after| after.chars().next());
        let (unit, after) = rest.split_at(first.len_utf8() + escaped.map_or(0, char::len_utf8));
        units.push(unit);
        rest = after;
    }
    units.iter().rev().copied().collect()
}

/// Names the pattern as it was written.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other problem names a pattern")]
fn problem_of(pattern: &str, problem: Problem) -> Problem {
    match problem {
        Problem::Pattern { reason, .. } => Problem::Pattern { pattern: pattern.to_owned(), reason },
        other => other,
    }
}

/// Appends a template: `$0` and `${0}` are what was matched, `$$` is a dollar sign, any other name is empty, and a
/// dollar sign before no name is itself.
fn fill_template(text: &mut String, template: &str, matched: &str, limit: usize) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = template_name(rest) {
            text.push_str(if name == "0" { matched } else { "" });
            rest = after;
        } else {
            text.push('$');
        }
        if text.len() > limit {
            return;
        }
    }
    text.push_str(rest);
}

/// Splits off the `name` or `{name}` behind a dollar sign.
fn template_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let start = inner.unwrap_or(text);
    let end = start.find(|character| !super::is_name_part(character)).unwrap_or(start.len());
    let (name, after) = start.split_at(end);
    let after = if inner.is_some() { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One part of a pattern, read without regular expressions.
    #[derive(Debug, Clone, Copy)]
    enum Part {
        Any,
        One,
        Literal(char),
    }

    /// Reads a valid pattern.
    fn parts(pattern: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '*' => Part::Any,
                '?' => Part::One,
                '\\' => Part::Literal(characters.next().unwrap()),
                other => Part::Literal(other),
            });
        }
        parts
    }

    /// Returns how much of `text` the parts match, by trying everything in the order of preference.
    fn naive(parts: &[Part], text: &[char], reach: Reach) -> Option<usize> {
        match parts.split_first() {
            None => Some(0),
            Some((Part::Any, rest)) => {
                let most = text.iter().take_while(|character| **character != '\n').count();
                let mut taken: Vec<usize> = (0..=most).collect();
                if reach == Reach::Longest {
                    taken.reverse();
                }
                taken.into_iter().find_map(|taken| Some(taken + naive(rest, &text[taken..], reach)?))
            }
            Some((part, rest)) => {
                let (first, after) = text.split_first()?;
                let fits = match part {
                    Part::One => *first != '\n',
                    Part::Literal(literal) => first == literal,
                    Part::Any => unreachable!(),
                };
                if fits { Some(1 + naive(rest, after, reach)?) } else { None }
            }
        }
    }

    /// Which matches are replaced.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Matches {
        First,
        All,
    }

    fn naive_replace(value: &str, pattern: &str, matches: Matches) -> String {
        let (parts, text): (Vec<Part>, Vec<char>) = (parts(pattern), value.chars().collect());
        let (mut result, mut at, mut last_end) = (String::new(), 0, None);
        while at <= text.len() {
            match naive(&parts, &text[at..], Reach::Longest) {
                Some(0) if last_end == Some(at) => {}
                Some(length) => {
                    result.push_str("<>");
                    at += length;
                    last_end = Some(at);
                    if matches == Matches::First {
                        result.extend(&text[at..]);
                        return result;
                    }
                    if length > 0 {
                        continue;
                    }
                }
                None => {}
            }
            result.extend(text.get(at));
            at += 1;
        }
        result
    }

    #[test]
    fn replacements_are_templates_when_all_are_replaced() {
        let replace = |replacement| with_all_replaced("a.b", "?", replacement, 100).unwrap().unwrap();
        for (replacement, expected) in [
            ("$0", "a.b"),
            ("[${0}]", "[a][.][b]"),
            ("$$", "$$$"),
            ("$x", ""),
            ("$1y", ""),
            ("${x", "${x${x${x"),
            ("$", "$$$"),
            ("$-", "$-$-$-"),
            ("$00", ""),
        ] {
            assert_eq!(replace(replacement), expected, "{replacement}");
        }
        assert_eq!(with_first_replaced("a.b", "?", "$0").unwrap(), "$0.b");
    }

    #[test]
    fn growth_stops_at_the_limit() {
        let value = "a".repeat(1000);
        assert_eq!(with_all_replaced(&value, "a", "bb", 1999).unwrap(), None);
        assert!(with_all_replaced(&value, "a", "bb", 2000).unwrap().is_some());
        assert_eq!(with_all_replaced(&value, "*", &"$0".repeat(1000), 5000).unwrap(), None);
    }

    #[test]
    fn long_values_are_no_trouble() {
        let value = "ab".repeat(200_000);
        assert_eq!(with_all_replaced(&value, "b", "", 1 << 20).unwrap().unwrap().len(), 200_000);
        let stars = "a*".repeat(LONGEST_PATTERN / 2 - 1) + "x";
        assert_eq!(with_all_replaced(&value, &stars, "", 1 << 20).unwrap().unwrap(), value);
        assert_eq!(without_suffix(&value, &stars, Reach::Longest).unwrap(), value);
        assert!(without_prefix("", &"?".repeat(LONGEST_PATTERN), Reach::Longest).is_ok());
        assert!(without_prefix("", &"?".repeat(LONGEST_PATTERN + 1), Reach::Longest).is_err());
    }

    proptest! {
        #[test]
        fn prefixes_are_what_a_naive_matcher_takes(
            value in "[ab.\n]{0,12}", pattern in r"([ab.?*\n]|\\[*?\\]){0,6}"
        ) {
            let text: Vec<char> = value.chars().collect();
            for reach in [Reach::Shortest, Reach::Longest] {
                let taken = naive(&parts(&pattern), &text, reach).unwrap_or(0);
                let expected: String = text[taken..].iter().collect();
                prop_assert_eq!(without_prefix(&value, &pattern, reach).unwrap(), expected);
            }
        }

        #[test]
        fn suffixes_are_what_a_naive_matcher_takes(
            value in "[ab.\n]{0,12}", pattern in r"([ab.?*\n]|\\[*?\\]){0,6}"
        ) {
            let text: Vec<char> = value.chars().rev().collect();
            let mut backwards = parts(&pattern);
            backwards.reverse();
            for reach in [Reach::Shortest, Reach::Longest] {
                let taken = naive(&backwards, &text, reach).unwrap_or(0);
                let expected: String = text[taken..].iter().rev().collect();
                prop_assert_eq!(without_suffix(&value, &pattern, reach).unwrap(), expected);
            }
        }

        #[test]
        fn replacements_are_what_a_naive_matcher_replaces(
            value in "[ab.\né]{0,10}", pattern in r"([ab.?*\n]|\\[*?\\]){0,5}"
        ) {
            let first = with_first_replaced(&value, &pattern, "<>").unwrap();
            prop_assert_eq!(first, naive_replace(&value, &pattern, Matches::First));
            let all = with_all_replaced(&value, &pattern, "<>", 1000).unwrap().unwrap();
            prop_assert_eq!(all, naive_replace(&value, &pattern, Matches::All));
        }

        #[test]
        fn nothing_panics(value in ".{0,20}", pattern in r"([\\*?$}/]|.){0,10}", replacement in r"[$0{}\\a]{0,6}") {
            for reach in [Reach::Shortest, Reach::Longest] {
                let outcomes = (without_prefix(&value, &pattern, reach), without_suffix(&value, &pattern, reach));
                prop_assert!(outcomes.0.is_err() || outcomes.0.unwrap().len() <= value.len());
                prop_assert!(outcomes.1.is_err() || outcomes.1.unwrap().len() <= value.len());
            }
            let all = with_all_replaced(&value, &pattern, &replacement, 50);
            prop_assert!(!matches!(all, Ok(Some(text)) if text.len() > 50));
        }
    }
}
