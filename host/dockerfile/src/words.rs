//! Quoting and variables: what a word means, as BuildKit's `shell.Lex` has it.
//!
//! Owns `$v`, `${v}` and every operator of `${v…}`, single and double quotes and the escape character. A name that is
//! not set is empty, and told to whoever asked. One thing is not as in BuildKit: where a word is split, its frontend
//! loses the text between the last blank and a `${v:-…}` or another operator; here it stays.

mod pattern;
mod reader;
mod split;
mod substitution;

use std::collections::BTreeSet;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::Problem;
use reader::{Quotes, Reader};
use split::Output;

/// How deep `${a:-${b:-…}}` may go: more than anyone writes, and safe for the stack.
const DEEPEST_NESTING: usize = 64;

/// The longest result, and the most that variables give to one word: variables that double each other would
/// otherwise fill the memory within forty lines.
const LONGEST_WORD: usize = 1 << 20;

/// Why a word means nothing, and at which of its characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WordError {
    /// Characters before the place.
    pub(crate) offset: usize,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// What a word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expansion<T> {
    /// The word or words, variables replaced.
    pub(crate) result: T,
    /// The names that were looked up.
    pub(crate) names: Names,
    /// What reading the values cost: their bytes, more often the longer the patterns are that they were searched for.
    pub(crate) cost: usize,
}

/// The names that a word looks up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// Those that are set.
    pub(crate) set: BTreeSet<String>,
    /// Those that are not, whatever stands in for them.
    pub(crate) unset: BTreeSet<String>,
}

/// Replaces the variables of `word` and takes its quotes away.
pub(crate) fn expand(
    word: &str,
    escape: Escape,
    environment: &Environment,
) -> Result<Expansion<String>, WordError> {
    read(word, Quotes::Remove, escape, environment, (Output::default(), |output| output.text))
}

/// Replaces the variables of `word` and splits it at blanks that are not quoted, those in values included.
pub(crate) fn expand_words(
    word: &str,
    escape: Escape,
    environment: &Environment,
) -> Result<Expansion<Vec<String>>, WordError> {
    read(word, Quotes::Remove, escape, environment, (Output::words(), Output::into_words))
}

/// Replaces the variables of a here-document: quotes are text, and the escape character is always the backslash.
pub(crate) fn expand_document(text: &str, environment: &Environment) -> Result<Expansion<String>, WordError> {
    read(text, Quotes::Keep, Escape::Backslash, environment, (Output::default(), |output| output.text))
}

fn read<T>(
    word: &str,
    quotes: Quotes,
    escape: Escape,
    environment: &Environment,
    (mut output, finish): (Output, impl FnOnce(Output) -> T),
) -> Result<Expansion<T>, WordError> {
    let mut reader = Reader::new(word, quotes, escape, environment);
    reader.sequence(None, &mut output)?;
    let (names, cost) = reader.finish();
    Ok(Expansion { result: finish(output), names, cost })
}

