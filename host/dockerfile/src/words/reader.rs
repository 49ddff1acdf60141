//! Reading a word from left to right: quotes, escapes, and where a variable begins.

use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::Problem;

use super::split::Output;
use super::{DEEPEST_NESTING, LONGEST_WORD, Names, WordError};

/// What quotes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They keep what they enclose, and go.
    Remove,
    /// They are text like any other.
    Keep,
}

/// What becomes of the escape character before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// It goes.
    Remove,
    /// It stays: whoever reads the result, such as a pattern, knows escapes too.
    Keep,
}

/// A word that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    offset: usize,
    quotes: Quotes,
    escape: char,
    escapes: Escapes,
    depth: usize,
    cost: usize,
    environment: &'a Environment,
    names: Names,
}

impl<'a> Reader<'a> {
    /// Begins at the first character.
    pub(super) fn new(word: &'a str, quotes: Quotes, escape: Escape, environment: &'a Environment) -> Self {
        // The scanner that BuildKit reads words with drops a byte order mark.
        let stripped = word.strip_prefix('\u{feff}');
        Self {
            rest: stripped.unwrap_or(word),
            offset: usize::from(stripped.is_some()),
            quotes,
            escape: escape.character(),
            escapes: Escapes::Remove,
            depth: 0,
            cost: 0,
            environment,
            names: Names::default(),
        }
    }

    /// Returns the names that were looked up, and what their values cost.
    pub(super) fn finish(self) -> (Names, usize) {
        (self.names, self.cost)
    }

    /// Returns how many characters were read.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the next character and leaves it.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes the next character.
    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        self.offset += 1;
        Some(character)
    }

    /// Appends what comes before `stop`, and takes that; `None` is the end of the word.
    pub(super) fn sequence(&mut self, stop: Option<char>, output: &mut Output) -> Result<(), WordError> {
        let start = self.offset;
        let mut buffer = [0; 4];
        while let Some(character) = self.peek() {
            if stop == Some(character) {
                self.next();
                return Ok(());
            }
            match (character, self.quotes) {
                ('\'', Quotes::Remove) => output.literal(&self.single_quoted()?),
                ('"', Quotes::Remove) => output.literal(&self.double_quoted()?),
                ('$', _) => output.plain(&self.dollar()?),
                (other, _) => {
                    self.next();
                    if other != self.escape {
                        output.plain(other.encode_utf8(&mut buffer));
                        continue;
                    }
                    if self.escapes == Escapes::Keep {
                        output.literal(other.encode_utf8(&mut buffer));
                    }
                    if let Some(escaped) = self.next() {
                        output.literal(escaped.encode_utf8(&mut buffer));
                    }
                }
            }
        }
        let problem = match stop {
            None => return Ok(()),
            Some('/') => Problem::MissingSlash,
            Some(_) => Problem::MissingBrace,
        };
        Err(WordError { offset: start, problem })
    }

    /// Reads the operand of an operator up to `stop`.
    pub(super) fn operand(&mut self, stop: char, escapes: Escapes) -> Result<String, WordError> {
        if self.depth >= DEEPEST_NESTING {
            let problem = Problem::NestedTooDeep { limit: DEEPEST_NESTING };
            return Err(WordError { offset: self.offset, problem });
        }
        let mut output = Output::default();
        let outer = std::mem::replace(&mut self.escapes, escapes);
        self.depth += 1;
        self.sequence(Some(stop), &mut output)?;
        self.depth -= 1;
        self.escapes = outer;
        Ok(output.text)
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
                    text.push(character);
                    if character == self.escape {
                        self.escaped_in_quotes(&mut text);
                    }
                }
            }
        }
    }

    /// Goes on behind an escape character that `text` ends with. Before most characters it means nothing; kept before
    /// those, it stands there twice, so that a pattern reads it as itself.
    fn escaped_in_quotes(&mut self, text: &mut String) {
        let escaped = self.peek().filter(|next| ['"', '$', self.escape].contains(next));
        match (escaped, self.escapes) {
            (Some(character), escapes) => {
                self.next();
                if escapes == Escapes::Remove {
                    text.pop();
                }
                text.push(character);
            }
            (None, Escapes::Keep) => text.push(self.escape),
            (None, Escapes::Remove) => {}
        }
    }

    /// Reads a name: a special parameter, digits, or letters, digits and underscores.
    pub(super) fn name(&mut self) -> String {
        let Some(first) = self.peek() else { return String::new() };
        if "@*#?-$!".contains(first) {
            self.next();
            return first.to_string();
        }
        let is_part = if super::is_digit(first) { super::is_digit } else { super::is_name_part };
        let mut name = String::new();
        while let Some(character) = self.peek().filter(|character| is_part(*character)) {
            self.next();
            name.push(character);
        }
        name
    }

    /// Looks a variable up and notes its name. `passes` says how often its value will be read.
    pub(super) fn look_up(&mut self, name: &str, passes: usize) -> Result<Option<String>, WordError> {
        let Some(value) = self.environment.get(name) else {
            self.names.unset.insert(name.to_owned());
            return Ok(None);
        };
        self.names.set.insert(name.to_owned());
        self.spend(value.len().saturating_mul(passes))?;
        Ok(Some(value.to_owned()))
    }

    /// Counts bytes that variables gave, and refuses too many.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), WordError> {
        self.cost = self.cost.saturating_add(bytes);
        if self.cost <= LONGEST_WORD {
            return Ok(());
        }
        Err(WordError { offset: self.offset, problem: Problem::WordTooLong { limit: LONGEST_WORD } })
    }
}
