//! The build context as a source of COPY and ADD.

use std::ffi::OsString;
use std::io;

use cap_std::fs::File;
use zoea_context::Context;
use zoea_model::{Entry, TreePath};
use zoea_rootfs::CopyTree;

/// Lets [`copy`](zoea_rootfs::copy) read a context: neither crate knows the other.
pub(crate) struct ContextTree<'a>(pub(crate) &'a Context);

impl CopyTree for ContextTree<'_> {
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        self.0.lookup(path)
    }

    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        self.0.children(path)
    }

    fn open(&self, path: &TreePath) -> io::Result<File> {
        self.0.open(path)
    }

    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        self.0.hard_link_id(path)
    }

    fn is_ignored(&self, path: &TreePath) -> bool {
        self.0.is_ignored(path)
    }
}
