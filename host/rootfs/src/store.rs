//! The part of the state directory that holds unpacked layers and the work areas of running builds.
//!
//! Owns the layout (`layers/<form>/<chain>/{tree,index}`, `builds/<random>/`), publishing by rename, and the
//! removal of what dead builds left. Invariants: a layer under its final name is whole; a work area whose lock
//! is free belongs to nobody.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use zoea_model::{ChainId, DiffId};

use crate::form::Form;
use crate::layer_disk::{create_directory, create_file, open_child_directory};
use crate::removal::{names, remove_tree};
use crate::workspace::Workspace;
use crate::{LayerIndex, OverlayMounter, RootfsError};

/// Names in the state directory.
const LAYERS: &str = "layers";
const BUILDS: &str = "builds";
/// The lock of a work area; in `builds` itself, the lock for making and removing work areas.
pub(crate) const LOCK: &str = "lock";
/// Names in a layer's directory.
pub(crate) const TREE: &str = "tree";
pub(crate) const INDEX: &str = "index";

/// Owner and group that a probe file is given to find out whether owners can be stored: not the user's own, and
/// within the ids that subordinate ranges map.
const PROBE_ID: u32 = 1;

/// A layer of the store, or of a work area.
#[derive(Debug)]
pub(crate) struct LayerDir {
    pub(crate) tree: Dir,
    pub(crate) index: LayerIndex,
}

/// The store of one state directory.
#[derive(Debug, Clone)]
pub struct Store(Arc<StoreParts>);

#[derive(Debug)]
pub(crate) struct StoreParts {
    pub(crate) form: Form,
    pub(crate) mounter: Option<Arc<dyn OverlayMounter>>,
    layers: Dir,
    layers_path: PathBuf,
    pub(crate) builds: Dir,
    pub(crate) builds_path: PathBuf,
}

impl Store {
    /// Opens the store below `dir`, which lies at `host_path`, and removes what dead builds left in it.
    ///
    /// With a mounter, layers are kept as lower directories of overlays; without one, as content to copy from.
    ///
    /// # Errors
    /// Refuses layers that another user unpacked; reports what the disk refused.
    pub fn open(
        dir: Dir,
        host_path: PathBuf,
        overlay: Option<Arc<dyn OverlayMounter>>,
    ) -> Result<Self, RootfsError> {
        let opened = open_parts(&dir, &host_path, overlay);
        let parts = opened.map_err(|source| RootfsError::OpenStore { place: host_path.clone(), source })?;
        let owner = rustix::fs::fstat(&parts.layers)
            .map_err(|errno| RootfsError::OpenStore { place: host_path.clone(), source: errno.into() })?
            .st_uid;
        let user = rustix::process::geteuid().as_raw();
        if owner != user {
            return Err(RootfsError::ForeignStore { place: host_path, owner, user });
        }
        let store = Self(Arc::new(parts));
        store.remove_dead_builds()?;
        Ok(store)
    }

    /// Makes the work area of one build.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn begin_build(&self) -> Result<Workspace, RootfsError> {
        Workspace::begin(Arc::clone(&self.0))
    }

    /// Says whether the topmost layer of this stack is there, unpacked.
    pub fn has_layer(&self, chain: &ChainId) -> bool {
        self.0.has_layer(chain)
    }

    fn remove_dead_builds(&self) -> Result<(), RootfsError> {
        let parts = &self.0;
        let failed = |place: PathBuf| move |source| RootfsError::Remove { place, source };
        let builds = open_child_directory(&parts.builds, OsStr::new("."));
        let builds = builds.map_err(failed(parts.builds_path.clone()))?;
        let _making = parts.lock_builds().map_err(failed(parts.builds_path.clone()))?;
        for name in names(&builds).map_err(failed(parts.builds_path.clone()))? {
            if name == LOCK {
                continue;
            }
            remove_if_dead(&parts.builds, &name).map_err(failed(parts.builds_path.join(&name)))?;
        }
        Ok(())
    }
}

fn open_parts(
    dir: &Dir,
    host_path: &Path,
    mounter: Option<Arc<dyn OverlayMounter>>,
) -> io::Result<StoreParts> {
    let builds = ensure_directory(dir, BUILDS)?;
    let form = match mounter {
        None => Form::Plain,
        Some(_) if stores_owners(&builds)? => Form::Overlay,
        Some(_) => Form::OverlayOfOneOwner,
    };
    let layers = ensure_directory(&ensure_directory(dir, LAYERS)?, form.directory())?;
    Ok(StoreParts {
        form,
        mounter,
        layers,
        layers_path: host_path.join(LAYERS).join(form.directory()),
        builds,
        builds_path: host_path.join(BUILDS),
    })
}

