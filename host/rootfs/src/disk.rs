//! Operations on the disk below a tree's root, by paths that hold no link any more.
//!
//! Translates entries to system calls and decides nothing about what the tree *is*: an attribute or a device that
//! this kernel refuses to the builder is left out here and stays in the attribute table alone. Invariant: each
//! call names one component below an opened directory and follows no link, so nothing outside is reached.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use zoea_model::{Attributes, Node, Timestamp, TreePath};

/// A tree on the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk<'a> {
    root: &'a Dir,
}

/// Whether an entry may have attributes from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It was made just now.
    New,
    /// It was there before.
    Old,
}

impl<'a> Disk<'a> {
    /// Works below `root`.
    pub(crate) fn new(root: &'a Dir) -> Self {
        Self { root }
    }

    /// Makes a directory that only the builder may enter.
    pub(crate) fn create_directory(self, path: &TreePath) -> io::Result<()> {
        self.at(path, |dir, name| rustix::fs::mkdirat(dir, name, Mode::RWXU))
    }

    /// Makes an empty file that only the builder may open, and opens it for writing.
    pub(crate) fn create_file(self, path: &TreePath) -> io::Result<File> {
        self.at(path, |dir, name| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
        })
    }

    /// Opens a regular file for reading.
    pub(crate) fn open_file(self, path: &TreePath) -> io::Result<File> {
        let file = self
            .at(path, |dir, name| rustix::fs::openat(dir, name, READ_FLAGS, Mode::empty()).map(File::from))?;
        if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) == FileType::RegularFile {
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }

    /// Makes a symbolic link.
    pub(crate) fn create_symlink(self, path: &TreePath, target: &[u8]) -> io::Result<()> {
        self.at(path, |dir, name| rustix::fs::symlinkat(target, dir, name))
    }

    /// Makes a device or a named pipe, or an empty file in its place where the kernel refuses it.
    pub(crate) fn create_node(self, path: &TreePath, kind: FileType, device: u64) -> io::Result<()> {
        let made =
            self.at(path, |dir, name| rustix::fs::mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, device));
        match made {
            Err(error) if is_refusal(&error) => self.create_file(path).map(drop),
            other => other,
        }
    }

    /// Gives `existing` one more name, or copies its content where the kernel refuses the link.
    pub(crate) fn create_hard_link(self, existing: &TreePath, path: &TreePath) -> io::Result<()> {
        let (existing_dir, existing_name) = self.reach(existing)?;
        let linked = self.at(path, |dir, name| {
            rustix::fs::linkat(&existing_dir, &existing_name, dir, name, AtFlags::empty())
        });
        match linked {
            Err(error) if is_refusal(&error) || is_one_of(&error, &[Errno::MLINK, Errno::XDEV]) => {
                let mut from = self.open_file(existing)?;
                let mut to = self.create_file(path)?;
                io::copy(&mut from, &mut to).map(drop)
            }
            other => other,
        }
    }

    /// Removes what is no directory.
    pub(crate) fn remove_file(self, path: &TreePath) -> io::Result<()> {
        self.at(path, |dir, name| rustix::fs::unlinkat(dir, name, AtFlags::empty()))
    }

    /// Removes a directory with all that is in it; `directories` are it and those below it, parents first.
    pub(crate) fn remove_directory(self, path: &TreePath, directories: &[TreePath]) -> io::Result<()> {
        let (dir, name) = self.reach(path)?;
        match dir.remove_dir_all(&name) {
            Err(error) if is_one_of(&error, &[Errno::ACCESS]) => {
                self.open_up(path)?;
                for directory in directories {
                    self.give_access(directory)?;
                }
                dir.remove_dir_all(&name)
            }
            other => other,
        }
    }

    /// Stores as much of `attributes` as the kernel lets the builder.
    pub(crate) fn apply(
        self,
        path: &TreePath,
        node: &Node,
        attributes: &Attributes,
        age: Age,
    ) -> io::Result<()> {
        let (dir, name) = self.reach(path)?;
        let owned = chown(&dir, &name, attributes)?;
        match node {
            Node::File { .. } | Node::Directory => {
                if age == Age::Old || !attributes.xattrs.is_empty() {
                    self.apply_xattrs(path, attributes)?;
                }
            }
            Node::Symlink { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {}
        }
        if !matches!(node, Node::Symlink { .. }) {
            // What the builder does not own in the kernel's eyes it must still be able to read and to replace.
            let access = match (owned, node.is_directory()) {
                (Owned::Yes, _) => 0,
                (Owned::No, true) => 0o700,
                (Owned::No, false) => 0o600,
            };
            let mode = Mode::from_raw_mode(attributes.mode & 0o7777 | access);
            tolerate_refusal(rustix::fs::chmodat(&dir, &name, mode, AtFlags::empty()))?;
        }
        set_mtime(&dir, &name, attributes.mtime)
    }

    /// Sets the time of the last modification; that of the last access becomes the same.
    pub(crate) fn set_mtime(self, path: &TreePath, mtime: Timestamp) -> io::Result<()> {
        let (dir, name) = self.reach(path)?;
        set_mtime(&dir, &name, mtime)
    }

    /// Makes the kept extended attributes on the disk those of `attributes`.
    fn apply_xattrs(self, path: &TreePath, attributes: &Attributes) -> io::Result<()> {
        let opened = self
            .at(path, |dir, name| rustix::fs::openat(dir, name, READ_FLAGS, Mode::empty()).map(File::from));
        let file = match opened {
            Err(error) if is_refusal(&error) => return Ok(()),
            other => other?,
        };
        for name in crate::xattr::kept_names(&file)? {
            if !attributes.xattrs.contains_key(&name) {
                tolerate_refusal(rustix::fs::fremovexattr(&file, name.as_slice()))?;
            }
        }
        for (name, value) in &attributes.xattrs {
            tolerate_refusal(rustix::fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()))?;
        }
        Ok(())
    }

    /// Runs one call in the directory that holds `path`; where a directory above lacks the builder's own access
    /// bits (a step may have taken them), gives them back on the disk and tries once more.
    fn at<T>(self, path: &TreePath, call: impl Fn(&Dir, &OsStr) -> rustix::io::Result<T>) -> io::Result<T> {
        let attempt = || self.place(path).and_then(|(dir, name)| Ok(call(&dir, &name)?));
        match attempt() {
            Err(error) if is_one_of(&error, &[Errno::ACCESS]) => {
                self.open_up(path)?;
                attempt()
            }
            other => other,
        }
    }

    /// Opens the directory that holds `path`, with the builder's access bits given back where they lack.
    fn reach(self, path: &TreePath) -> io::Result<(Dir, OsString)> {
        match self.place(path) {
            Err(error) if is_one_of(&error, &[Errno::ACCESS]) => {
                self.open_up(path)?;
                self.place(path)
            }
            other => other,
        }
    }

    /// Opens the directory that holds `path`; the root is held by itself.
    fn place(self, path: &TreePath) -> io::Result<(Dir, OsString)> {
        let name = path.file_name().unwrap_or(OsStr::new(".")).to_owned();
        let parent = path.parent().unwrap_or_default();
        let dir = if parent.is_root() {
            self.root.try_clone()?
        } else {
            self.root.open_dir(parent.as_relative())?
        };
        Ok((dir, name))
    }

    fn open_up(self, path: &TreePath) -> io::Result<()> {
        path.ancestors().try_for_each(|directory| self.give_access(&directory))
    }

    fn give_access(self, directory: &TreePath) -> io::Result<()> {
        let (dir, name) = self.place(directory)?;
        let stat = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.contains(Mode::RWXU) || FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Ok(());
        }
        tolerate_refusal(rustix::fs::chmodat(&dir, &name, mode | Mode::RWXU, AtFlags::empty()))
    }
}

