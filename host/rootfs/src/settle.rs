//! Finishes an unpacked layer with what only the layers below it can tell.
//!
//! Resolves names that lead through links of lower layers, hard links to files of lower layers and directories
//! that the layer only implies; writes what hides lower content where the disk must say it; gives directories
//! their attributes, which must come last. Changes the layer's own directory only. Invariant: afterwards the
//! index tells everything, and the directory is what a mount or a copy needs.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use zoea_model::{Attributes, DiffId, Entry, Node, TreePath};

use crate::baseline::default_directory;
use crate::content::clone_file;
use crate::error::{invalid, printable};
use crate::layer_disk as disk;
use crate::layer_names::{Slot, resolve_by};
use crate::layer_tree::LayerTree;
use crate::removal::remove_tree;
use crate::resolve::LastLink;
use crate::{Baseline, IndexRow, LayerIndex, RootfsError};

/// Most hard links that lead to each other.
const MAX_LINKS: usize = 40;

/// The layers below the one that is settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lower<'a> {
    pub(crate) baseline: &'a Baseline,
    /// Where each layer's content lies, the lowest first.
    pub(crate) dirs: &'a [&'a Dir],
}

/// Finishes `tree`, which lies directly above `lower`; returns its index.
///
/// # Errors
/// Reports names and links that lead nowhere, and what the disk refused.
pub(crate) fn settle(layer: DiffId, tree: LayerTree, lower: Lower<'_>) -> Result<LayerIndex, RootfsError> {
    let mut settling = Settling { tree, lower, at: TreePath::root() };
    let rows = settling.run();
    let entry = printable(settling.at.as_bytes());
    rows.map(LayerIndex::from_rows).map_err(|source| RootfsError::UnpackEntry { layer, entry, source })
}

struct Settling<'a> {
    tree: LayerTree,
    lower: Lower<'a>,
    /// The name in work, for errors.
    at: TreePath,
}

