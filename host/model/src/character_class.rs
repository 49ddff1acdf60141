//! Classes of characters in patterns: `[a-z]`, `[^x]`, as Go's `path.Match` reads them.
//!
//! The one part of the pattern language that COPY's sources and ignore files share.

use std::str::Chars;

/// A class of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharacterClass {
    /// Whether the class is what the ranges hold, or everything else.
    included: bool,
    /// First and last character of each range. One whose last comes before its first holds nothing.
    ranges: Vec<(char, char)>,
}

impl CharacterClass {
    /// Reads a class after its `[`, up to and with its `]`; none if it is malformed.
    ///
    /// It has at least one range; a `\` takes the next character as it is.
    pub fn parse(characters: &mut Chars<'_>) -> Option<Self> {
        let included = !characters.as_str().starts_with('^');
        if !included {
            characters.next();
        }
        let mut ranges = Vec::new();
        loop {
            if !ranges.is_empty() && characters.as_str().starts_with(']') {
                characters.next();
                return Some(Self { included, ranges });
            }
            let first = Self::character(characters)?;
            let mut last = first;
            if characters.as_str().starts_with('-') {
                characters.next();
                last = Self::character(characters)?;
            }
            ranges.push((first, last));
        }
    }

    fn character(characters: &mut Chars<'_>) -> Option<char> {
        match characters.next()? {
            '-' | ']' => None,
            '\\' => characters.next(),
            other => Some(other),
        }
    }

    /// Says whether `character` belongs to the class.
    pub fn contains(&self, character: char) -> bool {
        self.included == self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&character))
    }

    /// Says whether a range's last character comes before its first.
    pub fn has_empty_range(&self) -> bool {
        self.ranges.iter().any(|(first, last)| last < first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> Option<CharacterClass> {
        CharacterClass::parse(&mut text.chars())
    }

    #[test]
    fn ranges_and_escapes() {
        let letters = class("a-c\\]]rest").unwrap();
        assert!(['a', 'b', 'c', ']'].iter().all(|character| letters.contains(*character)));
        assert!(!letters.contains('d') && !letters.contains('\\'));
        let others = class("^a]").unwrap();
        assert!(others.contains('b') && !others.contains('a'));
        assert!(class("z-a]").unwrap().has_empty_range() && !class("z-a]").unwrap().contains('m'));
    }

    #[test]
    fn malformed_classes_are_refused() {
        for text in ["", "]", "a", "-a]", "a-]", "^]", "a\\"] {
            assert_eq!(class(text), None, "{text}");
        }
    }
}
