//! Flags between an instruction's name and its arguments.
//!
//! Owns how flags are taken off and checked against the flags that an instruction has.

use crate::ast::{Spelling, Switch, Word};
use crate::error::{DockerfileError, Problem};
use crate::line::Part;
use crate::suggest::closest;

/// What a flag of an instruction looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FlagRule {
    /// `--name=value`, at most once.
    Value(&'static str),
    /// `--name=value`, any number of times.
    List(&'static str),
    /// `--name[=true|false]`, at most once.
    Switch(&'static str),
}

impl FlagRule {
    fn name(self) -> &'static str {
        match self {
            Self::Value(name) | Self::List(name) | Self::Switch(name) => name,
        }
    }
}

/// A flag as written.
#[derive(Debug)]
pub(crate) struct RawFlag<'a> {
    place: Part<'a>,
    name: String,
    value: Option<String>,
}

/// The flags of one instruction.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    values: Vec<(&'static str, Word)>,
    switches: Vec<(&'static str, Switch)>,
}

impl Flags {
    /// Takes the value of `name`, if it was given.
    pub(crate) fn take(&mut self, name: &str) -> Option<Word> {
        let index = self.values.iter().position(|(flag, _)| *flag == name)?;
        Some(self.values.remove(index).1)
    }

    /// Takes all values of `name`, in order.
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<Word> {
        let (own, others) = std::mem::take(&mut self.values).into_iter().partition(|(flag, _)| *flag == name);
        self.values = others;
        own.into_iter().map(|(_, word): (&str, Word)| word).collect()
    }

    /// Returns what the switch `name` was set to.
    pub(crate) fn switch(&self, name: &str) -> Option<Switch> {
        self.switches.iter().find(|(flag, _)| *flag == name).map(|(_, switch)| *switch)
    }

    fn has(&self, name: &str) -> bool {
        self.switch(name).is_some() || self.values.iter().any(|(flag, _)| *flag == name)
    }
}

/// Takes the flags off the front of `part` and returns what follows them.
///
/// Quotes are taken away, `\` takes the meaning from the next character, and `--` alone ends the flags.
pub(crate) fn take(part: Part<'_>) -> (Vec<RawFlag<'_>>, Part<'_>) {
    let mut flags = Vec::new();
    let mut rest = part.trimmed();
    while rest.text().starts_with("--") {
        let (end, text) = flag_text(rest.text());
        let place = rest.range(0, end);
        rest = rest.from(end).trimmed();
        let Some(flag) = text.strip_prefix("--").filter(|flag| !flag.is_empty()) else { break };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (flag.to_owned(), None),
        };
        flags.push(RawFlag { place, name, value });
    }
    (flags, rest)
}

/// Reads one flag: returns its length in the text and its text without quotes.
fn flag_text(text: &str) -> (usize, String) {
    let mut flag = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match (quote, character) {
            (None, blank) if blank.is_whitespace() => return (index, flag),
            (_, '\\') => flag.extend(characters.next().map(|(_, next)| next)),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None | Some(_), other) => flag.push(other),
        }
    }
    (text.len(), flag)
}

/// Checks the flags of `instruction` against `rules`.
pub(crate) fn check(
    instruction: &'static str,
    raw: Vec<RawFlag<'_>>,
    rules: &[FlagRule],
) -> Result<Flags, DockerfileError> {
    let mut flags = Flags::default();
    for RawFlag { place, name, value } in raw {
        let span = place.span();
        let Some(rule) = rules.iter().find(|rule| rule.name() == name) else {
            let known: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
            let closest = closest(&name, known.iter().copied());
            return Err(Problem::UnknownFlag { instruction, flag: name, closest, known }.at(span));
        };
        match *rule {
            FlagRule::Value(known) | FlagRule::Switch(known) if flags.has(known) => {
                return Err(Problem::FlagTwice { flag: name }.at(span));
            }
            FlagRule::Value(known) | FlagRule::List(known) => {
                let Some(value) = value else {
                    return Err(Problem::FlagWithoutValue { flag: name }.at(span));
                };
                let start = place.text().find('=').map_or(0, |equals| equals + 1);
                let written = place.from(start).word();
                let spelling = if written.text == value { written.spelling } else { Spelling::Rewritten };
                flags.values.push((known, Word { text: value, span: written.span, spelling }));
            }
            FlagRule::Switch(_) if value.as_deref() == Some("") => {
                return Err(Problem::FlagWithoutValue { flag: name }.at(span));
            }
            FlagRule::Switch(known) => match value.map(|value| value.to_lowercase()).as_deref() {
                None | Some("true") => flags.switches.push((known, Switch::On)),
                Some("false") => flags.switches.push((known, Switch::Off)),
                Some(other) => {
                    let value = other.to_owned();
                    return Err(Problem::FlagNotBoolean { flag: name, value }.at(span));
                }
            },
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    fn read(text: &str) -> Result<(Option<String>, Option<Switch>, usize, String), DockerfileError> {
        let line = Line::single(text, 1, 1);
        let (raw, rest) = take(line.part());
        let rules = [FlagRule::Value("from"), FlagRule::List("exclude"), FlagRule::Switch("link")];
        let mut flags = check("COPY", raw, &rules)?;
        let from = flags.take("from").map(|word| word.text);
        Ok((from, flags.switch("link"), flags.take_all("exclude").len(), rest.text().to_owned()))
    }

    #[test]
    fn flags_are_taken_off_the_front() {
        for (text, from, link, excludes, rest) in [
            ("--from=a b --from=c", Some("a"), None, 0, "b --from=c"),
            ("--from=\"a b\"  c", Some("a b"), None, 0, "c"),
            ("--from=a\\ b c", Some("a b"), None, 0, "c"),
            ("--from= c", Some(""), None, 0, "c"),
            ("-- --from=a", None, None, 0, "--from=a"),
            ("--link=false a", None, Some(Switch::Off), 0, "a"),
            ("--link --exclude=x --exclude=y a", None, Some(Switch::On), 2, "a"),
            ("-a", None, None, 0, "-a"),
        ] {
            let expected = (from.map(str::to_owned), link, excludes, rest.to_owned());
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_flags_are_refused() {
        assert_eq!(read("--form=a b").unwrap_err().hint().unwrap(), "did you mean `--from`?");
        for text in ["--from a", "--from=a --from=b c", "--link --link=false a", "--link=maybe a", "--x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
