//! Mount points that a tree lacks.
//!
//! Owns their making before a step and their removal after it: `/proc`, `/dev`, `/sys`, `/etc/hosts` and
//! `/etc/resolv.conf` need something to be mounted on, and BuildKit removes what is still empty afterwards. Invariant:
//! a step that touches none of it leaves neither a stub nor a changed time of modification behind.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::LaunchError;
use crate::policy::MOUNT_POINTS;
use crate::walk::{self, Place};

/// One entry that was made.
#[derive(Debug)]
struct Stub {
    /// The directory that it was made in, wherever that is by now.
    parent: OwnedFd,
    name: OsString,
    place: Place,
    /// Device and inode number.
    identity: (u64, u64),
    /// The mount point that it was made for.
    path: &'static str,
}

/// All mount points that were made in one tree, in the order of their making.
#[derive(Debug)]
pub(crate) struct Stubs(Vec<Stub>);

impl Stubs {
    /// Makes every mount point that the tree lacks; after an error it has none.
    pub(crate) fn make(tree: BorrowedFd<'_>) -> Result<Self, LaunchError> {
        let mut stubs = Self(Vec::new());
        for (path, place) in MOUNT_POINTS {
            let made = &mut stubs.0;
            let mut make = |directory: BorrowedFd<'_>, name: &OsStr, place: Place| {
                made.push(Stub::make(directory, name, place, path)?);
                Ok(())
            };
            if let Err(source) = walk::find(tree, path, *place, &mut make) {
                stubs.remove()?;
                return Err(LaunchError::MakeMountPoint { path: (*path).to_owned(), source });
            }
        }
        Ok(stubs)
    }

    /// Removes those that are still there and still empty.
    pub(crate) fn remove(self) -> Result<(), LaunchError> {
        let mut result = Ok(());
        for stub in self.0.into_iter().rev() {
            let path = stub.path.to_owned();
            let removed = stub.remove().map_err(|source| LaunchError::RemoveMountPoint { path, source });
            result = result.and(removed);
        }
        result
    }
}

impl Stub {
    /// Makes `name` in `directory`, whose times stay as they are.
    fn make(directory: BorrowedFd<'_>, name: &OsStr, place: Place, path: &'static str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(directory, c".", flags, Mode::empty())?;
        let times = times(&parent)?;
        let entry = match place {
            Place::Directory => {
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                rustix::fs::openat(&parent, name, flags | OFlags::NOFOLLOW, Mode::empty())?
            }
            Place::File => {
                let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644))?
            }
        };
        // The builder's umask may be stricter than a directory that a step puts files into should be.
        if place == Place::Directory {
            rustix::fs::fchmod(&entry, Mode::from_raw_mode(0o755))?;
        }
        rustix::fs::futimens(&parent, &times)?;
        let status = rustix::fs::fstat(&entry)?;
        Ok(Self { parent, name: name.to_owned(), place, identity: (status.st_dev, status.st_ino), path })
    }

    /// Removes it if it is still what was made; the parent keeps its times.
    fn remove(self) -> io::Result<()> {
        if !walk::is_same(self.parent.as_fd(), &self.name, self.identity)? {
            return Ok(());
        }
        let flags = match self.place {
            Place::Directory => AtFlags::REMOVEDIR,
            Place::File => {
                let status = rustix::fs::statat(&self.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
                if status.st_size != 0 {
                    return Ok(());
                }
                AtFlags::empty()
            }
        };
        let times = times(&self.parent)?;
        match rustix::fs::unlinkat(&self.parent, &self.name, flags) {
            Ok(()) => Ok(rustix::fs::futimens(&self.parent, &times)?),
            // The step put something into it.
            Err(Errno::NOTEMPTY) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads the times that making and removing entries changes.
fn times(directory: impl AsFd) -> io::Result<Timestamps> {
    let status = rustix::fs::fstat(directory)?;
    let time = |seconds, nanoseconds| {
        Ok::<_, io::Error>(Timespec {
            tv_sec: seconds,
            tv_nsec: i64::try_from(nanoseconds).map_err(io::Error::other)?,
        })
    };
    Ok(Timestamps {
        last_access: time(status.st_atime, status.st_atime_nsec)?,
        last_modification: time(status.st_mtime, status.st_mtime_nsec)?,
    })
}
