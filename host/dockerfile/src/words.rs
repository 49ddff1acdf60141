//! Quoting and variables: what a word means, as BuildKit's `shell.Lex` has it.
//!
//! Owns `$v`, `${v}`, `${v:-w}`, `${v-w}`, `${v:+w}`, `${v+w}`, single and double quotes and the escape character.
//! A name that is not set is empty. The other operators are refused, never taken for text.

use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::Problem;

/// How deep `${a:-${b:-…}}` may go: more than anyone writes, and safe for the stack.
const DEEPEST_NESTING: usize = 64;

/// The longest result: variables that double each other would otherwise fill the memory within forty lines.
const LONGEST_WORD: usize = 1 << 20;

/// Why a word means nothing, and at which of its characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WordError {
    /// Characters before the place.
    pub(crate) offset: usize,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// Replaces the variables of `word` and takes its quotes away.
pub(crate) fn expand(word: &str, escape: Escape, environment: &Environment) -> Result<String, WordError> {
    Ok(Reader::new(word, escape, environment).sequence(Stop::End, Output::default())?.text)
}

/// Replaces the variables of `word` and splits it at blanks that are not quoted, those in values included.
pub(crate) fn expand_words(
    word: &str,
    escape: Escape,
    environment: &Environment,
) -> Result<Vec<String>, WordError> {
    let output = Output { words: Some(Vec::new()), ..Output::default() };
    Ok(Reader::new(word, escape, environment).sequence(Stop::End, output)?.finish())
}

/// Where a sequence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Brace,
}

/// When an operator takes a variable for not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Unset,
    UnsetOrEmpty,
}

/// Collects a result as one word, or as several.
#[derive(Debug, Default)]
struct Output {
    /// All of it; when words are collected, the word that is not complete yet.
    text: String,
    words: Option<Vec<String>>,
}

impl Output {
    /// Appends text as it is, blanks or not.
    fn literal(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends text whose blanks split words.
    fn plain(&mut self, text: &str) {
        let Some(words) = &mut self.words else { return self.text.push_str(text) };
        for character in text.chars() {
            if !character.is_whitespace() {
                self.text.push(character);
            } else if !self.text.is_empty() {
                words.push(std::mem::take(&mut self.text));
            }
        }
    }

    fn finish(self) -> Vec<String> {
        let mut words = self.words.unwrap_or_default();
        words.extend(Some(self.text).filter(|text| !text.is_empty()));
        words
    }
}

struct Reader<'a> {
    rest: &'a str,
    offset: usize,
    /// How many bytes variables gave so far.
    produced: usize,
    depth: usize,
    escape: char,
    environment: &'a Environment,
}

impl<'a> Reader<'a> {
    fn new(word: &'a str, escape: Escape, environment: &'a Environment) -> Self {
        Self { rest: word, offset: 0, produced: 0, depth: 0, escape: escape.character(), environment }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        self.offset += 1;
        Some(character)
    }

    fn sequence(&mut self, stop: Stop, mut output: Output) -> Result<Output, WordError> {
        let start = self.offset;
        let mut buffer = [0; 4];
        while let Some(character) = self.peek() {
            match character {
                '}' if stop == Stop::Brace => {
                    self.next();
                    return Ok(output);
                }
                '\'' => output.literal(&self.single_quoted()?),
                '"' => output.literal(&self.double_quoted()?),
                '$' => output.plain(&self.dollar()?),
                other => {
                    self.next();
                    if other != self.escape {
                        output.plain(other.encode_utf8(&mut buffer));
                    } else if let Some(escaped) = self.next() {
                        output.literal(escaped.encode_utf8(&mut buffer));
                    }
                }
            }
        }
        match stop {
            Stop::End => Ok(output),
            Stop::Brace => Err(WordError { offset: start, problem: Problem::MissingBrace }),
        }
    }

