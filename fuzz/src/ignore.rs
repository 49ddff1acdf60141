//! `.dockerignore` files: whatever they hold, they answer for every path.

use std::path::Path;

use zoea_context::IgnoreRules;
use zoea_model::TreePath;

/// Reads the bytes before the first NUL as an ignore file and asks it about each of the others, NUL between them.
///
/// # Panics
/// If the root is ignored, or asking twice gives two answers.
pub fn ignore(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let Ok(rules) = IgnoreRules::parse(Path::new(".dockerignore"), text) else { return };
    assert!(!rules.ignores(&TreePath::root()), "the root is ignored");
    for path in parts.filter_map(|path| TreePath::new(path).ok()) {
        assert_eq!(rules.ignores(&path), rules.ignores(&path), "two answers for {path}");
    }
}
