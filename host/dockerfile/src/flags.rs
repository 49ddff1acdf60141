//! Flags between an instruction's name and its arguments.
//!
//! Owns how flags are taken off and checked against the flags that an instruction has. A flag that the language
//! has and this version does not build is kept as a refusal, because a stage that is not needed may use it.

use crate::ast::{Spelling, Word};
use crate::error::{DockerfileError, Problem};
use crate::line::Part;
use crate::suggest::closest;

/// What a flag of an instruction looks like, and whether it is built.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FlagRule {
    /// `--name=value`, at most once.
    Value(&'static str),
    /// Refused, with what to do instead.
    NotBuilt(&'static str, &'static str),
    /// `--name[=true|false]`; refused unless it is `false`, which is what the instruction does without it.
    SwitchNotBuilt(&'static str, &'static str),
}

impl FlagRule {
    fn name(self) -> &'static str {
        match self {
            Self::Value(name) | Self::NotBuilt(name, _) | Self::SwitchNotBuilt(name, _) => name,
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
    /// The flags that are not built.
    pub(crate) refusals: Vec<DockerfileError>,
}

impl Flags {
    /// Takes the value of `name`, if it was given.
    pub(crate) fn take(&mut self, name: &str) -> Option<Word> {
        let index = self.values.iter().position(|(flag, _)| *flag == name)?;
        Some(self.values.swap_remove(index).1)
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
            let closest = closest(&name, rules.iter().map(|rule| rule.name()));
            return Err(Problem::UnknownFlag { instruction, flag: name, closest }.at(span));
        };
        let refuse =
            |instead| Problem::NotBuilt { what: format!("`{instruction} --{name}`"), instead }.at(span);
        match *rule {
            FlagRule::Value(known) => {
                let Some(value) = value else {
                    return Err(Problem::FlagWithoutValue { flag: name }.at(span));
                };
                if flags.values.iter().any(|(flag, _)| *flag == known) {
                    return Err(Problem::FlagTwice { flag: name }.at(span));
                }
                let start = place.text().find('=').map_or(0, |equals| equals + 1);
                let written = place.from(start).word();
                let spelling = if written.text == value { written.spelling } else { Spelling::Rewritten };
                flags.values.push((known, Word { text: value, span: written.span, spelling }));
            }
            FlagRule::NotBuilt(_, instead) => flags.refusals.push(refuse(instead)),
            FlagRule::SwitchNotBuilt(_, instead) => {
                match value.map(|value| value.to_lowercase()).as_deref() {
                    Some("false") => {}
                    None | Some("true") => flags.refusals.push(refuse(instead)),
                    Some(other) => {
                        let value = other.to_owned();
                        return Err(Problem::FlagNotBoolean { flag: name, value }.at(span));
                    }
                }
            }
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    fn read(text: &str) -> Result<(Option<String>, usize, String), DockerfileError> {
        let line = Line::single(text, 1, 1);
        let (raw, rest) = take(line.part());
        let rules = [
            FlagRule::Value("from"),
            FlagRule::NotBuilt("exclude", "leave it out"),
            FlagRule::SwitchNotBuilt("link", "leave it out"),
        ];
        let mut flags = check("COPY", raw, &rules)?;
        Ok((flags.take("from").map(|word| word.text), flags.refusals.len(), rest.text().to_owned()))
    }

    #[test]
    fn flags_are_taken_off_the_front() {
        let from = |text: &str| Some(text.to_owned());
        assert_eq!(read("--from=a b --from=c").unwrap(), (from("a"), 0, "b --from=c".to_owned()));
        assert_eq!(read("--from=\"a b\"  c").unwrap(), (from("a b"), 0, "c".to_owned()));
        assert_eq!(read("--from=a\\ b c").unwrap(), (from("a b"), 0, "c".to_owned()));
        assert_eq!(read("--from= c").unwrap(), (from(""), 0, "c".to_owned()));
        assert_eq!(read("-- --from=a").unwrap(), (None, 0, "--from=a".to_owned()));
        assert_eq!(read("--link=false a").unwrap(), (None, 0, "a".to_owned()));
        assert_eq!(read("--link --exclude=x --exclude=y a").unwrap(), (None, 3, "a".to_owned()));
        assert_eq!(read("-a").unwrap(), (None, 0, "-a".to_owned()));
    }

    #[test]
    fn wrong_flags_are_refused() {
        assert_eq!(read("--form=a b").unwrap_err().hint().unwrap(), "did you mean `--from`?");
        for text in ["--from a", "--from=a --from=b c", "--link=maybe a", "--x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
