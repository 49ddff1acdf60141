//! The tree of one stage while its steps follow each other.
//!
//! Owns where a step's changes go: a fresh upper directory for every step where overlays can be mounted, one
//! private directory for all steps elsewhere. Decides nothing about what changed. Invariant: the baseline is what
//! the tree is before the next step; an upper directory is never changed after its step was committed.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::{Mode, Timespec, Timestamps, XattrFlags};
use zoea_model::{Timestamp, TreePath};

use crate::baseline::LayerNumber;
use crate::independent::{IndependentTree, unpack_over};
use crate::layer_disk as disk;
use crate::materialize::{Method, materialize};
use crate::overlay::Mounted;
use crate::rootfs::RootfsParts;
use crate::store::{LayerDir, TREE};
use crate::tree::{Ground, Tree, TreeParts, clone_of, empty_lower, lowers_top_first, reopen};
use crate::workspace::{Area, Room};
use crate::{Baseline, LayerIndex, Rootfs, RootfsError};

/// Names in the directory of a step.
const WORK: &str = "work";
const MERGED: &str = "merged";

/// The tree of a stage.
#[derive(Debug)]
pub struct StageTree {
    // The running step comes first: its mount ends before anything else goes.
    ground: StageGround,
    baseline: Baseline,
    area: Arc<Area>,
}

#[derive(Debug)]
enum StageGround {
    Layers { running: Option<Running>, layers: Vec<Arc<LayerDir>>, empty: Option<Room> },
    Plain { dir: Dir, path: PathBuf },
}

/// What a running step has mounted.
#[derive(Debug)]
struct Running {
    mounted: Mounted,
    upper: Dir,
}

impl StageTree {
    pub(crate) fn start(area: Arc<Area>, base: &Tree) -> Result<Self, RootfsError> {
        let baseline = base.baseline().clone();
        let ground = match (&base.0.ground, &area.store.mounter) {
            (Ground::Layers(layers), Some(_)) => {
                let empty = if layers.is_empty() { Some(empty_lower(&area)?) } else { None };
                StageGround::Layers { running: None, layers: layers.clone(), empty }
            }
            (Ground::Layers(layers), None) => {
                let source = |number: LayerNumber| layers.get(number.0).map(|layer| &layer.tree);
                copy_plain(&area, &baseline, source)?
            }
            (Ground::Plain(dir), _) => copy_plain(&area, &baseline, |_| Some(dir))?,
        };
        Ok(Self { ground, baseline, area })
    }

    /// Returns what the tree is before the next step.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Begins a step; what an earlier one did without being committed is given up where that is possible.
    ///
    /// # Errors
    /// Reports what the disk or the mounter refused.
    pub fn begin_step(&mut self) -> Result<Rootfs, RootfsError> {
        match &mut self.ground {
            StageGround::Plain { dir, path } => Ok(Rootfs::new(RootfsParts {
                dir: clone_of(dir, &self.area)?,
                host_path: path.clone(),
                upper: None,
                lowers: Vec::new(),
                baseline: self.baseline.clone(),
            })),
            StageGround::Layers { running, layers, empty } => {
                if let Some(given_up) = running.take() {
                    given_up.mounted.end()?;
                }
                let lowers = match empty {
                    Some(room) if layers.is_empty() => vec![&room.dir],
                    Some(_) | None => lowers_top_first(layers),
                };
                let (parts, begun) = begin(&self.area, &lowers, &self.baseline)?;
                *running = Some(begun);
                Ok(Rootfs::new(parts))
            }
        }
    }

    /// Makes what a step did part of the tree; `index` is that of its layer.
    ///
    /// # Errors
    /// Reports what the mounter refused.
    pub fn commit_step(&mut self, rootfs: Rootfs, index: LayerIndex) -> Result<(), RootfsError> {
        // An open directory would keep the mount busy.
        drop(rootfs);
        match &mut self.ground {
            StageGround::Plain { .. } => self.baseline.push(index),
            StageGround::Layers { running, layers, .. } => {
                let Some(Running { mounted, upper }) = running.take() else { return Ok(()) };
                mounted.end()?;
                if !index.is_empty() {
                    layers.push(Arc::new(LayerDir { tree: upper, index: index.clone() }));
                    self.baseline.push(index);
                }
            }
        }
        Ok(())
    }

