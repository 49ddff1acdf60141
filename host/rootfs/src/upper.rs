//! Reads the changes of a step from an overlay's upper directory.
//!
//! Looks at the upper directory alone, so its cost is that of the changes, whatever the size of the tree. The
//! disk may not hold what an entry is logically (an owner without a mapping, a device's placeholder); therefore an
//! attribute whose disk value equals that of the lower entry is what the baseline says. Invariant: an entry that
//! the overlay copied up without a change is no change.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use cap_std::fs::Dir;
use zoea_model::{Attributes, Change, Changes, Entry, Node, TreePath};

use crate::diff::{changed_entry, link_names};
use crate::disk_entry::{DiskEntry, Look, is_opaque, look};
use crate::error::invalid;
use crate::layer_disk::{open_directory, open_parent};
use crate::removal::names;
use crate::{Rootfs, RootfsError};

/// Whether lower content shows through a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Visible,
    Hidden,
}

/// What the walk found at one path.
#[derive(Debug)]
struct Found {
    entry: DiskEntry,
    /// Whether lower content shows at this path.
    here: Below,
    /// Whether it is a directory that hides lower content.
    opaque: bool,
}

/// What the names of one file share; a name that is alone stands for itself.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FileKey {
    Inode((u64, u64)),
    Alone(TreePath),
}

impl From<TreePath> for FileKey {
    fn from(path: TreePath) -> Self {
        Self::Alone(path)
    }
}

/// Returns what the upper directory of `rootfs` changes.
pub(crate) fn diff_of_upper(rootfs: &Rootfs) -> Result<Changes, RootfsError> {
    let Some(upper) = rootfs.upper() else { return Ok(Changes::default()) };
    let mut walk = Walk { rootfs, upper, found: BTreeMap::new(), changes: BTreeMap::new() };
    walk.run()?;
    walk.compare()?;
    let Walk { found, mut changes, .. } = walk;
    link_names(&mut changes, |path, _| {
        let entry = &found.get(path)?.entry;
        (entry.names > 1).then_some(FileKey::Inode(entry.id))
    });
    Ok(Changes(changes))
}

struct Walk<'a> {
    rootfs: &'a Rootfs,
    upper: &'a Dir,
    found: BTreeMap<TreePath, Found>,
    changes: BTreeMap<TreePath, Change>,
}

impl Walk<'_> {
    /// Looks at everything in the upper directory.
    fn run(&mut self) -> Result<(), RootfsError> {
        let root = TreePath::root();
        let failed = |path: &TreePath| {
            let path = path.clone();
            move |source| RootfsError::ReadEntry { path, source }
        };
        let opened = open_directory(self.upper, &root).map_err(failed(&root))?;
        if let Look::Entry(entry) = look(&opened, OsStr::new(".")).map_err(failed(&root))? {
            self.found.insert(root.clone(), Found { entry, here: Below::Visible, opaque: false });
        }
        let mut work = vec![(root, Below::Visible)];
        while let Some((path, below)) = work.pop() {
            let opened = open_directory(self.upper, &path).map_err(failed(&path))?;
            for name in names(&opened).map_err(failed(&path))? {
                let child =
                    path.join(name.as_bytes()).map_err(|error| failed(&path)(invalid(error.to_string())))?;
                let next = self.visit(&opened, &child, below).map_err(failed(&child))?;
                work.extend(next.map(|below| (child, below)));
            }
        }
        Ok(())
    }

    /// Looks at one name; returns how lower content shows below it if it is a directory.
    fn visit(&mut self, parent: &OwnedFd, path: &TreePath, here: Below) -> io::Result<Option<Below>> {
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let entry = match look(parent, name)? {
            // No layer keeps a socket, so what it took the place of is gone.
            Look::Socket | Look::Whiteout => {
                if here == Below::Visible && self.rootfs.baseline().get(path).is_some() {
                    self.changes.insert(path.clone(), Change::Remove);
                }
                return Ok(None);
            }
            Look::Entry(entry) => entry,
        };
        let next = if entry.node.is_directory() {
            let opaque = is_opaque(crate::layer_disk::open_child_directory(parent, name)?)?;
            let merges = here == Below::Visible
                && !opaque
                && self.rootfs.baseline().get(path).is_none_or(|old| old.node.is_directory());
            let found = Found { entry, here, opaque };
            self.found.insert(path.clone(), found);
            Some(if merges { Below::Visible } else { Below::Hidden })
        } else {
            self.found.insert(path.clone(), Found { entry, here, opaque: false });
            None
        };
        Ok(next)
    }

    /// Decides which of the found entries are changes.
    fn compare(&mut self) -> Result<(), RootfsError> {
        let mut known: BTreeMap<(u64, u64), Entry> = BTreeMap::new();
        let mut unknown = Vec::new();
        for (path, found) in &self.found {
            let old = self.old(path, found);
            let logical = match self.logical(path, found, old.as_ref())? {
                Some(logical) => logical,
                // It may be one more name of a file that is known by another.
                None if found.entry.names > 1 && !found.entry.node.is_directory() => {
                    unknown.push(path);
                    continue;
                }
                None => entry_of(&found.entry),
            };
            if found.entry.names > 1 && !logical.node.is_directory() {
                known.entry(found.entry.id).or_insert_with(|| logical.clone());
            }
            if let Some(change) = self.change(path, found, old, logical)? {
                self.changes.insert(path.clone(), change);
            }
        }
        for path in unknown {
            let Some(found) = self.found.get(path) else { continue };
            let logical = known.get(&found.entry.id).cloned().unwrap_or_else(|| entry_of(&found.entry));
            if let Some(change) = self.change(path, found, self.old(path, found), logical)? {
                self.changes.insert(path.clone(), change);
            }
        }
        Ok(())
    }

    fn old(&self, path: &TreePath, found: &Found) -> Option<Entry> {
        match found.here {
            Below::Visible => self.rootfs.baseline().get(path),
            Below::Hidden => None,
        }
    }

    fn change(
        &self,
        path: &TreePath,
        found: &Found,
        old: Option<Entry>,
        logical: Entry,
    ) -> Result<Option<Change>, RootfsError> {
        let hides = found.opaque
            && old.as_ref().is_some_and(|old| old.node.is_directory())
            && !self.rootfs.baseline().children(path).is_empty();
        if hides {
            return Ok(Some(Change::Replace(logical)));
        }
        Ok(changed_entry(self.rootfs, path, old, logical)?.map(Change::Upsert))
    }

    /// Returns what a found entry is logically, where something tells more than the disk.
    fn logical(
        &self,
        path: &TreePath,
        found: &Found,
        old: Option<&Entry>,
    ) -> Result<Option<Entry>, RootfsError> {
        if let Some(Some(noted)) = self.rootfs.table.get(path) {
            return Ok(Some(reconcile_with_note(&found.entry, &noted)));
        }
        let Some(old) = old else { return Ok(None) };
        let lower =
            self.lower_look(path).map_err(|source| RootfsError::ReadEntry { path: path.clone(), source })?;
        Ok(match lower {
            Some(Look::Entry(lower)) => Some(reconcile(&found.entry, &lower, old)),
            Some(Look::Whiteout | Look::Socket) | None => None,
        })
    }

    /// Looks at what lies at `path` in the layer that the baseline has it from.
    fn lower_look(&self, path: &TreePath) -> io::Result<Option<Look>> {
        let baseline = self.rootfs.baseline();
        let lowers = self.rootfs.lowers();
        let lower = if path.is_root() {
            // The upper root was made after the topmost one.
            lowers.first()
        } else {
            let from_top = |number: usize| baseline.height().checked_sub(number + 1);
            baseline.locate(path).and_then(|located| lowers.get(from_top(located.layer.0)?))
        };
        let Some(lower) = lower else { return Ok(None) };
        let (parent, name) = open_parent(lower, path)?;
        look(&parent, name).map(Some)
    }
}