/// Reading never follows a link and never waits for the other end of a named pipe.
const READ_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Whether the kernel gave an entry the owner that it has logically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owned {
    Yes,
    No,
}

fn chown(dir: &Dir, name: &OsStr, attributes: &Attributes) -> io::Result<Owned> {
    // The highest number means "unchanged" to the kernel, so it cannot be stored.
    if attributes.uid == u32::MAX || attributes.gid == u32::MAX {
        return Ok(Owned::No);
    }
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    match rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => Ok(Owned::Yes),
        Err(errno) if is_refusal(&errno.into()) => Ok(Owned::No),
        Err(errno) => Err(errno.into()),
    }
}

fn set_mtime(dir: &Dir, name: &OsStr, mtime: Timestamp) -> io::Result<()> {
    let nanoseconds = mtime.nanoseconds.min(999_999_999);
    let time = Timespec { tv_sec: mtime.seconds, tv_nsec: nanoseconds.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    tolerate_refusal(rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW))
}

fn is_one_of(error: &io::Error, numbers: &[Errno]) -> bool {
    numbers.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Says whether the kernel refused a right or a feature, as against failed.
///
/// `EOVERFLOW` and `EINVAL` are the answers for ids that the user namespace or the file system has no room for;
/// `E2BIG` and `ERANGE` those for extended attributes that are too large for the file system.
fn is_refusal(error: &io::Error) -> bool {
    let refusals = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::INVAL,
        Errno::OVERFLOW,
        Errno::NOTSUP,
        Errno::NOSYS,
        Errno::TOOBIG,
        Errno::RANGE,
    ];
    is_one_of(error, &refusals)
}

fn tolerate_refusal(result: rustix::io::Result<()>) -> io::Result<()> {
    match result.map_err(io::Error::from) {
        Err(error) if is_refusal(&error) => Ok(()),
        other => other,
    }
}
