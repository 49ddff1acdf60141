//! A list of path patterns, with `!` before those that take back: what `--exclude` leaves out, what `--parents` takes.
//!
//! Owns the meaning of the order while a tree is walked from the top. As `moby/patternmatcher`
//! (`MatchesUsingParentResults`): the last pattern that matters wins; one matters to an entry that it matches and, if
//! it mattered to the directory, to all that is in it. Reads no disk.

use crate::{ModelError, PathPattern, TreePath};

/// A list of patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFilter {
    patterns: Vec<(Effect, PathPattern)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Match,
    /// A pattern with `!`.
    TakeBack,
}

/// What a filter says of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is matched.
    pub matched: bool,
    /// Which patterns matter to it.
    mattering: Vec<bool>,
}

impl PathFilter {
    /// Reads patterns; blank ones are none.
    ///
    /// # Errors
    /// Refuses malformed ones.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, ModelError> {
        let cleaned = patterns.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(clean);
        let patterns = cleaned.map(|text| match text.strip_prefix('!') {
            Some("") => Err(ModelError::PathPattern(text)),
            Some(rest) => Ok((Effect::TakeBack, PathPattern::new(rest)?)),
            None => Ok((Effect::Match, PathPattern::new(&text)?)),
        });
        Ok(Self { patterns: patterns.collect::<Result<_, _>>()? })
    }

    /// Returns what is said of the root, which no pattern can mean.
    pub fn of_root(&self) -> Verdict {
        Verdict { matched: false, mattering: vec![false; self.patterns.len()] }
    }

    /// Returns what is said of `path`, which is in a directory of which `above` is said.
    pub fn verdict(&self, path: &TreePath, above: &Verdict) -> Verdict {
        let mut verdict = self.of_root();
        if self.patterns.is_empty() {
            return verdict;
        }
        let path = path.characters();
        let known = above.mattering.iter().zip(&mut verdict.mattering);
        for ((effect, pattern), (inherited, matters)) in self.patterns.iter().zip(known) {
            // What cannot change anything is not looked at, nor remembered.
            let decides = (*effect == Effect::Match) != verdict.matched;
            *matters = *inherited || (decides && pattern.matches(&path));
            if *matters {
                verdict.matched = *effect == Effect::Match;
            }
        }
        verdict
    }

    /// Says whether what is below the directory `path` can get another verdict than the directory.
    pub fn may_change_below(&self, path: &TreePath, verdict: &Verdict) -> bool {
        let changing = if verdict.matched { Effect::TakeBack } else { Effect::Match };
        let mut patterns = self.patterns.iter().filter(|(effect, _)| *effect == changing).peekable();
        if patterns.peek().is_none() {
            return false;
        }
        let path = path.characters();
        patterns.any(|(_, pattern)| pattern.reaches_below(&path))
    }
}

/// Shortens a pattern in the text, as Go's `filepath.Clean`.
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
    match (rooted, components.is_empty()) {
        (true, _) => format!("/{}", components.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => components.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Walks down to `path`, and says what the filter says of it.
    fn matched(patterns: &[&str], path: &str) -> bool {
        let filter = PathFilter::new(patterns.iter().copied()).unwrap();
        let path = TreePath::new(path).unwrap();
        let all = path.ancestors().chain([path.clone()]).filter(|path| !path.is_root());
        all.fold(filter.of_root(), |above, path| filter.verdict(&path, &above)).matched
    }

    #[test]
    fn the_last_pattern_that_matters_wins() {
        assert!(matched(&["*.md", "!README.md", "README*"], "README.md"));
        assert!(!matched(&["*.md", "README*", "!README.md"], "README.md"));
        assert!(matched(&["docs", "!docs/README.md"], "docs/other"));
        assert!(!matched(&["docs", "!docs/README.md"], "docs/README.md"));
        assert!(matched(&["docs"], "docs/deep/file"));
        assert!(!matched(&["*.txt"], "deep/file.txt"));
        assert!(matched(&["**/*.txt"], "deep/file.txt"));
        assert!(!matched(&[], "a"));
    }

    #[test]
    fn what_had_nothing_to_take_back_is_not_remembered() {
        // `!a` comes too late for `a`, and does not mean `a/b` itself; `.dockerignore` has it otherwise.
        assert!(matched(&["a/b", "!a"], "a/b"));
        assert!(!matched(&["a", "!a"], "a/b"));
    }

    #[test]
    fn patterns_are_cleaned_and_never_comments() {
        assert!(matched(&["  ./a//b/../c/ "], "a/c"));
        assert!(matched(&["#a"], "#a"));
        // A path is relative, so that a rooted pattern means none.
        assert!(!matched(&["/a"], "a"));
        assert!(!matched(&["", " ", ".", ".."], "a"));
        // Cleaned with its `!`, as in Go.
        assert!(matched(&["*", "!b/../a"], "a"));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["!", "[", "a\\", "![a"] {
            assert!(PathFilter::new([pattern]).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn nothing_changes_where_nothing_may(
            patterns in proptest::collection::vec("!?[ab*](/?[ab*]){0,3}", 0..5),
            path in "[ab](/[ab]){0,4}",
        ) {
            let filter = PathFilter::new(patterns.iter().map(String::as_str)).unwrap();
            let path = TreePath::new(&path).unwrap();
            let mut above = filter.of_root();
            let mut fixed = None;
            for path in path.ancestors().chain([path.clone()]).filter(|path| !path.is_root()) {
                let verdict = filter.verdict(&path, &above);
                if let Some(fixed) = fixed {
                    prop_assert_eq!(verdict.matched, fixed, "{}", path);
                } else if !filter.may_change_below(&path, &verdict) {
                    fixed = Some(verdict.matched);
                }
                above = verdict;
            }
        }
    }
}
