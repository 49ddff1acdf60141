//! A layer made by itself: on an empty tree, and then put over a stage's.
//!
//! Owns that empty tree, a plain directory even where overlays can be mounted: the kernel marks what it makes in an
//! overlay's upper directory as hiding what is below, which is untrue once something else is below. Invariant: the
//! stage's tree afterwards is what unpacking the layer over it gives, so that links in its way are replaced and never
//! followed, and a directory over a directory gives it its attributes.

use std::path::PathBuf;
use std::sync::Arc;

use cap_std::fs::{Dir, File};
use zoea_model::{Attributes, Entry, Node, TreePath};

use crate::baseline::default_directory;
use crate::form::Form;
use crate::layer_disk as disk;
use crate::rootfs::RootfsParts;
use crate::store::{LayerDir, TREE};
use crate::tree::clone_of;
use crate::workspace::Area;
use crate::{Baseline, Content, LayerIndex, Rootfs, RootfsError, Vfs, Workspace};

/// The tree that an independent layer is made on.
#[derive(Debug)]
pub struct IndependentTree {
    dir: Dir,
    path: PathBuf,
    area: Arc<Area>,
}

impl Workspace {
    /// Makes an empty tree for a layer that is put over a stage's tree later.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn independent_tree(&self) -> Result<IndependentTree, RootfsError> {
        let room = self.0.room("independent")?;
        let dir = room.inner(TREE)?;
        let path = room.path.join(TREE);
        let kept = disk::open_directory(&dir, &TreePath::root()).and_then(|opened| {
            disk::keep(&opened, &Node::Directory, &default_directory().attributes, Form::Overlay)
        });
        kept.map_err(|source| RootfsError::Make { place: path.clone(), source })?;
        Ok(IndependentTree { dir, path, area: Arc::clone(&self.0) })
    }
}

impl IndependentTree {
    /// Begins the one step that fills the tree.
    ///
    /// # Errors
    /// Reports what the disk refused.
    pub fn begin_step(&self) -> Result<Rootfs, RootfsError> {
        Ok(Rootfs::new(RootfsParts {
            dir: clone_of(&self.dir, &self.area)?,
            host_path: self.path.clone(),
            upper: None,
            lowers: Vec::new(),
            baseline: Baseline::new(),
        }))
    }

    /// Ends it; `index` is that of its layer.
    pub(crate) fn finish(self, index: LayerIndex) -> LayerDir {
        LayerDir { tree: self.dir, index }
    }
}

/// Does to the tree behind `vfs` what unpacking `layer` over it would do.
pub(crate) fn unpack_over(vfs: &mut Vfs<'_>, layer: &LayerDir) -> Result<(), RootfsError> {
    let mut directories: Vec<(TreePath, Attributes)> = Vec::new();
    for (path, row) in layer.index.rows() {
        let Some(entry) = row.entry() else { continue };
        if entry.node.is_directory() {
            make_directory(vfs, &path, entry)?;
            directories.push((path, entry.attributes.clone()));
            continue;
        }
        if vfs.lookup(&path).is_some_and(|existing| existing.node.is_directory()) {
            vfs.remove(&path)?;
        }
        make_leaf(vfs, &path, entry, &layer.tree)?;
    }
    // Their times change while they are filled.
    for (path, attributes) in &directories {
        vfs.set_attributes(path, attributes)?;
    }
    Ok(())
}

fn make_directory(vfs: &mut Vfs<'_>, path: &TreePath, entry: &Entry) -> Result<(), RootfsError> {
    match vfs.lookup(path) {
        Some(existing) if existing.node.is_directory() => return Ok(()),
        Some(_) => vfs.remove(path)?,
        None => {}
    }
    vfs.create_dir(path, &entry.attributes)
}

fn make_leaf(vfs: &mut Vfs<'_>, path: &TreePath, entry: &Entry, content: &Dir) -> Result<(), RootfsError> {
    if let Some(first) = &entry.hard_link_to {
        return vfs.create_hard_link(first, path);
    }
    let attributes = &entry.attributes;
    match &entry.node {
        Node::File { .. } => {
            let file = disk::open_file(content, path)
                .map_err(|source| RootfsError::ReadEntry { path: path.clone(), source })?;
            vfs.write_file(path, Content::File(File::from_std(file)), attributes)
        }
        Node::Symlink { target } => vfs.create_symlink(path, target, attributes),
        Node::CharacterDevice(device) => vfs.create_character_device(path, *device, attributes),
        Node::BlockDevice(device) => vfs.create_block_device(path, *device, attributes),
        Node::Fifo => vfs.create_fifo(path, attributes),
        Node::Directory => Err(RootfsError::IsADirectory { path: path.clone() }),
    }
}

#[cfg(test)]
#[path = "independent_tests.rs"]
mod tests;
