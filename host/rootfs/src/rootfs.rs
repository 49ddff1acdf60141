//! The tree of one running step: the only mutable tree there is.
//!
//! Owns the merged directory as a capability, what the tree was before the step ([`Baseline`]) and what the
//! builder's own operations made of it since (attribute table and [`Journal`]). It does not mount, unmount or
//! remove anything: whoever made the directories takes care of them. Invariant: an entry's logical attributes
//! are those of the attribute table where it has the path, else those of the baseline; the disk holds content.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use zoea_model::{Entry, Timestamp, TreePath};

use crate::attr_table::AttrTable;
use crate::{Baseline, Journal, Vfs};

/// What a [`Rootfs`] is made of; the stage that begins a step fills it in.
#[derive(Debug)]
pub(crate) struct RootfsParts {
    /// The merged tree.
    pub(crate) dir: Dir,
    /// Where the merged tree lies in the builder's mount namespace.
    pub(crate) host_path: PathBuf,
    /// The overlay's upper directory; none in a plain tree.
    pub(crate) upper: Option<Dir>,
    /// The overlay's lower directories, the topmost first; none in a plain tree.
    pub(crate) lowers: Vec<Dir>,
    /// What the tree is before the step.
    pub(crate) baseline: Baseline,
}

/// A tree while one step changes it.
#[derive(Debug)]
pub struct Rootfs {
    pub(crate) parts: RootfsParts,
    pub(crate) table: AttrTable,
    pub(crate) journal: Journal,
}

impl Rootfs {
    /// Begins a step on a tree that is as its baseline says.
    pub(crate) fn new(parts: RootfsParts) -> Self {
        Self { parts, table: AttrTable::default(), journal: Journal::default() }
    }

    /// Returns the merged tree.
    pub fn dir(&self) -> &Dir {
        &self.parts.dir
    }

    /// Returns where the merged tree lies in the builder's mount namespace; for launchers only.
    pub fn host_path(&self) -> &Path {
        &self.parts.host_path
    }

    /// Returns the overlay's upper directory; a plain tree has none.
    pub fn upper(&self) -> Option<&Dir> {
        self.parts.upper.as_ref()
    }

    /// Returns the overlay's lower directories, the topmost first; a plain tree has none.
    pub fn lowers(&self) -> &[Dir] {
        &self.parts.lowers
    }

    /// Returns what the tree was before the step.
    pub fn baseline(&self) -> &Baseline {
        &self.parts.baseline
    }

    /// Returns which paths the builder's own operations touched.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the logical entry that `path` is now, links not followed.
    ///
    /// Of the names that operations of this step linked to one file, all but the first in the order of
    /// [`TreePath`] carry `hard_link_to` with that first name, even where the first name is older than the step.
    pub fn entry(&self, path: &TreePath) -> Option<Entry> {
        self.table.get(path).unwrap_or_else(|| self.parts.baseline.get(path))
    }

    /// Returns the view through which the builder changes the tree; parents of made and removed entries get
    /// `now` as the time of their modification.
    pub fn vfs(&mut self, now: Timestamp) -> Vfs<'_> {
        Vfs::new(self, now)
    }
}
