//! Which paths of a context are left out.
//!
//! Owns the meaning of an ignore file: lines, comments, `!`, and that the last line that matters wins. Reads no
//! disk. As `moby/patternmatcher` (`MatchesOrParentMatches`): a line matters to a path if it matches the path or
//! a directory above it. Invariant: a directory below which nothing can be taken in again is known as such
//! without looking into it.

use std::path::{Path, PathBuf};

use zoea_model::{PathPattern, TreePath};

use crate::ContextError;

/// The rules of one ignore file, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoreRules {
    rules: Vec<Rule>,
    origin: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    pattern: PathPattern,
    effect: Effect,
}

/// Says that a line is no rule and no comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

/// What a rule does to what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Leaves it out.
    Ignore,
    /// Takes it in again: a line with `!`.
    Include,
}

impl IgnoreRules {
    /// Makes rules that leave nothing out.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the bytes of the ignore file `origin`.
    ///
    /// # Errors
    /// Refuses malformed patterns.
    pub fn parse(origin: &Path, bytes: &[u8]) -> Result<Self, ContextError> {
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let mut rules = Vec::new();
        for (number, line) in text.lines().enumerate() {
            match rule(line) {
                Ok(rule) => rules.extend(rule),
                Err(Malformed) => {
                    return Err(ContextError::IgnorePattern {
                        file: origin.to_owned(),
                        line: number + 1,
                        pattern: line.trim().to_owned(),
                    });
                }
            }
        }
        Ok(Self { rules, origin: Some(origin.to_owned()) })
    }

    /// Returns the name of the file that the rules come from.
    pub fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// Says whether `path` is left out. The root never is.
    pub fn ignores(&self, path: &TreePath) -> bool {
        if self.rules.is_empty() || path.is_root() {
            return false;
        }
        let path = path.characters();
        let mut effect = Effect::Include;
        for rule in &self.rules {
            if rule.effect != effect && rule.pattern.covers(&path) {
                effect = rule.effect;
            }
        }
        effect == Effect::Ignore
    }

    /// Says whether a copy of the pattern `path` finds nothing because of the rules alone, whatever is there.
    ///
    /// As BuildKit's check of copied files has it: the text is compared and not what it matches, the whole context
    /// (`.`) is left out only by a rule for everything, and rules with exceptions say nothing.
    pub fn hides(&self, path: &str) -> bool {
        if self.rules.iter().any(|rule| rule.effect == Effect::Include) {
            return false;
        }
        match TreePath::new(path) {
            Ok(path) if path.is_root() => self.rules.iter().any(|rule| rule.is_for_everything()),
            Ok(path) => self.ignores(&path),
            Err(_) => false,
        }
    }

    /// Says whether something below the ignored directory `path` may be taken in again.
    pub(crate) fn may_include_below(&self, path: &TreePath) -> bool {
        let path = path.characters();
        let mut exceptions = self.rules.iter().filter(|rule| rule.effect == Effect::Include);
        exceptions.any(|rule| rule.pattern.reaches_below(&path))
    }
}

impl Rule {
    /// Says whether every path is meant: `*`, `**` or `**/*`.
    fn is_for_everything(&self) -> bool {
        let mut everything = ["*", "**", "**/*"].into_iter().filter_map(|text| PathPattern::new(text).ok());
        everything.any(|pattern| pattern == self.pattern)
    }
}

/// Reads one line; comments and blank lines are no rules.
fn rule(line: &str) -> Result<Option<Rule>, Malformed> {
    if line.starts_with('#') {
        return Ok(None);
    }
    let (text, effect) = match line.trim() {
        "" => return Ok(None),
        "!" => return Err(Malformed),
        text => match text.strip_prefix('!') {
            Some(text) => (text.trim(), Effect::Include),
            None => (text, Effect::Ignore),
        },
    };
    let cleaned = clean(text);
    let pattern = PathPattern::new(&cleaned).map_err(|_| Malformed)?;
    Ok(Some(Rule { pattern, effect }))
}

