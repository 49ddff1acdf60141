//! The builder's own binary, in a form that steps cannot harm.
//!
//! Owns the handle through which the binary is executed again for steps: on a read-only mount that no path leads to
//! (see the crate's documentation). Invariant: the handle is the binary that runs, not what replaced its file.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::UnmountFlags;
use zoea_sys::MountAttribute;

/// Binds the running binary read-only and returns a handle on it; the mount is detached again.
///
/// To be called in a mount namespace of the builder's own.
///
/// # Errors
/// The binary's file was removed or replaced, or mounting is forbidden.
pub(crate) fn protect() -> io::Result<OwnedFd> {
    let path = std::fs::read_link("/proc/self/exe")?;
    rustix::mount::mount_bind(&path, &path)?;
    let handle = open_protected(&path);
    rustix::mount::unmount(&path, UnmountFlags::DETACH)?;
    handle
}

/// Makes the mount at `path` read-only and opens the binary on it.
fn open_protected(path: &Path) -> io::Result<OwnedFd> {
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    crate::mount::restrict(handle.as_fd(), &[MountAttribute::ReadOnly])?;
    let found = rustix::fs::fstat(&handle)?;
    let running = std::fs::metadata("/proc/self/exe")?;
    if (found.st_dev, found.st_ino) != (running.dev(), running.ino()) {
        return Err(io::Error::other("the program's file was replaced while it was starting"));
    }
    Ok(handle)
}
