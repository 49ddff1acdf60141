//! Which paths a step touched.
//!
//! Holds names, never contents or attributes, and does not say what happened to them: `diff` compares. Invariant:
//! whatever an operation changed, made or removed is listed, each path below a removed directory by itself.

use std::collections::BTreeSet;

use zoea_model::TreePath;

/// The set of touched paths, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal(BTreeSet<TreePath>);

impl Journal {
    /// Notes that `path` was touched.
    pub(crate) fn touch(&mut self, path: &TreePath) {
        if !self.0.contains(path) {
            self.0.insert(path.clone());
        }
    }

    /// Iterates over the touched paths, a directory before what lies below it.
    pub fn paths(&self) -> impl Iterator<Item = &TreePath> {
        self.0.iter()
    }

    /// Says whether `path` itself was touched.
    pub fn contains(&self, path: &TreePath) -> bool {
        self.0.contains(path)
    }

    /// Says whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
