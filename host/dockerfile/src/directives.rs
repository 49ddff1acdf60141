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

/// Whether a directive may still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Nothing but directives came.
    Open,
    /// Something else came.
    Closed,
}

/// What a comment turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A directive.
    Directive,
    /// Words for whoever reads the file.
    Comment,
}

/// Reads directives from the first lines of a file.
///
/// BuildKit reads them twice: its parser looks for `escape`, and refuses a directive that is given twice; what looks
/// for `syntax` and `check` takes no blanks before the `#`, passes over a `#!` line, and just stops at the second.
#[derive(Debug)]
pub(crate) struct DirectiveReader {
    directives: Directives,
    seen: Vec<String>,
    escape: Search,
    others: Search,
}

impl DirectiveReader {
    /// Begins at the first line.
    pub(crate) fn new() -> Self {
        Self {
            directives: Directives::default(),
            seen: Vec::new(),
            escape: Search::Open,
            others: Search::Open,
        }
    }

    /// Returns the escape character that holds from here on.
    pub(crate) fn escape(&self) -> Escape {
        self.directives.escape
    }

    /// Says that no directive can follow.
    pub(crate) fn close(&mut self) {
        self.escape = Search::Closed;
        self.others = Search::Closed;
    }

    /// Returns what was found.
    pub(crate) fn finish(self) -> Directives {
        self.directives
    }

    /// Takes a comment, whose text after the `#` is `comment`.
    pub(crate) fn comment(&mut self, comment: &[u8], span: SourceSpan) -> Result<Role, DockerfileError> {
        if self.escape == Search::Closed && self.others == Search::Closed {
            return Ok(Role::Comment);
        }
        if span.line == 1 && span.column == 1 && comment.starts_with(b"!") {
            self.escape = Search::Closed;
            return Ok(Role::Comment);
        }
        if span.column > 1 {
            self.others = Search::Closed;
        }
        let directive = std::str::from_utf8(comment).ok().and_then(split);
        let Some((key, value)) = directive.filter(|(key, _)| KEYS.contains(&key.as_str())) else {
            self.close();
            return Ok(Role::Comment);
        };
        if self.seen.contains(&key) {
            let role = self.role();
            self.close();
            return match role {
                Role::Directive => Err(Problem::DirectiveTwice { name: key }.at(span)),
                Role::Comment => Ok(role),
            };
        }
        self.set(&key, value, span)?;
        self.seen.push(key);
        Ok(self.role())
    }

    /// Returns what a directive is to BuildKit's parser.
    fn role(&self) -> Role {
        match self.escape {
            Search::Open => Role::Directive,
            Search::Closed => Role::Comment,
        }
    }

    fn set(&mut self, key: &str, value: &str, span: SourceSpan) -> Result<(), DockerfileError> {
        // What follows a blank is handed to a frontend image, and to nothing else.
        let first = value.split(' ').next().unwrap_or_default();
        match (key, self.escape, self.others) {
            ("escape", Search::Open, _) => {
                self.directives.escape = match value {
                    "\\" => Escape::Backslash,
                    "`" => Escape::Backtick,
                    _ => return Err(Problem::EscapeDirective { value: value.to_owned() }.at(span)),
                }
            }
            ("syntax", _, Search::Open) => {
                let spelling = Spelling::Rewritten;
                self.directives.syntax = Some(Word { text: first.to_owned(), span, spelling });
            }
            ("check", _, Search::Open) => {
                self.directives.check = Some(check(first, span).map_err(|problem| problem.at(span))?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The directives there are.
const KEYS: [&str; 3] = ["syntax", "escape", "check"];

/// Splits `key = value` with a key of letters and digits and a value that is not empty.
pub(crate) fn split(comment: &str) -> Option<(String, &str)> {
    let blanks = [' ', '\t', '\u{c}', '\r'];
    let (key, value) = comment.trim_start().split_once('=')?;
    let (key, value) = (key.trim_end_matches(blanks), value.trim_matches(blanks));
    let word = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (word && !value.is_empty()).then(|| (key.to_ascii_lowercase(), value))
}

/// Reads a choice of build checks, from the directive or from elsewhere.
pub(crate) fn check(value: &str, span: SourceSpan) -> Result<Check, Problem> {
    let mut check = Check {
        span,
        skip: RuleSet::default(),
        experimental: RuleSet::default(),
        severity: CheckSeverity::default(),
    };
    let mut options = value.split(';');
    // BuildKit reads three options, and the rest of the text as part of the third.
    for option in options.by_ref().take(3) {
        let invalid = || Problem::CheckDirective { option: option.trim().to_owned() };
        let (key, value) = option.split_once('=').ok_or_else(invalid)?;
        match (key.trim(), value.trim()) {
            ("skip", rules) => check.skip = rule_set(rules),
            ("experimental", rules) => check.experimental = rule_set(rules),
            ("error", "1" | "t" | "T" | "true" | "TRUE" | "True") => check.severity = CheckSeverity::Error,
            ("error", "0" | "f" | "F" | "false" | "FALSE" | "False") => {
                check.severity = CheckSeverity::Warning
            }
            _ => return Err(invalid()),
        }
    }
    match options.next() {
        Some(option) => Err(Problem::CheckDirective { option: option.trim().to_owned() }),
        None => Ok(check),
    }
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
            reader.comment(
                comment.as_bytes(),
                SourceSpan { line: index + 1, column: 1, end_line: index + 1 },
            )?;
        }
        Ok(reader.finish())
    }

    #[test]
    fn directives_come_in_any_order_and_case() {
        let directives =
            read(&[" ESCAPE = ` ", "syntax=docker/dockerfile:1", " check=skip=A,B;error=True but"]).unwrap();
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
        let shebang = read(&["!x", "escape=`", "syntax=x", "syntax=y", "check=error=true"]).unwrap();
        assert_eq!((shebang.syntax.unwrap().text.as_str(), shebang.check), ("x", None));
        let mut indented = DirectiveReader::new();
        for (line, comment) in [(1, "syntax=x"), (2, "escape=`")] {
            indented.comment(comment.as_bytes(), SourceSpan { line, column: 3, end_line: line }).unwrap();
        }
        assert_eq!(indented.finish(), Directives { escape: Escape::Backtick, ..Directives::default() });
    }

    #[test]
    fn wrong_ones_are_refused() {
        for comments in [
            &["escape=x"][..],
            &["syntax=a", "Syntax=b"],
            &["check=bogus"],
            &["check=error=maybe"],
            &["check=skip=a;error=1;experimental=b;skip=c"],
        ] {
            assert!(read(comments).is_err(), "{comments:?}");
        }
    }
}
