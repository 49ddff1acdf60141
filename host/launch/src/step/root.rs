//! The step's root and working directory.
//!
//! Owns the moment at which the machine's file systems go out of reach. Holds no descriptor across it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::mount::UnmountFlags;

use crate::Preparation;
use crate::message::{During as _, Failure};

/// Makes the mount `tree` the root and detaches everything else (`pivot_root(2)`, "pivot_root(".", ".")").
pub(super) fn change(tree: OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(tree)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Enters the working directory, as root, since it may be another user's; links in it are the tree's.
pub(super) fn enter_working_directory(path: &[u8]) -> Result<(), Failure> {
    let name = || Preparation::EnterDirectory(String::from_utf8_lossy(path).into_owned());
    rustix::process::chdir(OsStr::from_bytes(path)).during(name)
}
