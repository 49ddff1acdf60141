//! Nodes of a layer on the disk: making them, and storing as many attributes as the kernel lets the builder.
//!
//! Works on one component below an opened directory at a time and never follows a link. What the kernel refuses
//! (owners, devices, extended attributes) is left out: the index has it. Every other failure is an error.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use zoea_model::{Attributes, Node, Timestamp, TreePath};

use crate::form::{Form, Owned};

/// The attribute that makes an overlay's directory opaque when it is mounted with `userxattr`
/// (`Documentation/filesystems/overlayfs.rst`).
pub(crate) const OPAQUE_XATTR: &str = "user.overlay.opaque";

/// How directories are opened: to work in them and to read them.
const DIRECTORY_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How files are opened: never through a link, never waiting for a named pipe's other end.
const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens the directory at `path` below `root`; a symbolic link on the way is an error.
pub(crate) fn open_directory(root: impl AsFd, path: &TreePath) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let opened = rustix::fs::openat2(&root, path.as_relative(), DIRECTORY_FLAGS, Mode::empty(), resolve);
    match opened {
        // Before Linux 5.6 and in gVisor there is no openat2: one component after the other does the same.
        Err(Errno::NOSYS) => {
            let mut directory = open_child_directory(&root, OsStr::new("."))?;
            for name in path.components() {
                directory = open_child_directory(&directory, name)?;
            }
            Ok(directory)
        }
        other => Ok(other?),
    }
}

/// Opens the directory `name` in `parent`.
pub(crate) fn open_child_directory(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(parent, name, DIRECTORY_FLAGS, Mode::empty())?)
}

/// Opens the directory that holds `path` below `root`, and returns it with the last component.
pub(crate) fn open_parent(root: impl AsFd, path: &TreePath) -> io::Result<(OwnedFd, &OsStr)> {
    let parent = open_directory(root, &path.parent().unwrap_or_default())?;
    Ok((parent, path.file_name().unwrap_or(OsStr::new("."))))
}

/// Opens the regular file at `path` below `root` for reading.
pub(crate) fn open_file(root: impl AsFd, path: &TreePath) -> io::Result<File> {
    let (parent, name) = open_parent(root, path)?;
    let opened = rustix::fs::openat(&parent, name, FILE_FLAGS, Mode::empty());
    let file = match opened {
        // A step may have taken the bits that the builder needs, where it has no rights but its user's.
        Err(Errno::ACCESS) => {
            let mode = Mode::from_raw_mode(stat(&parent, name)?.st_mode);
            rustix::fs::chmodat(&parent, name, mode | Mode::RUSR, AtFlags::empty())?;
            let opened = rustix::fs::openat(&parent, name, FILE_FLAGS, Mode::empty());
            rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?;
            opened?
        }
        other => other?,
    };
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(File::from(file))
}

/// Looks at `name` in `parent`.
pub(crate) fn stat(parent: impl AsFd, name: &OsStr) -> io::Result<rustix::fs::Stat> {
    Ok(rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Makes a directory that only the builder may enter.
pub(crate) fn create_directory(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(parent, name, Mode::RWXU)?)
}

/// Makes an empty file that only the builder may open.
pub(crate) fn create_file(parent: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Makes what is neither file nor directory; an empty file stands for what the kernel refuses.
pub(crate) fn create_special(parent: impl AsFd, name: &OsStr, node: &Node) -> io::Result<()> {
    let (kind, device) = match node {
        Node::Symlink { target } => return Ok(rustix::fs::symlinkat(target.as_slice(), parent, name)?),
        Node::CharacterDevice(number) => (FileType::CharacterDevice, *number),
        Node::BlockDevice(number) => (FileType::BlockDevice, *number),
        Node::Fifo => (FileType::Fifo, zoea_model::DeviceNumber { major: 0, minor: 0 }),
        Node::File { .. } | Node::Directory => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a special file"));
        }
    };
    let device = rustix::fs::makedev(device.major, device.minor);
    match rustix::fs::mknodat(&parent, name, kind, Mode::RUSR | Mode::WUSR, device) {
        Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => {
            create_file(parent, name).map(drop)
        }
        other => Ok(other?),
    }
}

/// Makes the mark by which an overlay hides `name` of lower directories.
pub(crate) fn create_whiteout(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    let device = rustix::fs::makedev(0, 0);
    Ok(rustix::fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), device)?)
}

/// Makes an opened directory hide all of the same name in lower directories.
pub(crate) fn make_opaque(directory: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(directory, OPAQUE_XATTR, b"y", XattrFlags::empty())?)
}

/// Stores the attributes of an opened file or directory.
pub(crate) fn keep(opened: impl AsFd, node: &Node, attributes: &Attributes, form: Form) -> io::Result<()> {
    let owned = match owner(attributes) {
        // The owner comes first: changing it clears set-id bits and capabilities.
        Some((uid, gid)) => owned(rustix::fs::fchown(&opened, Some(uid), Some(gid)))?,
        None => Owned::No,
    };
    rustix::fs::fchmod(&opened, Mode::from_raw_mode(form.disk_mode(node, attributes, owned)))?;
    for (name, value) in &attributes.xattrs {
        let stored = rustix::fs::fsetxattr(&opened, name.as_slice(), value, XattrFlags::empty());
        tolerate_refused_xattr(stored)?;
    }
    Ok(rustix::fs::futimens(&opened, &times(attributes.mtime))?)
}

/// Stores the attributes of what is neither file nor directory.
pub(crate) fn keep_special(
    parent: impl AsFd,
    name: &OsStr,
    node: &Node,
    attributes: &Attributes,
    form: Form,
) -> io::Result<()> {
    let owned = match owner(attributes) {
        Some((uid, gid)) => {
            let (uid, gid) = (Some(uid), Some(gid));
            owned(rustix::fs::chownat(&parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))?
        }
        None => Owned::No,
    };
    if !matches!(node, Node::Symlink { .. }) {
        let mode = Mode::from_raw_mode(form.disk_mode(node, attributes, owned));
        rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?;
    }
    let times = times(attributes.mtime);
    Ok(rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn owner(attributes: &Attributes) -> Option<(Uid, Gid)> {
    // The highest number means "unchanged" to the kernel, so it cannot be stored.
    let known = attributes.uid != u32::MAX && attributes.gid != u32::MAX;
    known.then(|| (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid)))
}

/// Tells a refused owner from a failure; `EINVAL` and `EOVERFLOW` are the answers for ids without a mapping.
fn owned(changed: rustix::io::Result<()>) -> io::Result<Owned> {
    match changed {
        Ok(()) => Ok(Owned::Yes),
        Err(Errno::PERM | Errno::INVAL | Errno::OVERFLOW | Errno::NOSYS) => Ok(Owned::No),
        Err(errno) => Err(errno.into()),
    }
}

/// `ENOSPC`, `E2BIG` and `ERANGE` are how file systems say that an attribute is too large for them.
fn tolerate_refused_xattr(stored: rustix::io::Result<()>) -> io::Result<()> {
    match stored {
        Ok(())
        | Err(
            Errno::PERM
            | Errno::ACCESS
            | Errno::NOTSUP
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::NOSPC
            | Errno::TOOBIG
            | Errno::RANGE,
        ) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn times(mtime: Timestamp) -> Timestamps {
    let nanoseconds = mtime.nanoseconds.min(999_999_999);
    let time = Timespec { tv_sec: mtime.seconds, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}
