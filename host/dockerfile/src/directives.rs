//! Parser directives: `# syntax=`, `# escape=` and `# check=` before anything else in the file.
//!
//! Owns their grammar and which line ends them. Must not decide what a syntax or a check means for a build.

use zoea_model::SourceSpan;

use crate::ast::{Spelling, Word};
use crate::error::{DockerfileError, Problem};

/// The character that continues a line and takes the meaning from the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escape {
    /// `\`
    #[default]
    Backslash,
    /// `` ` ``
    Backtick,
}

impl Escape {
    /// Returns the character.
    pub fn character(self) -> char {
        match self {
            Self::Backslash => '\\',
            Self::Backtick => '`',
        }
    }
}

/// A choice of build checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSet {
    /// Every rule.
    All,
    /// The rules of these names.
    Named(Vec<String>),
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// What a build check that complains does to the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckSeverity {
    /// It warns.
    #[default]
    Warning,
    /// It fails the build.
    Error,
}

/// `# check=skip=A,B;error=true;experimental=all`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Where it stands.
    pub span: SourceSpan,
    /// Rules that do not complain.
    pub skip: RuleSet,
    /// Experimental rules that do.
    pub experimental: RuleSet,
    /// What a complaint does.
    pub severity: CheckSeverity,
}

/// The directives of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directives {
    /// The frontend image that the file asks for.
    pub syntax: Option<Word>,
    /// The escape character.
    pub escape: Escape,
    /// The choice of build checks.
    pub check: Option<Check>,
}

/// How far the search for directives is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing but directives came.
    Open,
    /// A `#!` line came first: the escape character is not looked for any more, as in BuildKit.
    AfterShebang,
    /// Something else came.
    Closed,
}

/// Reads directives from the first lines of a file.
#[derive(Debug)]
pub(crate) struct DirectiveReader {
    directives: Directives,
    seen: Vec<String>,
    progress: Progress,
}

impl DirectiveReader {
    /// Begins at the first line.
    pub(crate) fn new() -> Self {
        Self { directives: Directives::default(), seen: Vec::new(), progress: Progress::Open }
    }

    /// Returns the escape character that holds from here on.
    pub(crate) fn escape(&self) -> Escape {
        self.directives.escape
    }

    /// Says that no directive can follow.
    pub(crate) fn close(&mut self) {
        self.progress = Progress::Closed;
    }

    /// Returns what was found.
    pub(crate) fn finish(self) -> Directives {
        self.directives
    }

    /// Takes a comment, whose text after the `#` is `comment`.
    pub(crate) fn comment(&mut self, comment: &str, span: SourceSpan) -> Result<(), DockerfileError> {
        if self.progress == Progress::Closed {
            return Ok(());
        }
        if span.line == 1 && comment.starts_with('!') {
            self.progress = Progress::AfterShebang;
            return Ok(());
        }
        let Some((key, value)) = split(comment) else {
            self.close();
            return Ok(());
        };
        let key = key.to_ascii_lowercase();
        let known = match key.as_str() {
            "syntax" | "check" => true,
            "escape" => self.progress == Progress::Open,
            _ => false,
        };
        if !known {
            self.close();
            return Ok(());
        }
        if self.seen.contains(&key) {
            return Err(Problem::DirectiveTwice { name: key }.at(span));
        }
        match key.as_str() {
            "syntax" => {
                let spelling = Spelling::Rewritten;
                self.directives.syntax = Some(Word { text: value.to_owned(), span, spelling });
            }
            "check" => self.directives.check = Some(check(value, span)?),
            _ => {
                self.directives.escape = match value {
                    "\\" => Escape::Backslash,
                    "`" => Escape::Backtick,
                    _ => return Err(Problem::EscapeDirective { value: value.to_owned() }.at(span)),
                }
            }
        }
        self.seen.push(key);
        Ok(())
    }
}

/// Splits `key = value` with a key of letters and digits and a value that is not empty.
fn split(comment: &str) -> Option<(&str, &str)> {
    let (key, value) = comment.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let word = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (word && !value.is_empty()).then_some((key, value))
}

fn check(value: &str, span: SourceSpan) -> Result<Check, DockerfileError> {
    let mut check = Check {
        span,
        skip: RuleSet::default(),
        experimental: RuleSet::default(),
        severity: CheckSeverity::default(),
    };
    for option in value.split(';') {
        let invalid = || Problem::CheckDirective { option: option.trim().to_owned() }.at(span);
        let (key, value) = option.split_once('=').ok_or_else(invalid)?;
        match (key.trim(), value.trim()) {
            ("skip", rules) => check.skip = rule_set(rules),
            ("experimental", rules) => check.experimental = rule_set(rules),
            ("error", "true" | "1") => check.severity = CheckSeverity::Error,
            ("error", "false" | "0") => check.severity = CheckSeverity::Warning,
            _ => return Err(invalid()),
        }
    }
    Ok(check)
}

fn rule_set(text: &str) -> RuleSet {
    match text {
        "all" => RuleSet::All,
        names => RuleSet::Named(names.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(comments: &[&str]) -> Result<Directives, DockerfileError> {
        let mut reader = DirectiveReader::new();
        for (index, comment) in comments.iter().enumerate() {
            reader.comment(comment, SourceSpan { line: index + 1, column: 1, end_line: index + 1 })?;
        }
        Ok(reader.finish())
    }

    #[test]
    fn directives_come_in_any_order_and_case() {
        let directives =
            read(&[" ESCAPE = ` ", "syntax=docker/dockerfile:1", " check=skip=A, B;error=true"]).unwrap();
        assert_eq!(directives.escape, Escape::Backtick);
        assert_eq!(directives.syntax.unwrap().text, "docker/dockerfile:1");
        let check = directives.check.unwrap();
        assert_eq!(check.skip, RuleSet::Named(vec!["A".to_owned(), "B".to_owned()]));
        assert_eq!(check.severity, CheckSeverity::Error);
    }

    #[test]
    fn anything_else_ends_them() {
        for first in [" a comment", "unknown=1", "", "9a=1", "escape="] {
            assert_eq!(read(&[first, "escape=`"]).unwrap().escape, Escape::Backslash, "{first}");
        }
        let shebang = read(&["!/usr/bin/env docker", "syntax=x", "escape=`"]).unwrap();
        assert_eq!(shebang.syntax.unwrap().text, "x");
        assert_eq!(shebang.escape, Escape::Backslash);
    }

    #[test]
    fn wrong_ones_are_refused() {
        for comments in
            [&["escape=x"][..], &["syntax=a", "Syntax=b"], &["check=bogus"], &["check=error=maybe"]]
        {
            assert!(read(comments).is_err(), "{comments:?}");
        }
    }
}
