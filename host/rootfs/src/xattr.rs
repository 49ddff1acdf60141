//! Which extended attributes a layer keeps, and reading them from the disk.
//!
//! Kept are `security.capability`, which makes programs work, and `user.*`, which users set themselves; all
//! others belong to the machine (labels, access lists of its users) or to the overlay file system. Invariant: no
//! name of the overlay's own (`user.overlay.*`) is ever kept, so content cannot pose as a whiteout.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// The longest list of names and the largest value that the kernel has (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX_XATTR_BYTES: usize = 65_536;

/// Says whether layers keep the attribute `name`.
pub(crate) fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

/// Lists the kept attributes of an open file; a file system without attributes has none.
pub(crate) fn kept_names(file: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut buffer = vec![0; MAX_XATTR_BYTES];
    let length = match rustix::fs::flistxattr(&file, buffer.as_mut_slice()) {
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::PERM | Errno::ACCESS) => 0,
        other => other?,
    };
    let names = buffer.get(..length).unwrap_or_default().split(|byte| *byte == 0);
    Ok(names.filter(|name| is_kept(name)).map(<[u8]>::to_vec).collect())
}
