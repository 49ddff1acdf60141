//! One pattern of paths: of an ignore file, of `--exclude`, of `--parents`.
//!
//! Owns the pattern language of `.dockerignore` as `moby/patternmatcher` has it: that of Go's `filepath.Match`,
//! with `**` for any number of directories. Knows nothing of order and of `!`. Invariant: matching walks the path
//! once with a set of places in the pattern, so no pattern makes it slow.

use crate::{CharacterClass, ModelError, TreePath};

/// A cleaned pattern without its `!`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    parts: Vec<Part>,
    shape: Shape,
}

/// What most patterns are, so that most paths are decided without a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    /// `text`.
    Plain(Vec<char>),
    /// `**/text`.
    Anywhere(Vec<char>),
    /// `**/*text`, the text within one name.
    Ending(Vec<char>),
    /// Anything else, with the plain text that it begins with.
    Other(Vec<char>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// One character.
    Char(char),
    /// `?`: one character but `/`.
    One,
    /// `[…]`: one character in the ranges, or outside of them.
    Class(CharacterClass),
    /// `*`: any characters but `/`.
    Star,
    /// `**` at the end, or before plain text at the beginning: any characters.
    Everything,
    /// `**` elsewhere: nothing, or any characters and `/`. The place before the first character.
    Directories,
    /// The place inside of [`Part::Directories`]; always follows it.
    InDirectories,
}

impl PathPattern {
    /// Reads a cleaned pattern.
    ///
    /// # Errors
    /// Refuses one that ends inside of a class or after a `\`, or has an empty range.
    pub fn new(text: &str) -> Result<Self, ModelError> {
        Self::read(text).ok_or_else(|| ModelError::PathPattern(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' if characters.as_str().starts_with('*') => {
                    double_star(&mut characters, &mut parts);
                }
                '*' => parts.push(Part::Star),
                '?' => parts.push(Part::One),
                '[' => parts.push(class(&mut characters)?),
                '\\' => parts.push(Part::Char(characters.next()?)),
                other => parts.push(Part::Char(other)),
            }
        }
        let shape = Shape::of(&parts);
        Some(Self { parts, shape })
    }

    /// Says whether `path`, or a directory above it, matches.
    pub fn covers(&self, path: &[char]) -> bool {
        let ends = |rest: &[char]| rest.first().is_none_or(|next| *next == '/');
        let begins_with = |path: &[char], text: &[char]| path.strip_prefix(text).is_some_and(ends);
        match &self.shape {
            Shape::Plain(text) => begins_with(path, text),
            Shape::Anywhere(text) => names(path).any(|from| begins_with(from, text)),
            Shape::Ending(text) => path.split(|character| *character == '/').any(|name| name.ends_with(text)),
            Shape::Other(beginning) => path.starts_with(beginning) && self.walk(path, Stop::AtDirectory),
        }
    }

    /// Says whether `path` itself matches.
    pub fn matches(&self, path: &[char]) -> bool {
        self.walk(path, Stop::AtEnd)
    }

    /// Says whether some path below `directory` can match by itself.
    pub fn reaches_below(&self, directory: &[char]) -> bool {
        let mut places = self.start();
        for character in directory.iter().chain(&['/']) {
            if !places.contains(&true) {
                return false;
            }
            places = self.advance(&places, *character);
        }
        places.iter().take(self.parts.len()).any(|place| *place)
    }

    fn walk(&self, path: &[char], stop: Stop) -> bool {
        let mut places = self.start();
        for character in path {
            if *character == '/' && stop == Stop::AtDirectory && places.last() == Some(&true) {
                return true;
            }
            // Nothing can be reached from nowhere; most patterns are there after a character or two.
            if !places.contains(&true) {
                return false;
            }
            places = self.advance(&places, *character);
        }
        places.last() == Some(&true)
    }

    /// The places that are reached before any character.
    fn start(&self) -> Vec<bool> {
        let mut places = vec![false; self.parts.len() + 1];
        mark(&mut places, 0);
        self.pass(places)
    }

    fn advance(&self, places: &[bool], character: char) -> Vec<bool> {
        let mut next = vec![false; places.len()];
        for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| places.get(*at) == Some(&true)) {
            match part {
                Part::Char(own) if *own == character => mark(&mut next, at + 1),
                Part::One if character != '/' => mark(&mut next, at + 1),
                Part::Class(class) if class.contains(character) => mark(&mut next, at + 1),
                Part::Star if character != '/' => mark(&mut next, at),
                Part::Everything => mark(&mut next, at),
                Part::InDirectories => {
                    mark(&mut next, at);
                    if character == '/' {
                        mark(&mut next, at + 1);
                    }
                }
                Part::Char(_) | Part::One | Part::Class(_) | Part::Star | Part::Directories => {}
            }
        }
        self.pass(next)
    }

    /// Adds the places that are reached without a character; they only lie further on.
    fn pass(&self, mut places: Vec<bool>) -> Vec<bool> {
        for (at, part) in self.parts.iter().enumerate() {
            if places.get(at) != Some(&true) {
                continue;
            }
            match part {
                Part::Star | Part::Everything => mark(&mut places, at + 1),
                Part::Directories => {
                    mark(&mut places, at + 1);
                    mark(&mut places, at + 2);
                }
                Part::Char(_) | Part::One | Part::Class(_) | Part::InDirectories => {}
            }
        }
        places
    }
}

