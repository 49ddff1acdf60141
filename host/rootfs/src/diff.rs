//! The one definition of "changed".
//!
//! Compares what a step touched with what the tree was before it. Changes nothing. An entry is changed if its
//! kind, content, link target, owner, mode, time or kept extended attributes differ, and for no other reason: a
//! directory is not changed by what happens below it unless its own time is. The time of the root directory does
//! not count: every unpacker makes a root of its own, and other builders write none.

use std::collections::BTreeMap;

use zoea_model::{Change, Changes, Entry, Node, TreePath};

use crate::content::digest_of;
use crate::layer_disk::open_file;
use crate::upper::diff_of_upper;
use crate::{Rootfs, RootfsError};

/// Where the changes of a step are to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// Nowhere: it changed nothing.
    Nothing,
    /// At the paths of the tree's own journal.
    Paths,
    /// In the overlay's upper directory.
    Upper,
}

/// Returns what a step changed.
///
/// # Errors
/// Reports what cannot be read.
pub fn diff(rootfs: &Rootfs, touched: &Touched) -> Result<Changes, RootfsError> {
    match touched {
        Touched::Nothing => Ok(Changes::default()),
        Touched::Paths => diff_of_paths(rootfs),
        Touched::Upper => diff_of_upper(rootfs),
    }
}

fn diff_of_paths(rootfs: &Rootfs) -> Result<Changes, RootfsError> {
    let mut changes = BTreeMap::new();
    let mut gone: Option<TreePath> = None;
    for path in rootfs.journal().paths() {
        if gone.as_ref().is_some_and(|gone| path.starts_with(gone)) {
            continue;
        }
        let (old, new) = (rootfs.baseline().get(path), rootfs.entry(path));
        let stays_directory = new.as_ref().is_some_and(|entry| entry.node.is_directory());
        if old.is_some() && !stays_directory {
            // This one change stands for all that was below.
            gone = Some(path.clone());
        }
        match (old, new) {
            (None, None) => {}
            (Some(_), None) => drop(changes.insert(path.clone(), Change::Remove)),
            (old, Some(new)) => {
                if let Some(changed) = changed_entry(rootfs, path, old, new)? {
                    changes.insert(path.clone(), Change::Upsert(changed));
                }
            }
        }
    }
    link_names(&mut changes, |_, entry| entry.hard_link_to.clone());
    Ok(Changes(changes))
}

/// Returns `new` if it differs from `old`, looking into the file only where all else is equal.
pub(crate) fn changed_entry(
    rootfs: &Rootfs,
    path: &TreePath,
    old: Option<Entry>,
    mut new: Entry,
) -> Result<Option<Entry>, RootfsError> {
    let Some(old) = old else { return Ok(Some(new)) };
    if path.is_root() {
        new.attributes.mtime = old.attributes.mtime;
    }
    if old.attributes != new.attributes {
        return Ok(Some(new));
    }
    match (&old.node, &mut new.node) {
        (Node::File { size: before, digest: known }, Node::File { size, digest }) => {
            if before != size {
                return Ok(Some(new));
            }
            let found = match digest {
                Some(digest) => *digest,
                None => open_file(rootfs.dir(), path)
                    .and_then(|mut file| digest_of(&mut file))
                    .map_err(|source| RootfsError::ReadEntry { path: path.clone(), source })?,
            };
            *digest = Some(found);
            Ok((*known != Some(found)).then_some(new))
        }
        (before, now) => Ok((before != now).then_some(new)),
    }
}

/// Makes the first changed name of every file the file itself, and the others links to it.
///
/// `file` returns something that all names of one file share; names that are alone may return none.
pub(crate) fn link_names<Id: Ord + From<TreePath>>(
    changes: &mut BTreeMap<TreePath, Change>,
    file: impl Fn(&TreePath, &Entry) -> Option<Id>,
) {
    let mut firsts: BTreeMap<Id, (TreePath, Entry)> = BTreeMap::new();
    for (path, change) in changes {
        let Change::Upsert(entry) = change else { continue };
        if entry.node.is_directory() {
            continue;
        }
        let id = file(path, entry).unwrap_or_else(|| Id::from(path.clone()));
        entry.hard_link_to = None;
        match firsts.get(&id) {
            // Names that differ are no names of one file, whatever was said of them.
            Some((first, same)) if is_same_file(same, entry) => entry.hard_link_to = Some(first.clone()),
            Some(_) => {}
            None => drop(firsts.insert(id, (path.clone(), entry.clone()))),
        }
    }
}

fn is_same_file(left: &Entry, right: &Entry) -> bool {
    let same_node = match (&left.node, &right.node) {
        (Node::File { size: left, .. }, Node::File { size: right, .. }) => left == right,
        (left, right) => left == right,
    };
    same_node && left.attributes == right.attributes
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