impl StoreParts {
    pub(crate) fn has_layer(&self, chain: &ChainId) -> bool {
        self.layers.symlink_metadata(Path::new(&chain.0.hex()).join(INDEX)).is_ok()
    }

    /// Opens a layer; none if it is not there.
    pub(crate) fn open_layer(&self, chain: &ChainId) -> Result<Option<LayerDir>, RootfsError> {
        let name = chain.0.hex();
        let place = self.layers_path.join(&name);
        let read = |name: &str| -> io::Result<(Dir, Vec<u8>)> {
            let layer = open_child_directory(&self.layers, OsStr::new(name))?;
            let tree = directory(open_child_directory(&layer, OsStr::new(TREE))?);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let index = rustix::fs::openat(&layer, INDEX, flags, Mode::empty())?;
            let mut bytes = Vec::new();
            std::fs::File::from(index).read_to_end(&mut bytes)?;
            Ok((tree, bytes))
        };
        match read(&name) {
            Ok((tree, bytes)) => Ok(Some(LayerDir { tree, index: LayerIndex::parse(bytes)? })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RootfsError::Read { place, source }),
        }
    }

    /// Moves a finished layer, with its `tree` and `index`, from `parent`/`name` to its place.
    ///
    /// Where another build was faster, this copy stays behind: theirs is as good.
    pub(crate) fn publish(
        &self,
        layer: &DiffId,
        chain: &ChainId,
        parent: &Dir,
        name: &str,
    ) -> Result<(), RootfsError> {
        let hex = chain.0.hex();
        let renamed = || -> io::Result<()> {
            match rustix::fs::renameat(parent, name, &self.layers, &hex) {
                Ok(()) => {}
                Err(Errno::EXIST | Errno::NOTEMPTY) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
            // The directory that is synced is opened anew, because a handle may be for look-ups only.
            Ok(rustix::fs::fsync(open_child_directory(&self.layers, OsStr::new("."))?)?)
        };
        let place = self.layers_path.join(&hex);
        renamed().map_err(|source| RootfsError::Publish { layer: *layer, place, source })
    }

    /// Waits for the lock under which work areas are made and removed.
    pub(crate) fn lock_builds(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&self.builds, LOCK, flags, Mode::RUSR | Mode::WUSR)?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    }
}

/// Removes a work area unless its build is alive.
fn remove_if_dead(builds: &Dir, name: &OsString) -> io::Result<()> {
    let lock = open_child_directory(builds, name).and_then(|area| {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&area, LOCK, flags, Mode::empty())?)
    });
    match lock {
        Ok(lock) => match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => remove_tree(builds, name),
            Err(Errno::WOULDBLOCK) => Ok(()),
            Err(errno) => Err(errno.into()),
        },
        // Its build died before it had a lock, or is half removed.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            remove_tree(builds, name)
        }
        Err(error) => Err(error),
    }
}

/// Writes the index of a layer into its directory, safe against a crash.
pub(crate) fn write_index(layer: &OwnedFd, index: &LayerIndex) -> io::Result<()> {
    let mut file = create_file(layer, OsStr::new(INDEX))?;
    file.write_all(index.as_bytes())?;
    rustix::fs::fsync(&file)?;
    Ok(rustix::fs::fsync(layer)?)
}

/// Opens a directory that only this user may enter, made if need be.
fn ensure_directory(parent: &Dir, name: &str) -> io::Result<Dir> {
    match create_directory(parent, OsStr::new(name)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(directory(open_child_directory(parent, OsStr::new(name))?))
}

/// Finds out whether the kernel lets the builder give files away.
fn stores_owners(builds: &Dir) -> io::Result<bool> {
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    let name = OsString::from(format!("owner-probe-{:016x}", u64::from_ne_bytes(name)));
    let file = create_file(builds, &name)?;
    let id = (rustix::fs::Uid::from_raw(PROBE_ID), rustix::fs::Gid::from_raw(PROBE_ID));
    let changed = rustix::fs::fchown(&file, Some(id.0), Some(id.1));
    rustix::fs::unlinkat(builds, &name, rustix::fs::AtFlags::empty())?;
    Ok(changed.is_ok())
}

/// Wraps an opened directory.
pub(crate) fn directory(opened: OwnedFd) -> Dir {
    Dir::from_std_file(std::fs::File::from(opened))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
