//! The oracle of tests: what changed, found by looking at everything.
//!
//! Reads the merged tree and nothing else of the step, so it shares no judgement with `diff`. Takes the disk's
//! word for every attribute: the tests that use it run where the disk can store them.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;

use zoea_model::{Change, Changes, Entry, Node, TreePath};

use crate::Rootfs;
use crate::content::digest_of;
use crate::disk_entry::{Look, look};
use crate::layer_disk::{open_directory, open_file, open_parent};
use crate::removal::names;

/// Returns all that differs between the baseline and the disk.
pub(crate) fn scan_diff(rootfs: &Rootfs) -> Changes {
    let old: BTreeMap<TreePath, Entry> = rootfs.baseline().entries().collect();
    let new = scan(rootfs);
    let mut changes = BTreeMap::new();
    let mut firsts: BTreeMap<(u64, u64), TreePath> = BTreeMap::new();
    for (path, (entry, id)) in &new {
        let same =
            old.get(path).is_some_and(|old| (&old.node, &old.attributes) == (&entry.node, &entry.attributes));
        if same {
            continue;
        }
        let mut entry = entry.clone();
        if path.is_root() {
            entry.attributes.mtime = old[path].attributes.mtime;
            if old[path].attributes == entry.attributes {
                continue;
            }
        }
        if !entry.node.is_directory() {
            let first = firsts.entry(*id).or_insert_with(|| path.clone());
            entry.hard_link_to = (first != path).then(|| first.clone());
        }
        changes.insert(path.clone(), Change::Upsert(entry));
    }
    for path in old.keys().filter(|path| !new.contains_key(*path)) {
        // The topmost stands for all below it; a directory that became a file did so by itself.
        let parent = path.parent().and_then(|parent| new.get(&parent));
        if parent.is_some_and(|(parent, _)| parent.node.is_directory()) {
            changes.insert(path.clone(), Change::Remove);
        }
    }
    Changes(changes)
}

/// Reads the whole tree.
pub(crate) fn scan(rootfs: &Rootfs) -> BTreeMap<TreePath, (Entry, (u64, u64))> {
    let mut found = BTreeMap::new();
    let mut work = vec![TreePath::root()];
    while let Some(path) = work.pop() {
        let (parent, name) = open_parent(rootfs.dir(), &path).unwrap();
        let Look::Entry(mut entry) = look(&parent, name).unwrap() else { continue };
        if let Node::File { digest, .. } = &mut entry.node {
            *digest = Some(digest_of(&mut open_file(rootfs.dir(), &path).unwrap()).unwrap());
        }
        if entry.node.is_directory() {
            let directory = open_directory(rootfs.dir(), &path).unwrap();
            let children = names(&directory).unwrap();
            work.extend(children.iter().map(|name| path.join(name.as_bytes()).unwrap()));
        }
        let id = entry.id;
        let entry = Entry { node: entry.node, attributes: entry.attributes, hard_link_to: None };
        found.insert(path, (entry, id));
    }
    found
}

/// Says the same with `Replace` spelt out, and with the digest of every file.
pub(crate) fn spelt_out(changes: &Changes, rootfs: &Rootfs) -> Changes {
    let mut all = BTreeMap::new();
    for (path, change) in &changes.0 {
        let change = match change {
            Change::Upsert(entry) => Change::Upsert(with_digest(path, entry, rootfs)),
            Change::Remove => Change::Remove,
            Change::Replace(entry) => {
                for (below, _) in rootfs.baseline().entries().filter(|(below, _)| {
                    below.starts_with(path) && below != path && !changes.0.contains_key(below)
                }) {
                    let parent = below.parent().unwrap();
                    let (stays, above) = (parent == *path, changes.0.get(&parent));
                    let directory = |change: &Change| match change {
                        Change::Upsert(entry) | Change::Replace(entry) => entry.node.is_directory(),
                        Change::Remove => false,
                    };
                    if stays || above.is_some_and(directory) {
                        all.insert(below, Change::Remove);
                    }
                }
                let entry = with_digest(path, entry, rootfs);
                let old = rootfs.baseline().get(path);
                if old.is_some_and(|old| old.node == entry.node && old.attributes == entry.attributes) {
                    continue;
                }
                Change::Upsert(entry)
            }
        };
        all.insert(path.clone(), change);
    }
    // Below a replaced directory even an entry that is as before had to be written again.
    all.retain(|path, change| match change {
        Change::Upsert(entry) => rootfs
            .baseline()
            .get(path)
            .is_none_or(|old| (old.node, old.attributes) != (entry.node.clone(), entry.attributes.clone())),
        Change::Replace(_) | Change::Remove => true,
    });
    relink(&mut all);
    Changes(all)
}

/// Lets links lead to the first name that is left.
fn relink(changes: &mut BTreeMap<TreePath, Change>) {
    let mut firsts: BTreeMap<TreePath, TreePath> = BTreeMap::new();
    for (path, change) in changes {
        if let Change::Upsert(entry) = change {
            let original = entry.hard_link_to.take().unwrap_or_else(|| path.clone());
            let first = firsts.entry(original).or_insert_with(|| path.clone());
            entry.hard_link_to = (first != path).then(|| first.clone());
        }
    }
}

fn with_digest(path: &TreePath, entry: &Entry, rootfs: &Rootfs) -> Entry {
    let mut entry = entry.clone();
    if let Node::File { digest, .. } = &mut entry.node {
        *digest = Some(digest_of(&mut open_file(rootfs.dir(), path).unwrap()).unwrap());
    }
    entry
}
