//! Texts of a plan's steps for people and programs to read, without what is secret in them.
//!
//! Owns which parts those are: in the words of a step that fetches something, what a URL hides itself. The history that
//! an image gets is not touched.

use std::borrow::Cow;

use zoea_model::{CopyItem, Operation, SafeUrl};

/// Hides the secret parts of URLs in the text of a step that fetches something.
pub(crate) fn safe<'a>(text: &'a str, operation: &Operation) -> Cow<'a, str> {
    let fetches = match operation {
        Operation::Copy(copy) => copy.items.iter().any(is_fetched),
        Operation::Metadata | Operation::Workdir(_) | Operation::Run(_) => false,
    };
    if !fetches {
        return Cow::Borrowed(text);
    }
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let (word, blank) = word.split_at(word.trim_end().len());
        match word.contains("://") {
            true => format!("{}{blank}", SafeUrl::new(word)),
            false => format!("{word}{blank}"),
        }
    });
    Cow::Owned(words.collect())
}

fn is_fetched(item: &CopyItem) -> bool {
    match item {
        CopyItem::Http(_) | CopyItem::Git(_) => true,
        CopyItem::Pattern(_) | CopyItem::Below { .. } | CopyItem::Inline(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{Known, Lowered, Request, lower, parse};

    #[test]
    fn titles_of_steps_hide_what_urls_hide() {
        let text =
            b"FROM scratch\nADD https://me:secret@h/f?token=secret /\nADD https://me:secret@h/r.git /r";
        let request = Request {
            target: None,
            build_args: BTreeMap::new(),
            platform: "linux/amd64".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        };
        let Lowered::Plan { plan, .. } = lower(&parse(text).unwrap(), &request, &Known::default()).unwrap()
        else {
            panic!("no plan")
        };
        for step in &plan.stages.first().unwrap().steps {
            assert!(step.text.starts_with("ADD https://") && !step.text.contains("secret"), "{}", step.text);
        }
    }
}
