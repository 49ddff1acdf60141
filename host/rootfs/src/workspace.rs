//! The private area of one running build.
//!
//! Owns a locked directory of the store and everything unpacked, mounted or written in it; its content is
//! removed when the last tree of the build is gone. Invariant: nothing in it is ever reached by another build.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::Dir;
use rustix::fs::FlockOperation;

use crate::layer_disk::{create_directory, create_file, open_child_directory};
use crate::removal::remove_tree;
use crate::store::{LOCK, StoreParts, directory};
use crate::{RootfsError, StageTree, Tree, TreeView};

/// The work area of one build; removed when it and all trees made in it are dropped.
#[derive(Debug, Clone)]
pub struct Workspace(pub(crate) Arc<Area>);

/// A work area.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) store: Arc<StoreParts>,
    pub(crate) dir: Dir,
    pub(crate) path: PathBuf,
    name: String,
    next: AtomicU64,
    /// Held while the build lives; another process takes a free one as proof of its death.
    _lock: OwnedFd,
}

/// A directory of a work area.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) dir: Dir,
    pub(crate) path: PathBuf,
    /// Its name in the work area.
    pub(crate) name: String,
}

impl Workspace {
    pub(crate) fn begin(store: Arc<StoreParts>) -> Result<Self, RootfsError> {
        let mut random = [0; 16];
        let filled = getrandom::fill(&mut random).map_err(io::Error::other);
        let name = format!("{:032x}", u128::from_be_bytes(random));
        let path = store.builds_path.join(&name);
        let begun = filled.and_then(|()| {
            // Without this lock, who cleans up could come between the directory and its lock.
            let _making = store.lock_builds()?;
            create_directory(&store.builds, OsStr::new(&name))?;
            let area = open_child_directory(&store.builds, OsStr::new(&name))?;
            let lock = OwnedFd::from(create_file(&area, OsStr::new(LOCK))?);
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            Ok((directory(area), lock))
        });
        match begun {
            Ok((dir, lock)) => {
                let next = AtomicU64::new(0);
                Ok(Self(Arc::new(Area { store, dir, path, name, next, _lock: lock })))
            }
            Err(source) => Err(RootfsError::Make { place: path, source }),
        }
    }

    /// Returns the empty tree.
    pub fn scratch(&self) -> Tree {
        Tree::empty()
    }

    /// Makes an empty directory for something else that the build needs; it is gone with the work area.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn open_directory(&self, purpose: &str) -> Result<Dir, RootfsError> {
        Ok(self.0.room(purpose)?.dir)
    }

    /// Begins a stage on `base`.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn start_stage(&self, base: &Tree) -> Result<StageTree, RootfsError> {
        StageTree::start(Arc::clone(&self.0), base)
    }

    /// Makes an empty directory and returns where it lies; it is removed with everything else.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn directory(&self) -> Result<PathBuf, RootfsError> {
        self.0.room("directory").map(|room| room.path)
    }

    /// Makes `tree` readable as a whole.
    ///
    /// # Errors
    /// Reports what the disk or the mounter refused.
    pub fn view(&self, tree: &Tree) -> Result<TreeView, RootfsError> {
        TreeView::of(&self.0, tree)
    }
}

impl Area {
    /// Makes a directory whose name begins with `purpose`.
    pub(crate) fn room(&self, purpose: &str) -> Result<Room, RootfsError> {
        let name = format!("{purpose}-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.path.join(&name);
        let made = create_directory(&self.dir, OsStr::new(&name))
            .and_then(|()| open_child_directory(&self.dir, OsStr::new(&name)));
        match made {
            Ok(opened) => Ok(Room { dir: directory(opened), path, name }),
            Err(source) => Err(RootfsError::Make { place: path, source }),
        }
    }
}

impl Room {
    /// Makes a directory in this one.
    pub(crate) fn inner(&self, name: &str) -> Result<Dir, RootfsError> {
        let made = create_directory(&self.dir, OsStr::new(name))
            .and_then(|()| open_child_directory(&self.dir, OsStr::new(name)));
        made.map(directory).map_err(|source| RootfsError::Make { place: self.path.join(name), source })
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        if remove_tree(&self.store.builds, OsStr::new(&self.name)).is_err() {
            // Nobody is left to tell; the lock becomes free now, so the next user of the store removes it.
        }
    }
}
