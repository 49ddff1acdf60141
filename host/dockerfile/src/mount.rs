//! `RUN --mount`: its parts as written.
//!
//! Owns the splitting, and the one check that needs no variable: `from` cannot hold any, because it decides which
//! stages are built. What the parts mean is decided when the stage is lowered, as in BuildKit.

use crate::ast::{MountFlag, MountOption, Word};
use crate::error::{DockerfileError, MountProblem, Problem};
use crate::go::split_list;

/// Reads the value of a `--mount`.
pub(crate) fn parse(word: Word) -> Result<MountFlag, DockerfileError> {
    let wrong = |problem: MountProblem, span| Err(Problem::from(problem).at(span));
    let Some(parts) = split_list(&word.text) else {
        return wrong(MountProblem::List { flag: "mount" }, word.span);
    };
    let mut options = Vec::with_capacity(parts.len());
    for (offset, part) in parts {
        let characters = word.text.get(..offset).map_or(0, |before| before.chars().count());
        let span = word.place(characters);
        let (key, value) = match part.split_once('=') {
            Some((key, value)) => (key.to_lowercase(), Some(value.to_owned())),
            None => (part.to_lowercase(), None),
        };
        if let ("from", Some(value)) = (key.as_str(), &value)
            && value.find('$').is_some_and(|dollar| dollar + 1 < value.len())
        {
            return wrong(MountProblem::FromVariable { value: value.clone() }, span);
        }
        options.push(MountOption { key, value, span });
    }
    Ok(MountFlag { word, options })
}

impl MountFlag {
    /// Returns what `from` names, if anything.
    pub(crate) fn from(&self) -> Option<(&str, zoea_model::SourceSpan)> {
        let from = self.options.iter().rfind(|option| option.key == "from")?;
        let name = from.value.as_deref().filter(|name| !name.is_empty())?;
        Some((name, from.span))
    }
}

#[cfg(test)]
mod tests {
    use zoea_model::SourceSpan;

    use super::*;
    use crate::ast::Spelling;

    #[test]
    fn parts_know_their_places() {
        let span = SourceSpan { line: 3, column: 13, end_line: 3 };
        let text = "type=cache,Target=/é,ro".to_owned();
        let flag = parse(Word { text, span, spelling: Spelling::Verbatim }).unwrap();
        let parts: Vec<(&str, Option<&str>, usize)> = flag
            .options
            .iter()
            .map(|option| (option.key.as_str(), option.value.as_deref(), option.span.column))
            .collect();
        assert_eq!(parts, [("type", Some("cache"), 13), ("target", Some("/é"), 24), ("ro", None, 34)]);
    }

    #[test]
    fn from_is_a_plain_name() {
        let read = |text: &str| parse(Word { text: text.to_owned(), ..Word::default() });
        assert_eq!(read("from=a,FROM=b").unwrap().from().unwrap().0, "b");
        assert_eq!(read("from=").unwrap().from(), None);
        assert!(read("from=$").is_ok());
        for text in ["from=$a", "from=${a}", "target=\"", ""] {
            assert_eq!(read(text).is_err(), !text.is_empty(), "{text}");
        }
    }
}