/// When a walk may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// As soon as a directory above matches.
    AtDirectory,
    /// At the path's end only.
    AtEnd,
}

impl Shape {
    fn of(parts: &[Part]) -> Self {
        let text = |parts: &[Part]| {
            let character = |part: &Part| match part {
                Part::Char(own) => Some(*own),
                Part::One
                | Part::Class(_)
                | Part::Star
                | Part::Everything
                | Part::Directories
                | Part::InDirectories => None,
            };
            parts.iter().map(character).collect::<Option<Vec<char>>>()
        };
        let below = parts.strip_prefix(&[Part::Directories, Part::InDirectories]);
        let ending = below.and_then(|rest| rest.strip_prefix(&[Part::Star])).and_then(text);
        if let Some(text) = text(parts) {
            return Self::Plain(text);
        }
        if let Some(text) = ending.filter(|text| !text.contains(&'/')) {
            return Self::Ending(text);
        }
        match below.and_then(text) {
            Some(text) => Self::Anywhere(text),
            None => {
                let plain = parts.iter().take_while(|part| matches!(part, Part::Char(_))).count();
                Self::Other(parts.get(..plain).and_then(text).unwrap_or_default())
            }
        }
    }
}

/// The rest of a path from each of its names on.
fn names(path: &[char]) -> impl Iterator<Item = &[char]> {
    let slashes = path.iter().enumerate().filter(|(_, character)| **character == '/');
    let below = slashes.map(|(at, _)| path.get(at + 1..).unwrap_or_default());
    std::iter::once(path).chain(below)
}

fn mark(places: &mut [bool], at: usize) {
    if let Some(place) = places.get_mut(at) {
        *place = true;
    }
}

/// Reads `**` after its first star.
fn double_star(characters: &mut std::str::Chars<'_>, parts: &mut Vec<Part>) {
    characters.next();
    let rest = characters.as_str();
    let directory = rest.starts_with('/');
    if directory {
        characters.next();
    }
    let plain = !rest.contains(['*', '?', '[', ']', '\\']);
    if characters.as_str().is_empty() || (parts.is_empty() && plain && !directory) {
        parts.push(Part::Everything);
    } else {
        parts.extend([Part::Directories, Part::InDirectories]);
    }
}

/// Reads a class after its `[`. Moby's matcher makes a regular expression of it, which has no empty range.
fn class(characters: &mut std::str::Chars<'_>) -> Option<Part> {
    CharacterClass::parse(characters).filter(|class| !class.has_empty_range()).map(Part::Class)
}

