//! Reading the extended attributes that layers keep.
//!
//! Kept are `security.capability` and `user.*`, never the overlay file system's own `user.overlay.*`. What the
//! file system does not have is no error.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// The longest list of names and the largest value that the kernel has (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MAX_XATTR_BYTES: usize = 65_536;

/// Reads the kept attributes of an open file.
pub(crate) fn read(file: impl AsFd) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut kept = BTreeMap::new();
    // Nearly all files have none, so the large buffer is only made where something is to be read.
    let length = match rustix::fs::flistxattr_query(&file) {
        Ok(0) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::PERM | Errno::ACCESS) => return Ok(kept),
        other => other?,
    };
    let mut names = vec![0; length.min(MAX_XATTR_BYTES)];
    let length = match rustix::fs::flistxattr(&file, names.as_mut_slice()) {
        // Somebody changes them meanwhile.
        Err(Errno::RANGE) => {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the file is being changed"));
        }
        other => other?,
    };
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0) {
        if !is_kept(name) {
            continue;
        }
        let mut value = vec![0; MAX_XATTR_BYTES];
        match rustix::fs::fgetxattr(&file, name, value.as_mut_slice()) {
            Ok(length) => {
                value.truncate(length);
                kept.insert(name.to_vec(), value);
            }
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(kept)
}

fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}
