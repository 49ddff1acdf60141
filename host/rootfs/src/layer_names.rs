//! The names of one layer while it is unpacked: what each is, which share a file, and what the layer hides.
//!
//! Lives in memory only; never touches the disk or lower layers. Invariant: whatever lies above a name of this
//! layer is a directory of this layer.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;

use zoea_model::{Attributes, Entry, Node, TreePath};

use crate::error::invalid;
use crate::resolve::{self, LastLink, Rules, Unresolved};

/// One file with all its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(u64);

/// What a name of the layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A directory that has no entry of its own, only names below it.
    Implied,
    /// An entry of the layer.
    Made { node: Node, attributes: Attributes, file: FileId },
    /// A hard link to a name that this layer did not have when the link came. Nothing is on the disk yet.
    Pending { target: TreePath },
}

impl Slot {
    pub(crate) fn is_directory(&self) -> bool {
        match self {
            Self::Implied => true,
            Self::Made { node, .. } => node.is_directory(),
            Self::Pending { .. } => false,
        }
    }
}

/// All names of a layer.
#[derive(Debug, Default)]
pub(crate) struct LayerNames {
    pub(crate) slots: BTreeMap<TreePath, Slot>,
    /// Names of lower layers that this layer hides.
    pub(crate) hidden: BTreeSet<TreePath>,
    /// Directories that show nothing of lower layers.
    pub(crate) opaque: BTreeSet<TreePath>,
    files: u64,
}

impl LayerNames {
    /// Returns a number for one more file.
    pub(crate) fn new_file(&mut self) -> FileId {
        self.files += 1;
        FileId(self.files)
    }

    /// Follows the links that this layer has in `path`.
    pub(crate) fn resolve(&self, path: &TreePath, last_link: LastLink) -> io::Result<TreePath> {
        resolve_by(path, last_link, |path| match self.slots.get(path) {
            Some(Slot::Made { node: Node::Symlink { target }, .. }) => Some(target.clone()),
            Some(Slot::Made { .. } | Slot::Implied | Slot::Pending { .. }) | None => None,
        })
    }

    /// Forgets `path` and all below it.
    pub(crate) fn forget(&mut self, path: &TreePath) {
        for name in at_or_below(self.slots.range(path.clone()..).map(|(name, _)| name), path) {
            self.slots.remove(&name);
        }
        for name in at_or_below(self.hidden.range(path.clone()..), path) {
            // What hides the name of lower layers still does.
            if name != *path {
                self.hidden.remove(&name);
            }
        }
        for name in at_or_below(self.opaque.range(path.clone()..), path) {
            self.opaque.remove(&name);
        }
    }

    /// Returns what is at or below `path`, in order.
    pub(crate) fn subtree(&self, path: &TreePath) -> Vec<TreePath> {
        at_or_below(self.slots.range(path.clone()..).map(|(name, _)| name), path)
    }

    /// Returns the entries; of the names of one file the first is the file and the others are links to it.
    pub(crate) fn entries(&self) -> BTreeMap<TreePath, Entry> {
        let mut first_names: BTreeMap<FileId, TreePath> = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (path, slot) in &self.slots {
            let Slot::Made { node, attributes, file } = slot else { continue };
            let first = first_names.entry(*file).or_insert_with(|| path.clone());
            let hard_link_to = (first != path).then(|| first.clone());
            let entry = Entry { node: node.clone(), attributes: attributes.clone(), hard_link_to };
            entries.insert(path.clone(), entry);
        }
        entries
    }
}

fn at_or_below<'a>(names: impl Iterator<Item = &'a TreePath>, path: &TreePath) -> Vec<TreePath> {
    names.take_while(|name| name.starts_with(path)).cloned().collect()
}

/// Follows links inside of the tree as `link` tells their targets.
pub(crate) fn resolve_by(
    path: &TreePath,
    last_link: LastLink,
    link: impl Fn(&TreePath) -> Option<Vec<u8>>,
) -> io::Result<TreePath> {
    let rules = Rules { last_link, ..Rules::FOLLOW };
    resolve::resolve(path, rules, |path| Ok::<_, Infallible>(link(path))).map_err(|error| match error {
        Unresolved::TooManyLinks => invalid("its name leads through too many symbolic links"),
        Unresolved::AboveRoot | Unresolved::NulByte => {
            invalid("its name leads through a symbolic link with an invalid target")
        }
        Unresolved::Lookup(never) => match never {},
    })
}
