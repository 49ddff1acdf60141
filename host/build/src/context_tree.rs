//! Contexts, given and fetched, as sources of COPY and ADD.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use cap_std::fs::File;
use zoea_context::{Context, Fetched};
use zoea_model::{Entry, TreePath};
use zoea_rootfs::{CopyTree, TreeView};

/// Lets [`copy`](zoea_rootfs::copy) read a context: neither crate knows the other.
#[derive(Debug, Clone)]
pub enum ContextTree {
    /// A directory of this machine.
    Local(Arc<Context>),
    /// What was fetched, for a context or an instruction.
    Fetched(Arc<Fetched>),
    /// The files of an archive, with the owners that it gives them.
    Unpacked(Arc<TreeView>),
}

impl ContextTree {
    /// Says whether the ignore rules alone are why a copy of the pattern `path` finds nothing.
    pub fn hides(&self, path: &str) -> bool {
        match self {
            Self::Local(context) => context.rules().hides(path),
            Self::Fetched(_) | Self::Unpacked(_) => false,
        }
    }

    fn files(&self) -> Files<'_> {
        match self {
            Self::Local(context) => Files::Context(context),
            Self::Fetched(fetched) => Files::Context(&fetched.context),
            Self::Unpacked(tree) => Files::Tree(tree),
        }
    }
}

/// Who knows the files.
enum Files<'a> {
    Context(&'a Context),
    Tree(&'a TreeView),
}

impl CopyTree for ContextTree {
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        match self.files() {
            Files::Context(context) => context.lookup(path),
            Files::Tree(tree) => tree.lookup(path),
        }
    }

    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        match self.files() {
            Files::Context(context) => context.children(path),
            Files::Tree(tree) => tree.children(path),
        }
    }

    fn open(&self, path: &TreePath) -> io::Result<File> {
        match self.files() {
            Files::Context(context) => context.open(path),
            Files::Tree(tree) => tree.open(path),
        }
    }

    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        match self.files() {
            Files::Context(context) => context.hard_link_id(path),
            Files::Tree(tree) => tree.hard_link_id(path),
        }
    }

    fn is_ignored(&self, path: &TreePath) -> bool {
        match self.files() {
            Files::Context(context) => context.is_ignored(path),
            Files::Tree(_) => false,
        }
    }
}
