//! Comments that describe a stage or an argument.

use crate::ast::Heading;

/// Returns what the comments above an instruction say of `name`: what follows it in the first that begins with it.
pub(super) fn description(heading: &Heading, name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let mut texts =
        heading.comments.iter().filter_map(|comment| comment.strip_prefix(name)?.strip_prefix(' '));
    texts.next().unwrap_or_default().to_owned()
}