    /// Puts a layer that was made by itself over the tree; `index` is that of the layer.
    ///
    /// # Errors
    /// Reports what the disk or the mounter refused.
    pub fn put_over(
        &mut self,
        tree: IndependentTree,
        index: LayerIndex,
        now: Timestamp,
    ) -> Result<(), RootfsError> {
        let layer = tree.finish(index.clone());
        if index.is_empty() {
            return Ok(());
        }
        if let StageGround::Layers { layers, empty, .. } = &mut self.ground {
            let lowers = lowers_top_first(layers);
            if let Some(root) = lowers.first().copied().or(empty.as_ref().map(|room| &room.dir)) {
                copy_attributes(root, &layer.tree)
                    .map_err(|source| RootfsError::Make { place: self.area.path.clone(), source })?;
            }
            layers.push(Arc::new(layer));
            self.baseline.push(index);
            return Ok(());
        }
        let mut rootfs = self.begin_step()?;
        unpack_over(&mut rootfs.vfs(now), &layer)?;
        self.commit_step(rootfs, index)
    }

    /// Ends the stage.
    ///
    /// # Errors
    /// Reports what the mounter refused.
    pub fn finish(self) -> Result<Tree, RootfsError> {
        let Self { ground, baseline, area } = self;
        let ground = match ground {
            StageGround::Plain { dir, .. } => Ground::Plain(Arc::new(dir)),
            StageGround::Layers { running, layers, .. } => {
                if let Some(given_up) = running {
                    given_up.mounted.end()?;
                }
                Ground::Layers(layers)
            }
        };
        Ok(Tree(Arc::new(TreeParts { baseline, ground, _area: Some(area) })))
    }
}

/// Makes a stage's private tree by copying.
fn copy_plain<'a>(
    area: &Area,
    baseline: &Baseline,
    source: impl Fn(LayerNumber) -> Option<&'a Dir>,
) -> Result<StageGround, RootfsError> {
    let room = area.room("stage")?;
    let dir = room.inner(TREE)?;
    materialize(&dir, baseline, source, Method::Copy)?;
    Ok(StageGround::Plain { dir, path: room.path.join(TREE) })
}

/// Mounts `lowers` below a fresh upper directory.
fn begin(area: &Area, lowers: &[&Dir], baseline: &Baseline) -> Result<(RootfsParts, Running), RootfsError> {
    let mounter = area.store.mounter.as_ref().ok_or_else(|| RootfsError::Mount {
        target: area.path.clone(),
        source: std::io::ErrorKind::Unsupported.into(),
    })?;
    let room = area.room("step")?;
    let (upper, work, merged) = (room.inner(TREE)?, room.inner(WORK)?, room.inner(MERGED)?);
    // The root of an overlay is its upper directory, so that must be what the root below is.
    if let Some(top) = lowers.first() {
        copy_attributes(top, &upper)
            .map_err(|source| RootfsError::Make { place: room.path.join(TREE), source })?;
    }
    drop(merged);
    let host_path = room.path.join(MERGED);
    let borrowed: Vec<BorrowedFd<'_>> = lowers.iter().map(|dir| dir.as_fd()).collect();
    let over = Some((upper.as_fd(), work.as_fd()));
    let mounted = Mounted::new(mounter, &borrowed, over, host_path.clone())?;
    let parts = RootfsParts {
        dir: reopen(&room.dir, MERGED, &room)?,
        host_path,
        upper: Some(clone_of(&upper, area)?),
        lowers: lowers.iter().map(|dir| clone_of(dir, area)).collect::<Result<_, _>>()?,
        baseline: baseline.clone(),
    };
    Ok((parts, Running { mounted, upper }))
}

/// Gives one directory the attributes that another has on the disk.
fn copy_attributes(from: &Dir, to: &Dir) -> std::io::Result<()> {
    let from = disk::open_directory(from, &TreePath::root())?;
    let to = disk::open_directory(to, &TreePath::root())?;
    let stat = rustix::fs::fstat(&from)?;
    let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(&to, Some(uid), Some(gid))?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode))?;
    for (name, value) in crate::disk_entry::kept_xattrs(&from)? {
        rustix::fs::fsetxattr(&to, name.as_slice(), &value, XattrFlags::empty())?;
    }
    let mtime = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() };
    Ok(rustix::fs::futimens(&to, &Timestamps { last_access: mtime, last_modification: mtime })?)
}
