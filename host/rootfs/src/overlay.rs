//! Overlay mounts, as this crate needs them.
//!
//! Owns the border to whoever can mount, and the duty to unmount what was mounted. Mounts nothing by itself.

use std::fmt::Debug;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::RootfsError;

/// Mounts overlay file systems, always with the option `userxattr`.
pub trait OverlayMounter: Send + Sync + Debug {
    /// Mounts the lower directories, the topmost first, on `target`; read-only without an upper directory.
    /// `upper` is the upper directory and the work directory.
    ///
    /// # Errors
    /// Reports what the kernel refused.
    fn mount(
        &self,
        lowers_top_first: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        target: &Path,
    ) -> io::Result<()>;

    /// Unmounts `target`.
    ///
    /// # Errors
    /// Reports what the kernel refused.
    fn unmount(&self, target: &Path) -> io::Result<()>;
}

/// A mount that ends with this value.
#[derive(Debug)]
pub(crate) struct Mounted {
    mounter: Arc<dyn OverlayMounter>,
    target: Option<PathBuf>,
}

impl Mounted {
    /// Mounts as [`OverlayMounter::mount`] does.
    pub(crate) fn new(
        mounter: &Arc<dyn OverlayMounter>,
        lowers_top_first: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        target: PathBuf,
    ) -> Result<Self, RootfsError> {
        match mounter.mount(lowers_top_first, upper, &target) {
            Ok(()) => Ok(Self { mounter: Arc::clone(mounter), target: Some(target) }),
            Err(source) => Err(RootfsError::Mount { target, source }),
        }
    }

    /// Unmounts.
    pub(crate) fn end(mut self) -> Result<(), RootfsError> {
        match self.target.take() {
            Some(target) => {
                let ended = self.mounter.unmount(&target);
                ended.map_err(|source| RootfsError::Unmount { target, source })
            }
            None => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(target) = self.target.take()
            && self.mounter.unmount(&target).is_err()
        {
            // Nobody is left to tell. The mount ends with the builder's mount namespace; its directories are in
            // the work area, which the next user of the store removes.
        }
    }
}
