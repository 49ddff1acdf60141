//! `$v` and `${v…}`: the operators and what each makes of a value.

use crate::error::Problem;

use super::pattern::{Reach, with_all_replaced, with_first_replaced, without_prefix, without_suffix};
use super::reader::{Escapes, Reader};
use super::{LONGEST_WORD, WordError};

/// How many bytes of pattern make the search of a value as dear as reading it once more.
const PATTERN_BYTES_PER_PASS: usize = 16;

/// When an operator takes a variable for missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Unset,
    UnsetOrEmpty,
}

impl Missing {
    /// Returns the value, unless it counts as missing.
    fn present(self, value: Option<&String>) -> Option<&String> {
        value.filter(|value| self == Self::Unset || !value.is_empty())
    }
}

impl Reader<'_> {
    /// Reads a variable, the dollar sign of which is next, and returns what stands in its place.
    pub(super) fn dollar(&mut self) -> Result<String, WordError> {
        let start = self.offset();
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            return if name.is_empty() { Ok("$".to_owned()) } else { self.value(&name) };
        }
        self.next();
        if let Some('{' | '}' | ':') = self.peek() {
            return Err(WordError { offset: start, problem: Problem::BadSubstitution });
        }
        let name = self.name();
        self.substitution(&name, start)
    }

    /// Reads on behind the name in `${name`.
    fn substitution(&mut self, name: &str, start: usize) -> Result<String, WordError> {
        let fail = |problem| Err(WordError { offset: start, problem });
        let (operator, missing) = match self.next() {
            Some('}') => return self.value(name),
            Some(':') => (self.next(), Missing::UnsetOrEmpty),
            operator => (operator, Missing::Unset),
        };
        match (operator, missing) {
            (None, _) => fail(Problem::MissingBrace),
            (Some('-'), _) => {
                let (word, value) = self.operand_and_value(name)?;
                Ok(missing.present(value.as_ref()).cloned().unwrap_or(word))
            }
            (Some('+'), _) => {
                let (word, value) = self.operand_and_value(name)?;
                Ok(missing.present(value.as_ref()).map(|_| word).unwrap_or_default())
            }
            (Some('?'), _) => {
                let (message, value) = self.operand_and_value(name)?;
                match (missing.present(value.as_ref()), value.is_some()) {
                    (Some(present), _) => Ok(present.clone()),
                    (None, true) => fail(Problem::VariableEmpty { name: name.to_owned(), message }),
                    (None, false) => fail(Problem::VariableUnset { name: name.to_owned(), message }),
                }
            }
            (Some(end @ ('#' | '%')), Missing::Unset) => self.trimmed(name, end, start),
            (Some('/'), Missing::Unset) => self.replaced(name, start),
            (Some(operator), missing) => {
                let colon = if missing == Missing::UnsetOrEmpty { ":" } else { "" };
                fail(Problem::SubstitutionOperator { operator: format!("{colon}{operator}") })
            }
        }
    }

    fn operand_and_value(&mut self, name: &str) -> Result<(String, Option<String>), WordError> {
        let word = self.operand('}', Escapes::Remove)?;
        Ok((word, self.look_up(name, 1)?))
    }

    /// `#` and `##` take the shortest and the longest match off the beginning, `%` and `%%` off the end.
    fn trimmed(&mut self, name: &str, end: char, start: usize) -> Result<String, WordError> {
        let word = self.operand('}', Escapes::Keep)?;
        // The second sign is looked for when the pattern's variables are replaced, as in BuildKit.
        let (pattern, reach) = match word.strip_prefix(end) {
            Some(pattern) => (pattern, Reach::Longest),
            None => (word.as_str(), Reach::Shortest),
        };
        let value = self.searched(name, pattern)?;
        let trimmed = match end {
            '#' => without_prefix(&value, pattern, reach),
            _ => without_suffix(&value, pattern, reach),
        };
        trimmed.map_err(|problem| WordError { offset: start, problem })
    }

    /// `/` replaces the first match, `//` every one.
    fn replaced(&mut self, name: &str, start: usize) -> Result<String, WordError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.operand('/', Escapes::Keep)?;
        let replacement = self.operand('}', Escapes::Keep)?;
        let value = self.searched(name, &pattern)?;
        let replaced = match all {
            true => with_all_replaced(&value, &pattern, &replacement, LONGEST_WORD),
            false => with_first_replaced(&value, &pattern, &replacement).map(Some),
        };
        let text = replaced.map_err(|problem| WordError { offset: start, problem })?;
        self.spend(text.as_ref().map_or(usize::MAX, String::len))?;
        Ok(text.unwrap_or_default())
    }

    /// Returns the value of a variable, empty if it is not set.
    fn value(&mut self, name: &str) -> Result<String, WordError> {
        Ok(self.look_up(name, 1)?.unwrap_or_default())
    }

    /// Returns the value of a variable that `pattern` is searched in.
    fn searched(&mut self, name: &str, pattern: &str) -> Result<String, WordError> {
        let passes = 1 + pattern.len() / PATTERN_BYTES_PER_PASS;
        Ok(self.look_up(name, passes)?.unwrap_or_default())
    }
}
