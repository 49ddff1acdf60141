//! A finished tree as files for somebody else: a tar archive, or a directory of the caller's.
//!
//! Owns what an export keeps. An archive keeps everything. A directory keeps content, links, permission bits and
//! times; every file is the caller's own, as with BuildKit, and no program runs as its owner: a set-id bit that
//! an image gave would be the caller's.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode, Timespec, Timestamps};
use rustix::io::Errno;
use zoea_model::{Attributes, Change, Changes, Entry, Node, Timestamp, TreePath};

use crate::content::clone_file;
use crate::error::invalid;
use crate::layer_disk as disk;
use crate::pack::{pack_content, pack_trees};
use crate::{Compression, PackOptions, RootfsError, TreeView};

/// The bits of a mode that a directory export keeps.
const PERMISSION_BITS: u32 = 0o1777;

/// The mode of a directory that holds a tree among others.
const DIRECTORY_MODE: u32 = 0o755;

/// Writes the whole tree as an uncompressed tar archive: equal trees give equal bytes.
///
/// Times later than `latest` are written as `latest`.
///
/// # Errors
/// Reports what cannot be read, and what `sink` refuses.
pub fn export_tar(
    view: &TreeView,
    latest: Option<Timestamp>,
    sink: &mut dyn Write,
) -> Result<(), RootfsError> {
    let options = PackOptions { compression: Compression::None, source_date_epoch: latest };
    pack_content(&all_below_root(view), view.dir(), &options, sink).map(drop)
}

/// As [`export_tar`], with each tree in a directory of its own, which has mode 0755 and the time `made`.
///
/// # Errors
/// As [`export_tar`]; refuses a name that is no name of a directory.
pub fn export_tar_of_several(
    views: &[(&str, &TreeView)],
    made: Timestamp,
    latest: Option<Timestamp>,
    sink: &mut dyn Write,
) -> Result<(), RootfsError> {
    let attributes = Attributes::root_owned(DIRECTORY_MODE, made);
    let directory = Entry { node: Node::Directory, attributes, hard_link_to: None };
    let mut trees = Vec::new();
    for (name, view) in views {
        let below = TreePath::new(name)
            .map_err(|error| RootfsError::WriteLayer { source: io::Error::other(error) })?;
        let mut changes = all_below_root(view);
        changes.0.insert(TreePath::root(), Change::Upsert(directory.clone()));
        trees.push((below, changes, view.dir()));
    }
    pack_trees(&trees, latest, sink)
}

fn all_below_root(view: &TreeView) -> Changes {
    let below_root = view.baseline().entries().filter(|(path, _)| !path.is_root());
    Changes(below_root.map(|(path, entry)| (path, Change::Upsert(entry))).collect())
}

/// Writes the whole tree into `target`, among what is there already.
///
/// # Errors
/// Refuses devices, and a directory in the place of a file or the other way round; reports what `target` refuses.
pub fn export_directory(view: &TreeView, target: &Dir) -> Result<(), RootfsError> {
    let failed = |path: &TreePath| {
        let path = path.clone();
        move |source| RootfsError::CopyEntry { path, source }
    };
    let mut directories = Vec::new();
    for (path, entry) in view.baseline().entries() {
        if !path.is_root() {
            write_entry(view.dir(), target, &path, &entry).map_err(failed(&path))?;
        }
        if entry.node.is_directory() {
            directories.push((path, entry));
        }
    }
    // From the bottom up: writing into a directory changes its time, and may need bits that it is to lose.
    for (path, entry) in directories.iter().rev().filter(|(path, _)| !path.is_root()) {
        disk::open_directory(target, path).and_then(|opened| finish(opened, entry)).map_err(failed(path))?;
    }
    Ok(())
}

fn write_entry(content: &Dir, target: &Dir, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let (parent, name) = disk::open_parent(target, path)?;
    make_room(&parent, name, entry)?;
    if let Some(first) = &entry.hard_link_to {
        let (first_parent, first_name) = disk::open_parent(target, first)?;
        return Ok(rustix::fs::linkat(first_parent, first_name, parent, name, AtFlags::empty())?);
    }
    match &entry.node {
        Node::Directory => match disk::create_directory(&parent, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        },
        Node::File { .. } => {
            let file = disk::create_file(&parent, name)?;
            clone_file(&disk::open_file(content, path)?, &file)?;
            finish(file, entry)
        }
        Node::Symlink { .. } | Node::Fifo => {
            disk::create_special(&parent, name, &entry.node)?;
            if entry.node == Node::Fifo {
                let mode = Mode::from_raw_mode(entry.attributes.mode & PERMISSION_BITS);
                rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?;
            }
            let times = times(entry);
            Ok(rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
        }
        Node::CharacterDevice(_) | Node::BlockDevice(_) => {
            Err(invalid("a device is not written to a directory of the host; a tar archive can hold it"))
        }
    }
}

/// Removes what an earlier export left under the name; directories are kept for a directory.
fn make_room(parent: &OwnedFd, name: &OsStr, entry: &Entry) -> io::Result<()> {
    let there = match disk::stat(parent, name) {
        Ok(there) => rustix::fs::FileType::from_raw_mode(there.st_mode),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match (there.is_dir(), entry.node.is_directory()) {
        (true, true) => Ok(()),
        (true, false) => Err(invalid("a directory is in its place")),
        (false, true) => Err(invalid("what is no directory is in its place")),
        (false, false) => match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        },
    }
}

fn finish(opened: impl AsFd, entry: &Entry) -> io::Result<()> {
    rustix::fs::fchmod(&opened, Mode::from_raw_mode(entry.attributes.mode & PERMISSION_BITS))?;
    Ok(rustix::fs::futimens(&opened, &times(entry))?)
}

fn times(entry: &Entry) -> Timestamps {
    let Timestamp { seconds, nanoseconds } = entry.attributes.mtime;
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) };
    Timestamps { last_access: time, last_modification: time }
}
