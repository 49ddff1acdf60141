//! Which entries of a source tree a `COPY` names.
//!
//! Turns source patterns into paths: wildcards by listing directories, links at the end and on the way followed
//! inside of the source's root, as BuildKit does (`fsutil/copy`, `ResolveWildcards` and `rootPath`). A wildcard
//! does not look through links to directories, and matches nothing without complaint; a plain name must be there.
//! Copies nothing.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use zoea_model::{Entry, Node, TreePath};

use crate::glob::{self, Component};
use crate::resolve::{self, Rules, Unresolved};
use crate::{CopyTree, RootfsError};

/// One entry to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it is, links followed.
    pub(crate) path: TreePath,
    /// What it is; never a link.
    pub(crate) entry: Entry,
    /// The name it gets in a destination directory: its own before links were followed.
    pub(crate) name: OsString,
}

/// Finds what `pattern` names, in the order of paths.
pub(crate) fn find(tree: &dyn CopyTree, pattern: &str) -> Result<Vec<Source>, RootfsError> {
    let components = glob::components(pattern)
        .map_err(|_| RootfsError::MalformedPattern { pattern: pattern.to_owned() })?;
    let names = components.iter().take_while(|component| matches!(component, Component::Name(_)));
    let plain = names.count();
    let (names, wildcards) = components.split_at(plain);
    let mut path = TreePath::root();
    for name in names {
        if let Component::Name(name) = name {
            path = join(&path, name)?;
        }
    }
    if wildcards.is_empty() {
        return Ok(vec![require(tree, &path, pattern)?]);
    }
    let start = follow(tree, &path)?;
    let found = matching(tree, &start, wildcards)?.into_iter();
    found.map(|found| require(tree, &found, pattern)).collect()
}

/// Demands that what `pattern` means below `root` is there, if both are plain names.
pub(crate) fn require_literal(tree: &dyn CopyTree, root: &str, pattern: &str) -> Result<(), RootfsError> {
    if glob::has_wildcard(root) || glob::has_wildcard(pattern) {
        return Ok(());
    }
    let malformed = |_| RootfsError::MalformedPattern { pattern: pattern.to_owned() };
    let path = TreePath::clamped(format!("{root}/{pattern}")).map_err(malformed)?;
    require(tree, &path, &path.as_relative().display().to_string()).map(drop)
}

/// Lists what matches `wildcards` below `start`, in the order of paths.
fn matching(
    tree: &dyn CopyTree,
    start: &TreePath,
    wildcards: &[Component],
) -> Result<Vec<TreePath>, RootfsError> {
    let mut found = vec![start.clone()];
    for component in wildcards {
        let mut next = Vec::new();
        for directory in found {
            let is_directory = lookup(tree, &directory)?.is_some_and(|entry| entry.node.is_directory());
            if !is_directory {
                continue;
            }
            match component {
                Component::Name(name) => next.push(join(&directory, name)?),
                Component::Pattern(pattern) => {
                    let mut names = tree
                        .children(&directory)
                        .map_err(|source| RootfsError::ReadSource { path: directory.clone(), source })?;
                    names.retain(|name| pattern.matches(name.as_bytes()));
                    names.sort();
                    for name in names {
                        next.push(join(&directory, name.as_bytes())?);
                    }
                }
            }
        }
        found = next;
    }
    let mut present = Vec::new();
    for path in found {
        if lookup(tree, &path)?.is_some() {
            present.push(path);
        }
    }
    Ok(present)
}

/// Follows links to what must be there.
pub(crate) fn require(tree: &dyn CopyTree, written: &TreePath, pattern: &str) -> Result<Source, RootfsError> {
    let path = follow(tree, written)?;
    match lookup(tree, &path)? {
        Some(entry) => {
            let name = written.file_name().unwrap_or(OsStr::new("")).to_owned();
            Ok(Source { path, entry, name })
        }
        None if tree.is_ignored(&path) => Err(RootfsError::SourceIgnored { pattern: pattern.to_owned() }),
        None => Err(RootfsError::SourceMissing { pattern: pattern.to_owned() }),
    }
}

fn follow(tree: &dyn CopyTree, path: &TreePath) -> Result<TreePath, RootfsError> {
    let target = |path: &TreePath| -> io::Result<Option<Vec<u8>>> {
        Ok(tree.lookup(path)?.and_then(|entry| match entry.node {
            Node::Symlink { target } => Some(target),
            Node::File { .. }
            | Node::Directory
            | Node::CharacterDevice(_)
            | Node::BlockDevice(_)
            | Node::Fifo => None,
        }))
    };
    resolve::resolve(path, Rules::FOLLOW, target).map_err(|error| match error {
        Unresolved::TooManyLinks => RootfsError::TooManyLinks { path: path.clone() },
        Unresolved::AboveRoot | Unresolved::NulByte => RootfsError::InvalidLink { path: path.clone() },
        Unresolved::Lookup(source) => RootfsError::ReadSource { path: path.clone(), source },
    })
}

fn lookup(tree: &dyn CopyTree, path: &TreePath) -> Result<Option<Entry>, RootfsError> {
    tree.lookup(path).map_err(|source| RootfsError::ReadSource { path: path.clone(), source })
}

fn join(directory: &TreePath, name: &[u8]) -> Result<TreePath, RootfsError> {
    directory.join(name).map_err(|source| RootfsError::InvalidName { directory: directory.clone(), source })
}
