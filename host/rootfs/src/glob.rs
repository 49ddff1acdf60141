//! Source patterns of `COPY` and `ADD`.
//!
//! Owns the pattern language: that of Go's `path.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\` before any character),
//! one component at a time, because `*` never crosses a slash. Knows no tree. Invariant: matching takes time in
//! proportion to pattern times name, whatever the pattern.

use zoea_model::CharacterClass;

/// One component of a source pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Component {
    /// A name without wildcards, `\` taken off.
    Name(Vec<u8>),
    /// Names that match.
    Pattern(Pattern),
}

/// A component with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`.
    Any,
    /// `?`.
    One,
    /// `[…]`.
    Class(CharacterClass),
    /// The character itself.
    Char(char),
}

/// A pattern that ends inside of a class or after a `\`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Splits a source into components; `.` and empty ones are dropped, `..` takes one away and stops at the root.
pub(crate) fn components(source: &str) -> Result<Vec<Component>, Malformed> {
    let mut texts = Vec::new();
    for text in source.split('/') {
        match text {
            "" | "." => {}
            ".." => drop(texts.pop()),
            _ => texts.push(text),
        }
    }
    texts.into_iter().map(component).collect()
}

/// Says whether `source` is more than a plain name.
pub(crate) fn has_wildcard(source: &str) -> bool {
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' | '[' => return true,
            '\\' => drop(characters.next()),
            _ => {}
        }
    }
    false
}

fn component(text: &str) -> Result<Component, Malformed> {
    let mut tokens = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Any,
            '?' => Token::One,
            '[' => Token::Class(CharacterClass::parse(&mut characters).ok_or(Malformed)?),
            '\\' => Token::Char(characters.next().ok_or(Malformed)?),
            other => Token::Char(other),
        });
    }
    let mut name = String::new();
    for token in &tokens {
        match token {
            Token::Char(character) => name.push(*character),
            Token::Any | Token::One | Token::Class(_) => return Ok(Component::Pattern(Pattern(tokens))),
        }
    }
    Ok(Component::Name(name.into_bytes()))
}

impl Pattern {
    /// Says whether the whole of `name` matches.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let name = decode(name);
        let (mut token, mut at) = (0, 0);
        // Where to go on when what follows the last `*` does not fit: after it, one character further.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let step = match (self.0.get(token), name.get(at)) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    retry = Some((token + 1, at));
                    token += 1;
                    continue;
                }
                (Some(pattern), Some(character)) => pattern.fits(*character),
                (Some(_), None) => return false,
                (None, Some(_)) => false,
            };
            if step {
                (token, at) = (token + 1, at + 1);
                continue;
            }
            match retry {
                Some((after, from)) if from < name.len() => {
                    retry = Some((after, from + 1));
                    (token, at) = (after, from + 1);
                }
                Some(_) | None => return false,
            }
        }
    }
}

impl Token {
    fn fits(&self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Class(class) => class.contains(character),
            Self::Char(own) => *own == character,
        }
    }
}

/// Decodes a name as UTF-8; each byte that is none counts as one replacement character, as in Go.
fn decode(name: &[u8]) -> Vec<char> {
    let mut characters = Vec::new();
    for chunk in name.utf8_chunks() {
        characters.extend(chunk.valid().chars());
        characters.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    characters
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        match component(pattern).unwrap() {
            Component::Name(own) => own == name.as_bytes(),
            Component::Pattern(pattern) => pattern.matches(name.as_bytes()),
        }
    }

    #[test]
    fn matches_as_go_does() {
        for (pattern, name) in [
            ("abc", "abc"),
            ("*", "abc"),
            ("*", ""),
            ("*c", "abc"),
            ("a*", "a"),
            ("a*b*c*d*e*", "axbxcxdxexxx"),
            ("a*b?c*x", "abxbbxdbxebxczzx"),
            ("ab[c]", "abc"),
            ("ab[b-d]", "abc"),
            ("ab[^e-g]", "abc"),
            ("a\\*b", "a*b"),
            ("a?b", "a☺b"),
            ("a[^a]b", "a☺b"),
            ("[\\]a]", "]"),
            ("[\\-x]", "-"),
            ("[x\\-]", "x"),
            ("[!a]", "!"),
            ("arr[[]0].txt", "arr[0].txt"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a*b?c*x", "abxbbxdbxebxczzy"),
            ("ab[e-g]", "abc"),
            ("ab[^b-d]", "abc"),
            ("a\\*b", "ab"),
            ("a???b", "a☺b"),
            ("[a-ζ]*", "A"),
            ("[x\\-]", "z"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "a\\", "[a-b-c]", "[a\\"] {
            assert_eq!(components(pattern), Err(Malformed), "{pattern}");
        }
    }

    #[test]
    fn splits_and_stops_at_the_root() {
        let name = |text: &str| Component::Name(text.as_bytes().to_vec());
        assert_eq!(components("../../a/./b//../c/").unwrap(), [name("a"), name("c")]);
        assert_eq!(components(".").unwrap(), []);
        assert_eq!(components("a\\[b").unwrap(), [name("a[b")]);
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches(&format!("{}c", "*a".repeat(200)), &"a".repeat(4000)));
    }

    /// The textbook definition, exponential but obviously right.
    fn naive(pattern: &[Token], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Token::Any, rest)), _) => (0..=name.len()).any(|skip| naive(rest, &name[skip..])),
            (Some((token, rest)), Some((first, others))) => token.fits(*first) && naive(rest, others),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", name in "[abc]{0,8}") {
            let Ok(Component::Pattern(pattern)) = component(&pattern) else { return Ok(()) };
            let name: Vec<char> = name.chars().collect();
            let text: String = name.iter().collect();
            prop_assert_eq!(pattern.matches(text.as_bytes()), naive(&pattern.0, &name));
        }
    }
}
