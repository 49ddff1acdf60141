//! Finding places in a tree that somebody else wrote.
//!
//! Owns a walk that never leaves the tree: links are read and followed in the tree, absolute ones from its root, and
//! `..` stops there. Nothing else may change the tree meanwhile. Invariant: what comes out is an entry below the
//! root that is no link, as handles: a path could lead elsewhere as soon as something is mounted on part of it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How many links one path may lead over: the kernel's own limit (`path_resolution(7)`).
const LINK_LIMIT: usize = 40;

/// An entry of a tree.
#[derive(Debug)]
pub(crate) struct Found {
    /// The directory that holds it.
    pub(crate) directory: OwnedFd,
    /// Its name there.
    pub(crate) name: OsString,
    /// The entry itself, as a place.
    pub(crate) entry: OwnedFd,
}

/// What a place is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory is mounted there.
    Directory,
    /// A file is mounted there.
    File,
}

/// Says what happens at a name that is missing: returns after having made it, or an error.
pub(crate) type Missing<'a> = dyn FnMut(BorrowedFd<'_>, &OsStr, Place) -> io::Result<()> + 'a;

/// Refuses names that are missing.
pub(crate) fn refuse_missing(_: BorrowedFd<'_>, _: &OsStr, _: Place) -> io::Result<()> {
    Err(io::ErrorKind::NotFound.into())
}

/// Follows `path` from `root`; a path that leads to the root itself is refused.
pub(crate) fn find(
    root: BorrowedFd<'_>,
    path: &str,
    place: Place,
    missing: &mut Missing<'_>,
) -> io::Result<Found> {
    let mut pending: VecDeque<OsString> = components(path.as_bytes()).collect();
    let mut reached: Vec<(OwnedFd, OsString)> = Vec::new();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            reached.pop();
            continue;
        }
        let directory = reached.last().map_or(root, |(directory, _)| directory.as_fd());
        let last = pending.is_empty();
        let found = match open(directory, &name) {
            Err(Errno::NOENT) => {
                missing(directory, &name, if last { place } else { Place::Directory })?;
                open(directory, &name)
            }
            found => found,
        }?;
        let status = rustix::fs::fstat(&found)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Symlink {
            reached.push((found, name));
            continue;
        }
        links += 1;
        if links > LINK_LIMIT {
            return Err(Errno::LOOP.into());
        }
        let target = rustix::fs::readlinkat(directory, &name, Vec::new())?.into_bytes();
        if target.first() == Some(&b'/') {
            reached.clear();
        }
        for component in components(&target).rev().collect::<Vec<_>>() {
            pending.push_front(component);
        }
    }
    let Some((entry, name)) = reached.pop() else { return Err(Errno::BUSY.into()) };
    let directory = reached.last().map_or(root, |(directory, _)| directory.as_fd()).try_clone_to_owned()?;
    Ok(Found { directory, name, entry })
}

/// Opens a name as a place, whatever it is; of a mount point, what is mounted there.
pub(crate) fn open(directory: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Splits a path and drops what means nothing.
fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = OsString> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(|name| OsString::from_vec(name.to_vec()))
}

/// Says whether `name` in `directory` is the entry with this device and inode number.
pub(crate) fn is_same(directory: BorrowedFd<'_>, name: &OsStr, identity: (u64, u64)) -> io::Result<bool> {
    match rustix::fs::statat(directory, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Ok((status.st_dev, status.st_ino) == identity),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
