//! Mounts by handle.
//!
//! Owns the two ways in which the crate handles mounts whose places somebody else named: by descriptor, so that no
//! path is followed again, and with fewer rights, on kernels with and without `mount_setattr`. Decides nothing about
//! which mount gets what.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::MountFlags;
use zoea_sys::{MountAttribute, Reach};

/// Returns a path that leads to the very entry that `place` is, for calls that take no descriptor.
pub(crate) fn path_of(place: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}

/// Adds `attributes` to the mount whose root is `mount`; it keeps those it has.
pub(crate) fn restrict(mount: BorrowedFd<'_>, attributes: &[MountAttribute]) -> io::Result<()> {
    match zoea_sys::set_mount_attributes(mount, attributes, Reach::Mount) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => remount(mount, attributes),
        result => result,
    }
}

/// Does so with `mount(2)` (before Linux 5.12), which drops every flag that it is not told.
fn remount(mount: BorrowedFd<'_>, attributes: &[MountAttribute]) -> io::Result<()> {
    let present = rustix::fs::fstatvfs(mount)?.f_flag;
    let mut flags = MountFlags::BIND;
    for (flag, kept) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if present.contains(flag) {
            flags |= kept;
        }
    }
    for attribute in attributes {
        flags |= match attribute {
            MountAttribute::ReadOnly => MountFlags::RDONLY,
            MountAttribute::NoSetId => MountFlags::NOSUID,
            MountAttribute::NoDevices => MountFlags::NODEV,
            MountAttribute::NoExecution => MountFlags::NOEXEC,
        };
    }
    Ok(rustix::mount::mount_remount(path_of(mount), flags, "")?)
}
