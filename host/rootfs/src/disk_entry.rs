//! What an entry is on the disk, as against what it is logically.
//!
//! Only looks; never follows a link. Judging what the difference to another look means is `upper`'s.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zoea_model::{Attributes, DeviceNumber, Node, Timestamp};

use crate::layer_disk::{OPAQUE_XATTR, stat};
use crate::xattr::kept_names;

/// The largest extended attribute of the kernel (`XATTR_SIZE_MAX`).
const MAX_XATTR_BYTES: usize = 65_536;

/// One look at a name on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// An entry of the tree.
    Entry(DiskEntry),
    /// An overlay's mark that lower content is hidden.
    Whiteout,
    /// The rendezvous of running processes, which no layer keeps.
    Socket,
}

/// An entry as the disk has it; the digest of a file is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskEntry {
    pub(crate) node: Node,
    pub(crate) attributes: Attributes,
    /// Device and inode number, the same for all names of one file.
    pub(crate) id: (u64, u64),
    /// How many names it has.
    pub(crate) names: u64,
}

/// Looks at `name` in the opened directory `parent`.
pub(crate) fn look(parent: impl AsFd, name: &OsStr) -> io::Result<Look> {
    let stat = stat(&parent, name)?;
    let device =
        DeviceNumber { major: rustix::fs::major(stat.st_rdev), minor: rustix::fs::minor(stat.st_rdev) };
    let node = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => return Ok(Look::Socket),
        FileType::CharacterDevice if stat.st_rdev == 0 => return Ok(Look::Whiteout),
        FileType::CharacterDevice => Node::CharacterDevice(device),
        FileType::BlockDevice => Node::BlockDevice(device),
        FileType::Fifo => Node::Fifo,
        FileType::Directory => Node::Directory,
        FileType::Symlink => {
            Node::Symlink { target: rustix::fs::readlinkat(&parent, name, Vec::new())?.into_bytes() }
        }
        FileType::RegularFile => {
            Node::File { size: u64::try_from(stat.st_size).unwrap_or_default(), digest: None }
        }
        FileType::Unknown => return Err(io::Error::other("a kind of file that Linux does not have")),
    };
    let xattrs = match node {
        Node::File { .. } | Node::Directory => kept_xattrs(open(parent, name)?)?,
        // The kernel keeps `user.*` and capabilities on files and directories only (`xattr(7)`).
        Node::Symlink { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {
            BTreeMap::new()
        }
    };
    let attributes = attributes(&stat, xattrs);
    Ok(Look::Entry(DiskEntry { node, attributes, id: (stat.st_dev, stat.st_ino), names: stat.st_nlink }))
}

/// Says whether an opened directory hides lower content.
pub(crate) fn is_opaque(directory: impl AsFd) -> io::Result<bool> {
    let mut value = [0; 1];
    match rustix::fs::fgetxattr(directory, OPAQUE_XATTR, &mut value[..]) {
        Ok(length) => Ok(length == 1 && value == *b"y"),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads the extended attributes that layers keep.
pub(crate) fn kept_xattrs(file: impl AsFd) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut xattrs = BTreeMap::new();
    let mut buffer = Vec::new();
    for name in kept_names(&file)? {
        buffer.resize(MAX_XATTR_BYTES, 0);
        match rustix::fs::fgetxattr(&file, name.as_slice(), buffer.as_mut_slice()) {
            Ok(length) => {
                drop(xattrs.insert(name, buffer.get(..length).unwrap_or_default().to_vec()));
            }
            // Gone between the two calls.
            Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(xattrs)
}

fn open(parent: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?))
}

fn attributes(stat: &Stat, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Attributes {
    Attributes {
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        mtime: Timestamp {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
        xattrs,
    }
}
