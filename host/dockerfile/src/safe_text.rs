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
