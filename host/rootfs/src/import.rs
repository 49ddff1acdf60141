//! Brings the layers of an image into the store and makes a tree of them.
//!
//! Layers that are not there are unpacked at the same time, then settled and published from the lowest upwards,
//! each under the identity of the stack up to it. Invariant: a layer is published only when all below it are.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use zoea_model::{ChainId, DiffId};

use crate::layer_disk::open_child_directory;
use crate::layer_tree::LayerTree;
use crate::settle::{Lower, settle};
use crate::store::{LayerDir, TREE, write_index};
use crate::tree::Tree;
use crate::unpack::unpack;
use crate::workspace::{Area, Room, Workspace};
use crate::{Baseline, RootfsError};

/// Opens a layer's bytes, compressed or not.
pub type OpenLayer<'a> = Box<dyn Fn() -> io::Result<Box<dyn Read + Send + 'a>> + Send + Sync + 'a>;

/// One layer of an image.
pub struct LayerInput<'a> {
    /// What the uncompressed bytes must be.
    pub diff_id: DiffId,
    /// Opens the bytes, compressed or not; only called if the layer is not in the store.
    pub open: OpenLayer<'a>,
}

impl fmt::Debug for LayerInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerInput").field("diff_id", &self.diff_id).finish_non_exhaustive()
    }
}

/// An unpacked layer that waits for those below it.
type Unpacked = (usize, Result<(Room, LayerTree), RootfsError>);

impl Workspace {
    /// Makes a tree of `layers`, the lowest first, unpacking up to `jobs` of them at a time.
    ///
    /// # Errors
    /// Reports the first layer that failed; the others are given up, and what was published stays.
    pub fn import(&self, layers: &[LayerInput<'_>], jobs: usize) -> Result<Tree, RootfsError> {
        let mut chains: Vec<ChainId> = Vec::with_capacity(layers.len());
        for layer in layers {
            chains.push(ChainId::stack(chains.last(), &layer.diff_id));
        }
        let store = &self.0.store;
        let wanted = layers.iter().zip(&chains).enumerate();
        let missing: Vec<usize> =
            wanted.filter(|(_, (_, chain))| !store.has_layer(chain)).map(|(number, _)| number).collect();
        let queue = Mutex::new(missing.iter());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            for _ in 0..jobs.clamp(1, missing.len().max(1)) {
                let (sender, queue, stop) = (sender.clone(), &queue, &stop);
                scope.spawn(move || {
                    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    unpack_all(&self.0, layers, next, &sender, stop);
                });
            }
            drop(sender);
            let stack = stack_up(&self.0, layers, &chains, &receiver);
            if stack.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            stack
        })
    }
}

/// Unpacks layers until none is left or one failed.
fn unpack_all<'a>(
    area: &Area,
    layers: &[LayerInput<'_>],
    next: impl Fn() -> Option<&'a usize>,
    done: &Sender<Unpacked>,
    stop: &AtomicBool,
) {
    while let Some(number) = next() {
        let Some(layer) = layers.get(*number) else { return };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let unpacked = unpack_one(area, layer, stop);
        let failed = unpacked.is_err();
        if done.send((*number, unpacked)).is_err() || failed {
            return;
        }
    }
}

fn unpack_one(
    area: &Area,
    layer: &LayerInput<'_>,
    stop: &AtomicBool,
) -> Result<(Room, LayerTree), RootfsError> {
    let room = area.room("layer")?;
    let mut tree = LayerTree::new(room.inner(TREE)?, area.store.form);
    let source = (layer.open)().map_err(|source| RootfsError::ReadLayer { layer: layer.diff_id, source })?;
    unpack(layer.diff_id, source, &mut tree, stop)?;
    Ok((room, tree))
}

/// Settles and publishes layers in order as they come, and opens those that were there.
fn stack_up(
    area: &Area,
    layers: &[LayerInput<'_>],
    chains: &[ChainId],
    unpacked: &Receiver<Unpacked>,
) -> Result<Tree, RootfsError> {
    let mut stack: Vec<LayerDir> = Vec::with_capacity(layers.len());
    let mut baseline = Baseline::new();
    let mut waiting = BTreeMap::new();
    for (number, (layer, chain)) in layers.iter().zip(chains).enumerate() {
        let opened = loop {
            if let Some((room, tree)) = waiting.remove(&number) {
                let dirs: Vec<_> = stack.iter().map(|layer| &layer.tree).collect();
                let lower = Lower { baseline: &baseline, dirs: &dirs };
                break Some(finish(area, layer.diff_id, chain, (room, tree), lower)?);
            }
            if let Some(there) = area.store.open_layer(chain)? {
                break Some(there);
            }
            match unpacked.recv() {
                Ok((number, result)) => drop(waiting.insert(number, result?)),
                // The threads are done: what is not there now never will be.
                Err(_) => break None,
            }
        };
        let opened = opened.ok_or(RootfsError::Stopped { layer: layer.diff_id })?;
        baseline.push(opened.index.clone());
        stack.push(opened);
    }
    Ok(Tree::of_layers(stack))
}

/// Settles one layer and moves it to its place in the store.
fn finish(
    area: &Area,
    layer: DiffId,
    chain: &ChainId,
    (room, tree): (Room, LayerTree),
    lower: Lower<'_>,
) -> Result<LayerDir, RootfsError> {
    let index = settle(layer, tree, lower)?;
    let written = open_child_directory(&room.dir, OsStr::new(".")).and_then(|dir| write_index(&dir, &index));
    written.map_err(|source| RootfsError::Make { place: room.path.clone(), source })?;
    area.store.publish(&layer, chain, &area.dir, &room.name)?;
    let place = room.path;
    let missing = || RootfsError::Read { place, source: io::ErrorKind::NotFound.into() };
    area.store.open_layer(chain)?.ok_or_else(missing)
}