/// Shortens a pattern in the text, as Go's `filepath.Clean`, and drops its leading slash.
fn clean(text: &str) -> String {
    let rooted = text.starts_with('/');
    let mut components: Vec<&str> = Vec::new();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." if components.last().is_some_and(|last| *last != "..") => drop(components.pop()),
            ".." if rooted => {}
            other => components.push(other),
        }
    }
    match components.is_empty() {
        // Matches nothing, neither in the reference: the root is never left out.
        true => ".".to_owned(),
        false => components.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(text: &str) -> IgnoreRules {
        IgnoreRules::parse(Path::new(".dockerignore"), text.as_bytes()).unwrap()
    }

    fn ignores(text: &str, path: &str) -> bool {
        rules(text).ignores(&TreePath::new(path).unwrap())
    }

    #[test]
    fn lines_are_cleaned() {
        assert!(ignores("\u{feff}a\n", "a"));
        assert!(ignores("  /a/./b//../c/ \r\n", "a/c"));
        assert!(!ignores("#a\n", "#a"));
        assert!(ignores(" #a\n", "#a"));
        assert!(ignores("! b\n*\n", "b"));
        assert!(!ignores("*\n! b\n", "b"));
        assert!(!ignores("*\n!/b\n", "b"));
        assert!(!ignores("\n\n.\n/\n..\n../a\n", "a"));
        assert!(ignores("a b", "a b"));
        assert!(ignores("/../a", "a"));
    }

    #[test]
    fn what_no_copy_can_find_is_hidden() {
        let hides = |text: &str, path: &str| rules(text).hides(path);
        assert!(hides("a\n*.md\n", "a/b"));
        assert!(hides("a\n*.md\n", "*.md"));
        assert!(!hides("a\n*.md\n", "b"));
        assert!(!hides("a\n!a/b\n", "a"));
        for everything in ["*", "**", "**/*"] {
            assert!(hides(everything, "."), "{everything}");
        }
        assert!(!hides("a\n?\n*.*\n", "."));
        assert!(!hides("", "."));
    }

    #[test]
    fn the_last_line_that_matters_wins() {
        assert!(ignores("*.md\n!README.md\nREADME*", "README.md"));
        assert!(!ignores("*.md\nREADME*\n!README.md", "README.md"));
        assert!(!ignores("!a\n", "a"));
        assert!(ignores("docs\n!docs/README.md", "docs/other"));
        assert!(!ignores("docs\n!docs/README.md", "docs/README.md"));
        assert!(!ignores("*\n!src\n", "src/deep/file"));
        assert!(ignores("*\n!src/*.rs\n", "src/a.txt"));
        assert!(!ignores("*\n!src/*.rs\n", "src/a.rs"));
        assert!(!ignores("**\n!**/*.rs", "a/b/c.rs"));
        assert!(ignores("*\n!a/b\na/b/c", "a/b/c/d"));
        assert!(ignores("dir/**\n!dir/keep", "dir/x"));
        assert!(!ignores("dir/**\n!dir/keep", "dir/keep/y"));
    }

    #[test]
    fn the_root_is_never_left_out() {
        assert!(!rules("*\n**\n.\n/").ignores(&TreePath::root()));
        assert!(!IgnoreRules::none().ignores(&TreePath::new("a").unwrap()));
    }

    #[test]
    fn bad_lines_are_named() {
        let error = IgnoreRules::parse(Path::new("f"), b"a\n\n[b\n").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("`[b`"), "{error}");
        assert!(IgnoreRules::parse(Path::new("f"), b"!\n").is_err());
        assert!(IgnoreRules::parse(Path::new("f"), b"! \n").is_err());
        assert!(rules("\u{fffd}*").ignores(&TreePath::new(b"\xffx").unwrap()));
    }

    /// The rule of the reference, line by line and directory by directory.
    fn naive(lines: &[(Effect, String)], path: &str) -> bool {
        let mut ignored = false;
        for (effect, pattern) in lines {
            let pattern = PathPattern::new(&clean(pattern)).unwrap();
            let mut above = String::new();
            let matched = path.split('/').any(|name| {
                above = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
                let own: Vec<char> = above.chars().collect();
                pattern.covers(&own)
            });
            if matched {
                ignored = *effect == Effect::Ignore;
            }
        }
        ignored
    }

    proptest! {
        #[test]
        fn order_and_early_cut_are_right(
            lines in proptest::collection::vec((any::<bool>(), "[ab*](/?[ab*]){0,3}"), 1..5),
            path in "[ab](/[ab]){0,4}",
        ) {
            let lines: Vec<(Effect, String)> = lines
                .into_iter()
                .map(|(ignore, text)| (if ignore { Effect::Ignore } else { Effect::Include }, text))
                .collect();
            let text: Vec<String> = lines
                .iter()
                .map(|(effect, text)| if *effect == Effect::Include { format!("!{text}") } else { text.clone() })
                .collect();
            let rules = rules(&text.join("\n"));
            let path = TreePath::new(&path).unwrap();
            let ignored = rules.ignores(&path);
            prop_assert_eq!(ignored, naive(&lines, std::str::from_utf8(path.as_bytes()).unwrap()));
            // What is taken in is reached without entering a directory that may be cut off.
            if !ignored {
                for above in path.ancestors().filter(|above| rules.ignores(above)) {
                    prop_assert!(rules.may_include_below(&above));
                }
            }
        }
    }
}