impl Settling<'_> {
    fn run(&mut self) -> io::Result<BTreeMap<TreePath, IndexRow>> {
        self.redirect_names()?;
        self.redirect_marks()?;
        self.link_pending()?;
        let rows = self.rows()?;
        self.keep_directories(&rows)?;
        Ok(rows)
    }

    /// Returns what lower layers show at `path` through this layer's marks.
    fn below(&self, path: &TreePath) -> Option<Entry> {
        if self.tree.names.hidden.contains(path) { None } else { self.below_mark(path) }
    }

    /// Returns what lower layers would show at `path` if this layer did not hide that very name.
    fn below_mark(&self, path: &TreePath) -> Option<Entry> {
        let names = &self.tree.names;
        let covered = path.ancestors().any(|above| {
            names.hidden.contains(&above)
                || names.opaque.contains(&above)
                || names.slots.get(&above).is_some_and(|slot| !slot.is_directory())
        });
        if covered { None } else { self.lower.baseline.get(path) }
    }

    fn resolve(&self, path: &TreePath, last_link: LastLink) -> io::Result<TreePath> {
        resolve_by(path, last_link, |path| {
            let node = match self.tree.names.slots.get(path) {
                Some(Slot::Made { node, .. }) => Some(node.clone()),
                Some(Slot::Pending { .. }) => None,
                Some(Slot::Implied) | None => self.below(path).map(|entry| entry.node),
            };
            match node {
                Some(Node::Symlink { target }) => Some(target),
                Some(
                    Node::File { .. }
                    | Node::Directory
                    | Node::CharacterDevice(_)
                    | Node::BlockDevice(_)
                    | Node::Fifo,
                )
                | None => None,
            }
        })
    }

    /// Moves what lies below an implied directory that lower layers have as a link to where the link leads.
    fn redirect_names(&mut self) -> io::Result<()> {
        let implied = |(path, slot): (&TreePath, &Slot)| (*slot == Slot::Implied).then(|| path.clone());
        let mut work: VecDeque<TreePath> = self.tree.names.slots.iter().filter_map(implied).collect();
        while let Some(path) = work.pop_front() {
            let is_link = self.tree.names.slots.get(&path) == Some(&Slot::Implied)
                && self.below(&path).is_some_and(|entry| matches!(entry.node, Node::Symlink { .. }));
            if !is_link {
                continue;
            }
            self.at = path.clone();
            let target = self.resolve(&path, LastLink::Followed)?;
            drop(self.tree.make_directories(&target)?);
            self.move_content(&path, &target)?;
            let moved = self.tree.names.subtree(&target);
            work.extend(
                moved.into_iter().filter(|path| {
                    self.tree.names.slots.get(path).is_some_and(|slot| *slot == Slot::Implied)
                }),
            );
        }
        Ok(())
    }

    /// Moves the content of one directory into another; where both have a name, the second one's stays.
    fn move_content(&mut self, from: &TreePath, to: &TreePath) -> io::Result<()> {
        let mut pairs = vec![(from.clone(), to.clone())];
        while let Some((from, to)) = pairs.pop() {
            let below = self.tree.names.subtree(&from);
            for child in below.iter().filter(|path| path.parent().as_ref() == Some(&from)) {
                let place = relocate(child, &from, &to)?;
                if from.starts_with(&place) {
                    // What is moved would be removed with the directory that it is moved out of.
                    return Err(invalid("its name leads through a link to a directory above the link"));
                }
                let slots = &self.tree.names.slots;
                match (slots.get(child), slots.get(&place)) {
                    (_, None) => self.move_tree(child, &place)?,
                    (Some(moved), Some(there)) if moved.is_directory() && there.is_directory() => {
                        if *there == Slot::Implied {
                            let moved = moved.clone();
                            self.tree.names.slots.insert(place.clone(), moved);
                        }
                        pairs.push((child.clone(), place));
                    }
                    (_, Some(_)) => {}
                }
            }
        }
        let (parent, name) = disk::open_parent(&self.tree.dir, from)?;
        remove_tree(&parent, name)?;
        for path in self.tree.names.subtree(from) {
            self.tree.names.slots.remove(&path);
        }
        Ok(())
    }

    fn move_tree(&mut self, from: &TreePath, to: &TreePath) -> io::Result<()> {
        let pending = matches!(self.tree.names.slots.get(from), Some(Slot::Pending { .. }));
        if !pending {
            let (from_parent, from_name) = disk::open_parent(&self.tree.dir, from)?;
            let (to_parent, to_name) = disk::open_parent(&self.tree.dir, to)?;
            rustix::fs::renameat(&from_parent, from_name, &to_parent, to_name)?;
        }
        for path in self.tree.names.subtree(from) {
            if let Some(slot) = self.tree.names.slots.remove(&path) {
                self.tree.names.slots.insert(relocate(&path, from, to)?, slot);
            }
        }
        Ok(())
    }

    fn redirect_marks(&mut self) -> io::Result<()> {
        let resolve = |settling: &Self, path: &TreePath, last_link| settling.resolve(path, last_link);
        let hidden = self.tree.names.hidden.iter().map(|path| resolve(self, path, LastLink::Kept));
        let hidden = hidden.collect::<io::Result<_>>()?;
        let opaque = self.tree.names.opaque.iter().map(|path| resolve(self, path, LastLink::Followed));
        let opaque = opaque.collect::<io::Result<_>>()?;
        (self.tree.names.hidden, self.tree.names.opaque) = (hidden, opaque);
        Ok(())
    }

    /// Makes the hard links whose target was not there when they came.
    fn link_pending(&mut self) -> io::Result<()> {
        let is_pending = |(path, slot): (&TreePath, &Slot)| match slot {
            Slot::Pending { .. } => Some(path.clone()),
            Slot::Made { .. } | Slot::Implied => None,
        };
        let pending: Vec<TreePath> = self.tree.names.slots.iter().filter_map(is_pending).collect();
        let mut copies: BTreeMap<TreePath, TreePath> = BTreeMap::new();
        for path in pending {
            self.at = path.clone();
            let target = self.link_target(&path)?;
            let existing = copies.get(&target).cloned().unwrap_or_else(|| target.clone());
            let slot = match self.tree.names.slots.get(&existing) {
                Some(slot) if slot.is_directory() => {
                    return Err(invalid("it is a hard link to a directory"));
                }
                Some(slot @ Slot::Made { .. }) => {
                    let slot = slot.clone();
                    let (from, name) = disk::open_parent(&self.tree.dir, &existing)?;
                    let (to, new_name) = disk::open_parent(&self.tree.dir, &path)?;
                    rustix::fs::linkat(&from, name, &to, new_name, AtFlags::empty())?;
                    slot
                }
                Some(Slot::Pending { .. } | Slot::Implied) | None => {
                    copies.insert(target.clone(), path.clone());
                    self.copy_from_below(&target, &path)?
                }
            };
            self.tree.names.slots.insert(path, slot);
        }
        Ok(())
    }

    /// Returns the name that a pending link leads to, through other pending links.
    fn link_target(&self, path: &TreePath) -> io::Result<TreePath> {
        let mut current = path.clone();
        for _ in 0..MAX_LINKS {
            match self.tree.names.slots.get(&current) {
                Some(Slot::Pending { target }) => {
                    let target = self.resolve(target, LastLink::Kept)?;
                    if target == current {
                        return Ok(target);
                    }
                    current = target;
                }
                Some(Slot::Made { .. } | Slot::Implied) | None => return Ok(current),
            }
        }
        Err(invalid("it is a hard link through too many others"))
    }

    /// Copies the file `target` of a lower layer into this layer as `path`.
    fn copy_from_below(&mut self, target: &TreePath, path: &TreePath) -> io::Result<Slot> {
        let absent = || invalid(format!("it is a hard link to `{target}`, which is not there"));
        self.below(target).ok_or_else(absent)?;
        let located = self.lower.baseline.locate(target).ok_or_else(absent)?;
        let Entry { node, attributes, .. } = located.entry;
        let (parent, name) = disk::open_parent(&self.tree.dir, path)?;
        match &node {
            Node::Directory => return Err(invalid("it is a hard link to a directory")),
            Node::File { .. } => {
                let lower = self.lower.dirs.get(located.layer.0).ok_or_else(absent)?;
                let from = disk::open_file(lower, target)?;
                let to = disk::create_file(&parent, name)?;
                clone_file(&from, &to)?;
                disk::keep(&to, &node, &attributes, self.tree.form)?;
            }
            Node::Symlink { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {
                disk::create_special(&parent, name, &node)?;
                disk::keep_special(&parent, name, &node, &attributes, self.tree.form)?;
            }
        }
        let file = self.tree.names.new_file();
        Ok(Slot::Made { node, attributes, file })
    }

    /// Decides the rows of the index and puts marks on the disk.
    fn rows(&mut self) -> io::Result<BTreeMap<TreePath, IndexRow>> {
        let mut rows = BTreeMap::new();
        for path in self.tree.names.hidden.clone() {
            if !self.tree.names.slots.contains_key(&path) && self.below_mark(&path).is_some() {
                self.at = path.clone();
                self.hide(&path)?;
                rows.insert(path, IndexRow::Whiteout);
            }
        }
        for path in self.tree.names.opaque.clone() {
            let hides = self.below(&path).is_some_and(|entry| entry.node.is_directory());
            if hides && !path.is_root() && !self.tree.names.slots.contains_key(&path) {
                self.at = path.clone();
                drop(self.tree.make_directories(&path)?);
            }
        }
        let mut entries = self.tree.names.entries();
        if self.tree.names.opaque.contains(&TreePath::root()) {
            let root = || self.lower.baseline.get(&TreePath::root()).unwrap_or_else(default_directory);
            entries.entry(TreePath::root()).or_insert_with(root);
        }
        for (path, slot) in &self.tree.names.slots {
            if *slot == Slot::Implied {
                match self.below(path).filter(|entry| entry.node.is_directory()) {
                    // Not this layer's to say, unless it hides what is below.
                    Some(_) if !self.tree.names.opaque.contains(path) => {}
                    Some(entry) => drop(entries.insert(path.clone(), entry)),
                    None => drop(entries.insert(path.clone(), default_directory())),
                }
            }
        }
        for (path, entry) in entries {
            let marked = self.tree.names.hidden.contains(&path) || self.tree.names.opaque.contains(&path);
            let hides = marked
                && entry.node.is_directory()
                && self.below_mark(&path).is_some_and(|entry| entry.node.is_directory());
            rows.insert(path, if hides { IndexRow::Opaque(entry) } else { IndexRow::Entry(entry) });
        }
        Ok(rows)
    }

    fn hide(&mut self, path: &TreePath) -> io::Result<()> {
        if !self.tree.form.hides_on_disk() {
            return Ok(());
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let parent = self.tree.make_directories(&parent)?;
        disk::create_whiteout(&parent, name)
    }

    /// Gives every directory its attributes, the deepest first, because writing below changes times.
    fn keep_directories(&mut self, rows: &BTreeMap<TreePath, IndexRow>) -> io::Result<()> {
        let slots = self.tree.names.slots.iter();
        let mut directories: Vec<TreePath> =
            slots.filter(|(_, slot)| slot.is_directory()).map(|(path, _)| path.clone()).collect();
        if directories.first() != Some(&TreePath::root()) {
            directories.insert(0, TreePath::root());
        }
        for path in directories.into_iter().rev() {
            self.at = path.clone();
            let opened = disk::open_directory(&self.tree.dir, &path)?;
            let attributes = match rows.get(&path) {
                Some(IndexRow::Opaque(entry)) => {
                    if self.tree.form.hides_on_disk() {
                        disk::make_opaque(&opened)?;
                    }
                    entry.attributes.clone()
                }
                Some(IndexRow::Entry(entry)) => entry.attributes.clone(),
                Some(IndexRow::Whiteout) | None => self.attributes_below(&path),
            };
            disk::keep(opened.as_fd(), &Node::Directory, &attributes, self.tree.form)?;
        }
        Ok(())
    }

    fn attributes_below(&self, path: &TreePath) -> Attributes {
        self.lower.baseline.get(path).unwrap_or_else(default_directory).attributes
    }
}

fn relocate(path: &TreePath, from: &TreePath, to: &TreePath) -> io::Result<TreePath> {
    let rest = path.strip_prefix(from).unwrap_or_default();
    to.join(rest.as_bytes()).map_err(|error| invalid(error.to_string()))
}
