//! Finished trees: what an image or a stage consists of, and reading one as a whole.
//!
//! A tree is a stack of layer directories or one plain directory; it never changes, and clones share it. A view
//! makes it one directory. Invariant: nobody writes below a tree's directories.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use cap_std::fs::{Dir, File};
use zoea_model::{Entry, Node, TreePath};

use crate::baseline::default_directory;
use crate::form::Form;
use crate::layer_disk as disk;
use crate::materialize::{Method, materialize};
use crate::overlay::Mounted;
use crate::store::{LayerDir, directory};
use crate::workspace::{Area, Room};
use crate::{Baseline, CopyTree, IndexRow, RootfsError};

/// The immutable tree of an image or of a finished stage.
#[derive(Debug, Clone)]
pub struct Tree(pub(crate) Arc<TreeParts>);

#[derive(Debug)]
pub(crate) struct TreeParts {
    pub(crate) baseline: Baseline,
    pub(crate) ground: Ground,
    /// The work area that the tree lies in, if it is none of the store's.
    pub(crate) _area: Option<Arc<Area>>,
}

/// Where a tree's content lies.
#[derive(Debug, Clone)]
pub(crate) enum Ground {
    /// In layers, the lowest first.
    Layers(Vec<Arc<LayerDir>>),
    /// In one directory.
    Plain(Arc<Dir>),
}

impl Tree {
    pub(crate) fn empty() -> Self {
        Self::of_layers(Vec::new())
    }

    pub(crate) fn of_layers(layers: Vec<LayerDir>) -> Self {
        let mut baseline = Baseline::new();
        for layer in &layers {
            baseline.push(layer.index.clone());
        }
        let ground = Ground::Layers(layers.into_iter().map(Arc::new).collect());
        Self(Arc::new(TreeParts { baseline, ground, _area: None }))
    }

    /// Returns what the tree holds.
    pub fn baseline(&self) -> &Baseline {
        &self.0.baseline
    }
}

/// Returns the directories that an overlay of `layers` needs, the topmost first: those below a layer that hides
/// everything are left out, because an overlay does not know a root that hides.
pub(crate) fn lowers_top_first(layers: &[Arc<LayerDir>]) -> Vec<&Dir> {
    let hides_all =
        |layer: &LayerDir| matches!(layer.index.get(&TreePath::root()), Some(IndexRow::Opaque(_)));
    let lowest = layers.iter().rposition(|layer| hides_all(layer)).unwrap_or(0);
    layers.iter().skip(lowest).rev().map(|layer| &layer.tree).collect()
}

/// Makes an empty directory with the attributes of a root that no layer has.
pub(crate) fn empty_lower(area: &Area) -> Result<Room, RootfsError> {
    let room = area.room("empty")?;
    let kept = disk::open_directory(&room.dir, &TreePath::root()).and_then(|opened| {
        disk::keep(&opened, &Node::Directory, &default_directory().attributes, Form::Overlay)
    });
    kept.map_err(|source| RootfsError::Make { place: room.path.clone(), source })?;
    Ok(room)
}

/// A tree as one directory, to be read.
#[derive(Debug)]
pub struct TreeView {
    // Fields are dropped in this order: an open directory would keep the mount busy.
    dir: Dir,
    _mounted: Option<Mounted>,
    tree: Tree,
    _area: Arc<Area>,
}

impl TreeView {
    pub(crate) fn of(area: &Arc<Area>, tree: &Tree) -> Result<Self, RootfsError> {
        let (dir, mounted) = match &tree.0.ground {
            Ground::Plain(dir) => (clone_of(dir, area)?, None),
            Ground::Layers(layers) => view_layers(area, tree, layers)?,
        };
        Ok(Self { dir, _mounted: mounted, tree: tree.clone(), _area: Arc::clone(area) })
    }

    /// Returns the directory. Its attributes on the disk may differ from the tree's.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Returns what the tree holds.
    pub fn baseline(&self) -> &Baseline {
        self.tree.baseline()
    }
}

fn view_layers(
    area: &Area,
    tree: &Tree,
    layers: &[Arc<LayerDir>],
) -> Result<(Dir, Option<Mounted>), RootfsError> {
    if layers.is_empty() {
        return Ok((empty_lower(area)?.dir, None));
    }
    let Some(mounter) = &area.store.mounter else {
        let room = area.room("view")?;
        let source = |number: crate::baseline::LayerNumber| layers.get(number.0).map(|layer| &layer.tree);
        materialize(&room.dir, tree.baseline(), source, Method::Link)?;
        return Ok((room.dir, None));
    };
    let lowers = lowers_top_first(layers);
    if let [only] = lowers.as_slice() {
        return Ok((clone_of(only, area)?, None));
    }
    let room = area.room("view")?;
    let lowers: Vec<BorrowedFd<'_>> = lowers.iter().map(|dir| dir.as_fd()).collect();
    let mounted = Mounted::new(mounter, &lowers, None, room.path.clone())?;
    Ok((reopen(&area.dir, &room.name, &room)?, Some(mounted)))
}

/// Opens `name` in `parent` anew, so that a mount on it is seen.
pub(crate) fn reopen(parent: &Dir, name: &str, room: &Room) -> Result<Dir, RootfsError> {
    let opened = disk::open_child_directory(parent, OsStr::new(name));
    opened.map(directory).map_err(|source| RootfsError::Read { place: room.path.clone(), source })
}

/// Opens a directory once more.
pub(crate) fn clone_of(dir: &Dir, area: &Area) -> Result<Dir, RootfsError> {
    dir.try_clone().map_err(|source| RootfsError::Read { place: area.path.clone(), source })
}

impl CopyTree for TreeView {
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        Ok(self.baseline().get(path))
    }

    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        Ok(self.baseline().children(path).into_iter().collect())
    }

    fn open(&self, path: &TreePath) -> io::Result<File> {
        disk::open_file(&self.dir, path).map(File::from_std)
    }

    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        self.baseline().file_id(path)
    }
}
