//! Attributes of mounts, changed without naming those that stay.
//!
//! Owns `mount_setattr`. Decides nothing about which mount gets what.

use std::ffi::{CStr, c_long};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// What a mount can be told to refuse (`mount_setattr(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountAttribute {
    /// Writing.
    ReadOnly,
    /// Set-user-id, set-group-id and file capabilities.
    NoSetId,
    /// Opening device nodes.
    NoDevices,
    /// Executing files.
    NoExecution,
}

impl MountAttribute {
    /// `MOUNT_ATTR_*` of `linux/mount.h`.
    fn bit(self) -> u64 {
        match self {
            Self::ReadOnly => 1,
            Self::NoSetId => 2,
            Self::NoDevices => 4,
            Self::NoExecution => 8,
        }
    }
}

/// Which mounts are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The mount itself.
    Mount,
    /// The mount and all mounts below it.
    Tree,
}

/// `struct mount_attr` of `linux/mount.h`, first version.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// `AT_RECURSIVE` of `linux/fcntl.h`.
const RECURSIVE: libc::c_int = 0x8000;

/// Adds `attributes` to the mount whose root is `mount` and keeps all others (Linux 5.12).
///
/// # Errors
/// `ENOSYS` on older kernels, `EINVAL` if `mount` is not the root of a mount, `EPERM` without the right to.
pub fn set_mount_attributes(
    mount: BorrowedFd<'_>,
    attributes: &[MountAttribute],
    reach: Reach,
) -> io::Result<()> {
    let set = attributes.iter().fold(0, |set, attribute| set | attribute.bit());
    let attributes = Attributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    let recursive = match reach {
        Reach::Mount => 0,
        Reach::Tree => RECURSIVE,
    };
    let path: &CStr = c"";
    // SAFETY: the path is a C string, and the last two arguments are a live structure of the kernel's layout, which
    // the kernel only reads, and its size.
    // JUSTIFICATION: rustix has no mount_setattr, and a remount by mount(2) must repeat every flag of the mount.
    let result: c_long = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            path.as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