/// Says whether a character can be in a variable's name: a letter, a decimal digit or an underscore.
fn is_name_part(character: char) -> bool {
    if character.is_ascii() {
        return character == '_' || character.is_ascii_alphanumeric();
    }
    character.general_category_group() == GeneralCategoryGroup::Letter || is_digit(character)
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
        || (!character.is_ascii() && character.general_category() == GeneralCategory::DecimalNumber)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows of the table, and the variables that they see.
    const TABLE: &str = include_str!("../tests/words.txt");

    fn written(text: &str) -> String {
        text.replace('␤', "\n").replace('⇥', "\t")
    }

    fn environment() -> Environment {
        let mut environment = Environment::default();
        for line in TABLE.lines() {
            if let ["let", name, value] = line.split('\t').collect::<Vec<_>>()[..] {
                environment.set(name, &written(value));
            }
        }
        environment
    }

    /// Reads a word as a row asks for, and shows what comes of it as the table does.
    fn outcome(escape: &str, mode: &str, word: &str, environment: &Environment) -> (String, Option<Names>) {
        let escape = if escape == "`" { Escape::Backtick } else { Escape::Backslash };
        let brackets =
            |words: Vec<String>| words.iter().map(|word| format!("[{word}]")).collect::<Vec<_>>().join(" ");
        let expansion = match mode {
            "word" => expand(word, escape, environment),
            "document" => expand_document(word, environment),
            "words" => expand_words(word, escape, environment)
                .map(|Expansion { result, names, cost }| Expansion { result: brackets(result), names, cost }),
            other => panic!("no mode {other}"),
        };
        match expansion {
            Ok(expansion) => (expansion.result, Some(expansion.names)),
            Err(WordError { offset, problem }) => (format!("error {offset} {problem}"), None),
        }
    }

    #[test]
    fn words_mean_what_the_table_says() {
        let environment = environment();
        let (mut rows, mut failures) = (0, Vec::new());
        for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#") {
            let columns: Vec<&str> = line.split('\t').collect();
            let (row, unset) = match columns[..] {
                ["let", ..] => continue,
                [escape, mode, word, expected] => ([escape, mode, word, expected], None),
                [escape, mode, word, expected, unset] => ([escape, mode, word, expected], Some(unset)),
                _ => panic!("no row: {line}"),
            };
            rows += 1;
            let [escape, mode, word, expected] = row;
            let (actual, names) = outcome(escape, mode, &written(word), &environment);
            if actual != written(expected) {
                failures.push(format!("{mode} {word}: {actual:?} instead of {expected:?}"));
            }
            if let Some(unset) = unset {
                let names = names.unwrap_or_default().unset.into_iter();
                let names: Vec<String> = names.map(|name| name.replace("∅", "?")).collect();
                let shown: Vec<&str> =
                    names.iter().map(|name| if name.is_empty() { "∅" } else { name }).collect();
                assert_eq!(shown.join(" "), unset, "{word}");
            }
        }
        assert!(rows >= 440, "only {rows} rows");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    fn text(word: &str) -> Result<String, WordError> {
        expand(word, Escape::Backslash, &environment()).map(|expansion| expansion.result)
    }

    #[test]
    fn names_that_are_set_are_told_too() {
        let names = expand("${a:-$b}$u", Escape::Backslash, &environment()).unwrap().names;
        assert_eq!(names.set.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(names.unset.into_iter().collect::<Vec<_>>(), ["u"]);
    }

    #[test]
    fn growth_has_an_end() {
        let mut environment = Environment::default();
        environment.set("a", &"x".repeat(LONGEST_WORD));
        environment.set("b", &"x".repeat(1000));
        let wide = format!("${{b//x/{}}}", "y".repeat(2000));
        let many = format!("${{b//x/{}}}", "y".repeat(900)).repeat(2);
        for word in ["$a$a", "\"$a$a\"", "${u:-$a$a}", "${a#x}$b", "${a//x/y}", &wide, &many] {
            let error = expand(word, Escape::Backslash, &environment).unwrap_err();
            assert_eq!(error.problem, Problem::WordTooLong { limit: LONGEST_WORD }, "{word}");
        }
        let deep = |open: &str, close: &str| open.repeat(10_000) + &close.repeat(10_000);
        for word in [deep("${u:-", "}"), deep("${u#", "}"), deep("${u/", "/}"), deep("\"${u:-", "}\"")] {
            assert_eq!(text(&word).unwrap_err().problem, Problem::NestedTooDeep { limit: DEEPEST_NESTING });
        }
    }

    #[test]
    fn long_patterns_cost_what_they_take() {
        let mut environment = Environment::default();
        environment.set("a", &"x".repeat(LONGEST_WORD / 8));
        let word = format!("${{a%{}y}}", "?".repeat(200));
        let error = expand(&word, Escape::Backslash, &environment).unwrap_err();
        assert_eq!(error.problem, Problem::WordTooLong { limit: LONGEST_WORD });
    }

    proptest! {
        #[test]
        fn never_panics(word in ".{0,40}") {
            for result in [text(&word), expand_document(&word, &environment()).map(|words| words.result)] {
                if let Err(error) = result {
                    prop_assert!(error.offset <= word.chars().count());
                }
            }
        }

        #[test]
        fn never_panics_on_the_language_s_own_characters(word in "(\\$\\{|[$\\{}:+?#%/'\"\\\\ab1* -]){0,24}") {
            for escape in [Escape::Backslash, Escape::Backtick] {
                let outcome = expand(&word, escape, &environment());
                prop_assert!(outcome.is_ok() || outcome.is_err_and(|error| error.offset <= word.len()));
                let outcome = expand_words(&word, escape, &environment());
                prop_assert!(outcome.is_ok() || outcome.is_err_and(|error| error.offset <= word.len()));
            }
        }

        #[test]
        fn single_quotes_keep_everything(word in "[^']{0,40}") {
            prop_assert_eq!(text(&format!("'{word}'")), Ok(word));
        }

        #[test]
        fn text_without_special_characters_is_itself(word in "[^$'\"\\\\\u{feff}]{0,40}") {
            prop_assert_eq!(text(&word), Ok(word));
        }

        #[test]
        fn split_words_are_the_whole_without_its_blanks(word in "(\\$[abe]|[$\\{}:+-/xy \t]){0,12}") {
            let whole = expand(&word, Escape::Backslash, &environment());
            let words = expand_words(&word, Escape::Backslash, &environment());
            prop_assert_eq!(whole.is_ok(), words.is_ok());
            if let (Ok(whole), Ok(words)) = (whole, words) {
                let split: Vec<&str> = whole.result.split_whitespace().collect();
                prop_assert_eq!(split, words.result);
            }
        }
    }
}