    fn single_quoted(&mut self) -> Result<String, WordError> {
        let start = self.offset;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('\'') => return Ok(text),
                Some(character) => text.push(character),
                None => {
                    return Err(WordError { offset: start, problem: Problem::MissingQuote { quote: '\'' } });
                }
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, WordError> {
        let start = self.offset;
        self.next();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(WordError { offset: start, problem: Problem::MissingQuote { quote: '"' } });
                }
                Some('"') => {
                    self.next();
                    return Ok(text);
                }
                Some('$') => text.push_str(&self.dollar()?),
                Some(character) => {
                    self.next();
                    let escaped = self
                        .peek()
                        .filter(|next| character == self.escape && ['"', '$', self.escape].contains(next));
                    if escaped.is_some() {
                        self.next();
                    }
                    text.push(escaped.unwrap_or(character));
                }
            }
        }
    }

    /// Reads a variable; the dollar sign is next.
    fn dollar(&mut self) -> Result<String, WordError> {
        let start = self.offset;
        let fail = |problem| Err(WordError { offset: start, problem });
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            return if name.is_empty() { Ok("$".to_owned()) } else { self.value(&name) };
        }
        self.next();
        if let Some('{' | '}' | ':') = self.peek() {
            return fail(Problem::BadSubstitution);
        }
        let name = self.name();
        let (missing, operator) = match self.next() {
            Some('}') => return self.value(&name),
            Some(':') => (Missing::UnsetOrEmpty, self.next()),
            operator => (Missing::Unset, operator),
        };
        match (operator, missing) {
            (None, _) => fail(Problem::MissingBrace),
            (Some(operator @ ('-' | '+')), missing) => self.conditional(&name, operator, missing, start),
            (Some(operator @ ('?' | '#' | '%')), _) | (Some(operator @ '/'), Missing::Unset) => {
                fail(Problem::NotBuilt {
                    what: format!("The operator `{operator}` in `${{{name}{operator}…}}`"),
                    instead: "`${name:-default}`, `${name-default}`, `${name:+other}` and `${name+other}` are built",
                })
            }
            (Some(_), _) => fail(Problem::BadSubstitution),
        }
    }

    fn conditional(
        &mut self,
        name: &str,
        operator: char,
        missing: Missing,
        start: usize,
    ) -> Result<String, WordError> {
        if self.depth >= DEEPEST_NESTING {
            let problem = Problem::NestedTooDeep { limit: DEEPEST_NESTING };
            return Err(WordError { offset: start, problem });
        }
        self.depth += 1;
        let word = self.sequence(Stop::Brace, Output::default())?.text;
        self.depth -= 1;
        let is_set = self.environment.get(name).is_some_and(|value| match missing {
            Missing::Unset => true,
            Missing::UnsetOrEmpty => !value.is_empty(),
        });
        match (operator, is_set) {
            ('-', true) => self.value(name),
            ('-', false) | (_, true) => Ok(word),
            (_, false) => Ok(String::new()),
        }
    }

    /// Reads a name: a special parameter, digits, or letters, digits and underscores.
    fn name(&mut self) -> String {
        let Some(first) = self.peek() else { return String::new() };
        if "@*#?-$!0".contains(first) {
            self.next();
            return first.to_string();
        }
        let is_part = |character: char| match first {
            first if first.is_ascii_digit() => character.is_ascii_digit(),
            _ => character == '_' || character.is_alphanumeric(),
        };
        let mut name = String::new();
        while let Some(character) = self.peek().filter(|character| is_part(*character)) {
            self.next();
            name.push(character);
        }
        name
    }

    /// Returns the value of a variable, empty if it is not set, unless the word grows too long by it.
    fn value(&mut self, name: &str) -> Result<String, WordError> {
        let value = self.environment.get(name).unwrap_or_default();
        self.produced += value.len();
        if self.produced > LONGEST_WORD {
            let problem = Problem::WordTooLong { limit: LONGEST_WORD };
            return Err(WordError { offset: self.offset, problem });
        }
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment() -> Environment {
        let mut environment = Environment::default();
        for (name, value) in [("a", "A"), ("b", "x y"), ("e", ""), ("long_1", "L"), ("1", "one")] {
            environment.set(name, value);
        }
        environment
    }

    fn text(word: &str) -> Result<String, WordError> {
        expand(word, Escape::Backslash, &environment())
    }

    #[test]
    fn words_mean_what_they_mean_in_buildkit() {
        for (word, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$a", "A"),
            ("${a}", "A"),
            ("$a$a", "AA"),
            ("$ab", ""),
            ("${a}b", "Ab"),
            ("$long_1", "L"),
            ("$long-1", "-1"),
            ("$", "$"),
            ("a$", "a$"),
            ("$/x", "$/x"),
            ("$1a", "onea"),
            ("$12", ""),
            ("$@x$*$#$?$-$$$!$0", "x"),
            ("\\$a", "$a"),
            ("\\\\$a", "\\A"),
            ("\\a", "a"),
            ("a\\", "a"),
            ("'$a'", "$a"),
            ("'\\'", "\\"),
            ("\"$a\"", "A"),
            ("\"'$a'\"", "'A'"),
            ("'\"'", "\""),
            ("\"\\$a\"", "$a"),
            ("\"\\\"\"", "\""),
            ("\"\\\\\"", "\\"),
            ("\"\\n\"", "\\n"),
            ("a'b'\"c\"d", "abcd"),
            ("${a:-w}", "A"),
            ("${e:-w}", "w"),
            ("${u:-w}", "w"),
            ("${a-w}", "A"),
            ("${e-w}", ""),
            ("${u-w}", "w"),
            ("${a:+w}", "w"),
            ("${e:+w}", ""),
            ("${u:+w}", ""),
            ("${a+w}", "w"),
            ("${e+w}", "w"),
            ("${u+w}", ""),
            ("${u:-}", ""),
            ("${u:-$a}", "A"),
            ("${u:-${v:-$a}}", "A"),
            ("${u:-\"a}b\"}", "a}b"),
            ("${u:-'}'}", "}"),
            ("${u:-\\}}", "}"),
            ("${u:-a b}", "a b"),
            ("${a:+$a $b}", "A x y"),
            ("}", "}"),
            ("{$a}", "{A}"),
            ("ünï$a", "ünïA"),
            ("  sp  ", "  sp  "),
        ] {
            assert_eq!(text(word).as_deref(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn errors_stand_where_they_are() {
        for (word, offset, problem) in [
            ("x'a", 1, Problem::MissingQuote { quote: '\'' }),
            ("\"a", 0, Problem::MissingQuote { quote: '"' }),
            ("\"a\\\"", 0, Problem::MissingQuote { quote: '"' }),
            ("é${a", 1, Problem::MissingBrace),
            ("${", 0, Problem::MissingBrace),
            ("${a:", 0, Problem::MissingBrace),
            ("${a:-w", 5, Problem::MissingBrace),
            ("${}", 0, Problem::BadSubstitution),
            ("${:-a}", 0, Problem::BadSubstitution),
            ("${{a}}", 0, Problem::BadSubstitution),
            ("${a:x}", 0, Problem::BadSubstitution),
            ("${a=x}", 0, Problem::BadSubstitution),
            ("${a b}", 0, Problem::BadSubstitution),
        ] {
            assert_eq!(text(word), Err(WordError { offset, problem }), "{word}");
        }
    }

    #[test]
    fn other_operators_are_refused_and_not_guessed() {
        for word in ["${a?m}", "${a:?m}", "${a#p}", "${a##p}", "${a%p}", "${a%%p}", "${a/p/r}", "${a//p/r}"] {
            let error = text(word).unwrap_err();
            assert!(matches!(error.problem, Problem::NotBuilt { .. }), "{word}");
        }
    }

    #[test]
    fn words_split_at_blanks_that_are_not_quoted() {
        let words = |word: &str| expand_words(word, Escape::Backslash, &environment()).unwrap();
        assert_eq!(words("a b  c"), ["a", "b", "c"]);
        assert_eq!(words("$b"), ["x", "y"]);
        assert_eq!(words("\"$b\""), ["x y"]);
        assert_eq!(words("a\\ b"), ["a b"]);
        assert_eq!(words("p$b"), ["px", "y"]);
        assert_eq!(words("$e"), [""; 0]);
        assert_eq!(words("''"), [""; 0]);
    }

    #[test]
    fn the_escape_character_can_be_the_backtick() {
        let text = |word| expand(word, Escape::Backtick, &environment()).unwrap();
        assert_eq!(text("C:\\$a"), "C:\\A");
        assert_eq!(text("`$a"), "$a");
    }

    #[test]
    fn growth_has_an_end() {
        let mut environment = Environment::default();
        environment.set("a", &"x".repeat(LONGEST_WORD));
        for word in ["$a$a", "\"$a$a\"", "${u:-$a$a}"] {
            let error = expand(word, Escape::Backslash, &environment).unwrap_err();
            assert_eq!(error.problem, Problem::WordTooLong { limit: LONGEST_WORD });
        }
        let deep = format!("{}x{}", "${u:-".repeat(10_000), "}".repeat(10_000));
        assert_eq!(text(&deep).unwrap_err().problem, Problem::NestedTooDeep { limit: DEEPEST_NESTING });
    }

    proptest! {
        #[test]
        fn never_panics(word in ".{0,40}") {
            let outcome = text(&word);
            if let Err(error) = outcome {
                prop_assert!(error.offset <= word.chars().count());
            }
        }

        #[test]
        fn never_panics_on_the_language_s_own_characters(word in "[$\\{}:+?#%/'\"\\\\ab1 -]{0,24}") {
            let outcome = text(&word);
            prop_assert!(outcome.is_ok() || outcome.is_err_and(|error| error.offset <= word.len()));
        }

        #[test]
        fn single_quotes_keep_everything(word in "[^']{0,40}") {
            prop_assert_eq!(text(&format!("'{word}'")), Ok(word));
        }
    }
}
