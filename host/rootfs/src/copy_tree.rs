//! What `COPY` and `ADD` read from.
//!
//! Owns the border to whoever has files to copy: the build context, or the finished tree of a stage or image.
//! Decides nothing about copying.

use std::ffi::OsString;
use std::{fmt, io};

use cap_std::fs::File;
use zoea_model::{Entry, TreePath};

/// A read-only tree of files. Its methods follow no link, neither at a path's end nor in it.
pub trait CopyTree {
    /// Returns what `path` is, if it is there.
    ///
    /// # Errors
    /// Reports what stopped it from looking.
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>>;

    /// Lists the names in a directory, in any order.
    ///
    /// # Errors
    /// Reports what stopped it from reading.
    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>>;

    /// Opens a regular file.
    ///
    /// # Errors
    /// Reports what stopped it from opening.
    fn open(&self, path: &TreePath) -> io::Result<File>;

    /// Returns the same number for all names of one file that has several.
    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)>;

    /// Says whether `path` is left out by a rule of the user's; only used to explain that it is missing.
    fn is_ignored(&self, _path: &TreePath) -> bool {
        false
    }
}

impl fmt::Debug for dyn CopyTree + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CopyTree")
    }
}
