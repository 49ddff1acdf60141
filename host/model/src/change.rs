//! The difference that one step made to a tree.

use std::collections::BTreeMap;

use crate::{Entry, TreePath};

/// What happened to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The path now is this entry. A directory's own content is not touched by it.
    Upsert(Entry),
    /// The path now is this directory, and nothing that lay below it before remains.
    Replace(Entry),
    /// The path, and all below it, is gone.
    Remove,
}

/// The sorted set of changes of one step, one per path.
///
/// `diff` makes it, `pack` writes it as a layer; it is the one meaning of "changed".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes(pub BTreeMap<TreePath, Change>);

impl Changes {
    /// Says whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