fn entry_of(found: &DiskEntry) -> Entry {
    Entry { node: found.node.clone(), attributes: found.attributes.clone(), hard_link_to: None }
}

/// Takes from the disk what differs from the lower entry's disk value, and the rest from the baseline.
fn reconcile(found: &DiskEntry, lower: &DiskEntry, old: &Entry) -> Entry {
    let (disk, before, logical) = (&found.attributes, &lower.attributes, &old.attributes);
    let node = match (&found.node, &old.node) {
        (Node::File { size, .. }, Node::File { .. }) => Node::File { size: *size, digest: None },
        (found, old) if *found == lower.node => old.clone(),
        (found, _) => found.clone(),
    };
    let mut xattrs = logical.xattrs.clone();
    for name in disk.xattrs.keys().chain(before.xattrs.keys()) {
        match (disk.xattrs.get(name), before.xattrs.get(name)) {
            (now, before) if now == before => {}
            (Some(now), _) => drop(xattrs.insert(name.clone(), now.clone())),
            (None, _) => drop(xattrs.remove(name)),
        }
    }
    let attributes = Attributes {
        uid: pick(disk.uid, before.uid, logical.uid),
        gid: pick(disk.gid, before.gid, logical.gid),
        mode: pick(disk.mode, before.mode, logical.mode),
        mtime: pick(disk.mtime, before.mtime, logical.mtime),
        xattrs,
    };
    Entry { node, attributes, hard_link_to: None }
}

fn pick<T: PartialEq>(now: T, before: T, logical: T) -> T {
    if now == before { logical } else { now }
}

/// Takes what the builder itself noted in this step, unless a process changed it afterwards.
///
/// What the disk refused when the builder wrote it looks as the builder's own: its user's id, access bits for
/// itself, no extended attributes, an empty file for a device.
fn reconcile_with_note(found: &DiskEntry, noted: &Entry) -> Entry {
    let (disk, note) = (&found.attributes, &noted.attributes);
    let access = if noted.node.is_directory() { 0o700 } else { 0o600 };
    let refused_node = matches!(found.node, Node::File { size: 0, .. })
        && matches!(noted.node, Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo);
    let mut xattrs = note.xattrs.clone();
    xattrs.extend(disk.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())));
    let attributes = Attributes {
        uid: pick(disk.uid, rustix::process::geteuid().as_raw(), note.uid),
        gid: pick(disk.gid, rustix::process::getegid().as_raw(), note.gid),
        mode: if disk.mode == note.mode | access { note.mode } else { disk.mode },
        mtime: disk.mtime,
        xattrs,
    };
    let node = if refused_node { noted.node.clone() } else { found.node.clone() };
    Entry { node, attributes, hard_link_to: None }
}
