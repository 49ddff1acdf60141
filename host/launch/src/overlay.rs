//! Overlays of the kernel's (`Documentation/filesystems/overlayfs.rst`).
//!
//! Owns the mount options, the same for root and for user namespaces: `userxattr` keeps the overlay's own marks in
//! `user.overlay.*`, and with it the kernel never redirects directories nor copies up metadata alone, so that an
//! upper directory holds plain files and nothing that only this kernel understands. Knows no layer.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use zoea_rootfs::OverlayMounter;

use crate::mount::path_of;

/// The longest option string: `mount(2)` copies one page, its final NUL included; one option may be added.
const OPTIONS_LIMIT: usize = 4095 - ",volatile".len();

/// Mounts overlays with `mount(2)`.
///
/// Every descriptor must have been opened after [`enter`](crate::enter): the kernel refuses layers on mounts of
/// another mount namespace.
#[derive(Debug, Clone, Copy)]
pub struct KernelOverlay;

impl OverlayMounter for KernelOverlay {
    /// Mounts the layers at the empty directory `target`; read-only without an upper directory.
    fn mount(
        &self,
        lowers_top_first: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        target: &Path,
    ) -> io::Result<()> {
        let mut lowers: Vec<String> = lowers_top_first.iter().map(|lower| path_of(*lower)).collect();
        let empty;
        let mut options = String::from("userxattr,index=off");
        let mut flags = MountFlags::empty();
        match &upper {
            Some((upper, work)) => {
                options.push_str(&format!(",upperdir={},workdir={}", path_of(*upper), path_of(*work)));
            }
            None => {
                // Without an upper directory the kernel wants two layers; the mount point is an empty directory.
                empty = open_directory(target)?;
                lowers.push(path_of(empty.as_fd()));
                flags |= MountFlags::RDONLY;
            }
        }
        options.push_str(&format!(",lowerdir={}", lowers.join(":")));
        if options.len() > OPTIONS_LIMIT {
            let count = lowers.len();
            let reason = format!("{count} layers are more than one mount of the kernel takes (about 200)");
            return Err(io::Error::new(io::ErrorKind::ArgumentListTooLong, reason));
        }
        if upper.is_some() {
            // The upper directory is disposable until its step is published, and never mounted again with its work
            // directory: nothing needs to reach the disk when it is unmounted. Linux before 5.10 has no such option.
            match mount(target, flags, &format!("{options},volatile")) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                other => return other,
            }
        }
        mount(target, flags, &options)
    }

    /// Unmounts what is mounted at `target`.
    ///
    /// Detaches: a process that another thread is just starting shares every open descriptor until it executes its
    /// program, so that a plain unmount would fail now and then.
    fn unmount(&self, target: &Path) -> io::Result<()> {
        Ok(rustix::mount::unmount(target, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)?)
    }
}

fn mount(target: &Path, flags: MountFlags, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    Ok(rustix::mount::mount("overlay", target, "overlay", flags, options.as_c_str())?)
}

/// Opens a directory as a place.
fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}