impl TreePath {
    /// Decodes the path for patterns; each byte that is no UTF-8 counts as one replacement character, as in Go.
    pub fn characters(&self) -> Vec<char> {
        let mut characters = Vec::new();
        for chunk in self.as_bytes().utf8_chunks() {
            characters.extend(chunk.valid().chars());
            characters.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        characters
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        PathPattern::new(pattern).unwrap().covers(&path.chars().collect::<Vec<_>>())
    }

    #[test]
    fn matches_as_the_reference_does() {
        for (pattern, path) in [
            ("**", "file"),
            ("**", "dir/file"),
            ("**/", "file"),
            ("**/**", "dir/file"),
            ("dir/**", "dir/file"),
            ("dir/**", "dir/dir2/file"),
            ("**/dir", "dir"),
            ("**/dir", "dir/file"),
            ("**/dir2/*", "dir/dir2/file"),
            ("**/dir2/**", "dir/dir2/dir2/file"),
            ("**file", "file"),
            ("**file", "dir/file"),
            ("**file", "dir/afile"),
            ("**/file", "dir/dir/file"),
            ("**/file*", "dir/dir/file.txt"),
            ("**/file*txt", "dir/dir/file.txt"),
            ("**/file*.txt*", "dir/dir/file.txt"),
            ("**/**/*.txt", "dir/dir/file.txt"),
            ("a**", "abc/d"),
            ("a**b", "a/x/b"),
            ("a*b", "axb"),
            ("a/*/b", "a/x/b"),
            ("a[b-d]e", "ace"),
            ("[^a]bc", "xbc"),
            ("abc.def", "abc.def"),
            ("abc?def", "abcZdef"),
            ("a\\*b", "a*b"),
            ("**/foo/bar", "foo/bar"),
            ("**/foo/bar", "dir/foo/bar"),
            ("**/.foo", "a/.foo/b"),
            (".*", ".foo"),
            ("(a)+$|{b}", "(a)+$|{b}"),
            ("dir", "dir/file"),
            ("*", "a/b/c"),
            ("☺?", "☺é"),
        ] {
            assert!(covers(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("dir/**", "dir"),
            ("**/dir2/*", "dir/dir2"),
            ("**/file", "dir/afile"),
            ("**/file*txt", "dir/dir/file.tx"),
            ("a*b", "a/b"),
            ("a?b", "a/b"),
            ("abc.def", "abcZdef"),
            ("a**b", "axb"),
            ("dir", "direct"),
            ("dir/file", "dir"),
            (".*", "foo"),
            ("a\\*b", "axb"),
            ("[!a]", "b"),
            ("..", "a"),
        ] {
            assert!(!covers(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "[]", "[^]", "a[", "[a-]", "a\\", "[b-a]"] {
            assert!(PathPattern::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn tells_whether_anything_below_can_match() {
        let reaches = |pattern: &str, directory: &str| {
            PathPattern::new(pattern).unwrap().reaches_below(&directory.chars().collect::<Vec<_>>())
        };
        assert!(reaches("a/b", "a"));
        assert!(reaches("*/b", "x"));
        assert!(reaches("**/b", "x/y"));
        assert!(reaches("a/b/**", "a/b"));
        assert!(!reaches("a/b", "a/b"));
        assert!(!reaches("a/b", "c"));
        assert!(!reaches("a", "a"));
        assert!(!reaches("*/b", "x/y"));
    }

    /// The translation into a regular expression, matched the dull way: `parts` against all of `path`.
    fn naive(parts: &[Part], path: &[char]) -> bool {
        let Some((part, rest)) = parts.split_first() else { return path.is_empty() };
        let one = |fits: bool| fits && naive(rest, &path[1..]);
        let first = path.first();
        match part {
            Part::Char(own) => first.is_some_and(|first| one(first == own)),
            Part::One => first.is_some_and(|first| one(*first != '/')),
            Part::Class(class) => first.is_some_and(|first| one(class.contains(*first))),
            Part::Star => {
                let most = path.iter().position(|character| *character == '/').unwrap_or(path.len());
                (0..=most).any(|skip| naive(rest, &path[skip..]))
            }
            Part::Everything => (0..=path.len()).any(|skip| naive(rest, &path[skip..])),
            Part::Directories => {
                let rest = &rest[1..];
                let ends = path.iter().enumerate().filter(|(_, character)| **character == '/');
                naive(rest, path) || ends.into_iter().any(|(at, _)| naive(rest, &path[at + 1..]))
            }
            Part::InDirectories => unreachable!("skipped with the part before it"),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*?]{0,7}", path in "[ab](/?[ab]){0,5}") {
            let pattern = PathPattern::new(&pattern).unwrap();
            let path: Vec<char> = path.chars().collect();
            let mut ends: Vec<usize> = (0..path.len()).filter(|at| path[*at] == '/').collect();
            ends.push(path.len());
            let expected = ends.iter().any(|end| naive(&pattern.parts, &path[..*end]));
            prop_assert_eq!(pattern.covers(&path), expected);
            prop_assert_eq!(pattern.matches(&path), naive(&pattern.parts, &path));
            // Nothing below a directory matches by itself where the pattern does not reach.
            for end in ends {
                let below = path.get(end + 1..).unwrap_or_default();
                let own = (0..=below.len()).filter(|at| *at == below.len() || below[*at] == '/');
                let matched = own.filter(|at| *at > 0).any(|at| naive(&pattern.parts, &path[..end + 1 + at]));
                prop_assert!(!matched || pattern.reaches_below(&path[..end]));
            }
        }
    }
}
