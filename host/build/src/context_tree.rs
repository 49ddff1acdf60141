//! Contexts, given and fetched, as sources of COPY and ADD.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use cap_std::fs::File;
use zoea_context::{Context, Fetched};
use zoea_model::{Entry, TreePath};
use zoea_rootfs::CopyTree;

/// Lets [`copy`](zoea_rootfs::copy) read a context: neither crate knows the other.
pub(crate) enum ContextTree {
    /// One of the build's contexts.
    Given(Arc<Context>),
    /// What an instruction asked for.
    Fetched(Arc<Fetched>),
}

impl ContextTree {
    fn context(&self) -> &Context {
        match self {
            Self::Given(context) => context,
            Self::Fetched(fetched) => &fetched.context,
        }
    }
}

impl CopyTree for ContextTree {
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        self.context().lookup(path)
    }

    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        self.context().children(path)
    }

    fn open(&self, path: &TreePath) -> io::Result<File> {
        self.context().open(path)
    }

    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        self.context().hard_link_id(path)
    }

    fn is_ignored(&self, path: &TreePath) -> bool {
        self.context().is_ignored(path)
    }
}
