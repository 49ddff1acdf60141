//! The logical entries that differ from the baseline, by path.
//!
//! Owns what the builder's operations made of a tree since the step began: the whole entry of each path they
//! touched, or that it is gone, and which names they linked to one file. Never looks at the disk or at the
//! baseline. Invariant: names of one link group have equal entries.

use std::collections::{BTreeMap, BTreeSet};

use zoea_model::{Attributes, Entry, Node, TreePath};

/// Names of one file that share its attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LinkGroup(u64);

/// What is known of one touched path.
#[derive(Debug)]
enum Slot {
    /// It is gone.
    Removed,
    /// It is this, alone or as one name of a group.
    Present { node: Node, attributes: Attributes, group: Option<LinkGroup> },
}

/// The touched paths with their entries; `None` inside of `Some` stands for a path that is gone.
#[derive(Debug, Default)]
pub(crate) struct AttrTable {
    slots: BTreeMap<TreePath, Slot>,
    groups: BTreeMap<LinkGroup, BTreeSet<TreePath>>,
    made_groups: u64,
}

impl AttrTable {
    /// Returns what `path` is, where the table knows.
    pub(crate) fn get(&self, path: &TreePath) -> Option<Option<Entry>> {
        Some(match self.slots.get(path)? {
            Slot::Removed => None,
            Slot::Present { node, attributes, group } => {
                let first = group.and_then(|group| self.groups.get(&group)?.first());
                Some(Entry {
                    node: node.clone(),
                    attributes: attributes.clone(),
                    hard_link_to: first.filter(|first| *first != path).cloned(),
                })
            }
        })
    }

    /// Notes that `path` now is a new entry of its own.
    pub(crate) fn insert(&mut self, path: &TreePath, node: Node, attributes: Attributes) {
        self.leave_group(path);
        self.slots.insert(path.clone(), Slot::Present { node, attributes, group: None });
    }

    /// Notes that `path` is gone.
    pub(crate) fn remove(&mut self, path: &TreePath) {
        self.leave_group(path);
        self.slots.insert(path.clone(), Slot::Removed);
    }

    /// Notes that `path` now is one more name of `existing`, which is `entry`.
    pub(crate) fn link(&mut self, existing: &TreePath, entry: Entry, path: &TreePath) {
        self.leave_group(path);
        let group = match self.slots.get(existing) {
            Some(Slot::Present { group: Some(group), .. }) => *group,
            Some(Slot::Present { group: None, .. } | Slot::Removed) | None => {
                self.made_groups += 1;
                LinkGroup(self.made_groups)
            }
        };
        for name in [existing, path] {
            let (node, attributes) = (entry.node.clone(), entry.attributes.clone());
            self.slots.insert(name.clone(), Slot::Present { node, attributes, group: Some(group) });
            self.groups.entry(group).or_default().insert(name.clone());
        }
    }

    /// Gives `path`, which is `node`, and all names linked to it other attributes; returns all these names.
    pub(crate) fn set_attributes(
        &mut self,
        path: &TreePath,
        node: Node,
        attributes: &Attributes,
    ) -> BTreeSet<TreePath> {
        let names = match self.slots.get(path) {
            Some(Slot::Present { group: Some(group), .. }) => self.groups.get(group).cloned(),
            Some(Slot::Present { group: None, .. } | Slot::Removed) | None => None,
        };
        let names = names.unwrap_or_else(|| BTreeSet::from([path.clone()]));
        for name in &names {
            let group = match self.slots.get(name) {
                Some(Slot::Present { group, .. }) => *group,
                Some(Slot::Removed) | None => None,
            };
            let (node, attributes) = (node.clone(), attributes.clone());
            self.slots.insert(name.clone(), Slot::Present { node, attributes, group });
        }
        names
    }

    /// Iterates over what lies below `directory`, at any depth, with whether it is still there.
    pub(crate) fn below<'a>(
        &'a self,
        directory: &'a TreePath,
    ) -> impl Iterator<Item = (&'a TreePath, Presence)> {
        let rows = self.slots.range(directory.clone()..);
        let inside = rows.take_while(|(path, _)| path.starts_with(directory));
        inside.filter(move |(path, _)| *path != directory).map(|(path, slot)| match slot {
            Slot::Removed => (path, Presence::Gone),
            Slot::Present { .. } => (path, Presence::Here),
        })
    }

    fn leave_group(&mut self, path: &TreePath) {
        let Some(Slot::Present { group: left, .. }) = self.slots.get_mut(path) else { return };
        let Some(group) = left.take() else { return };
        let Some(names) = self.groups.get_mut(&group) else { return };
        names.remove(path);
        if names.len() > 1 {
            return;
        }
        for last in self.groups.remove(&group).unwrap_or_default() {
            if let Some(Slot::Present { group, .. }) = self.slots.get_mut(&last) {
                *group = None;
            }
        }
    }
}

/// Whether a path that the table knows is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is there.
    Here,
    /// It was removed.
    Gone,
}

#[cfg(test)]
mod tests {
    use zoea_model::Timestamp;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn file(size: u64) -> Entry {
        Entry {
            node: Node::File { size, digest: None },
            attributes: Attributes::root_owned(0o644, Timestamp::EPOCH),
            hard_link_to: None,
        }
    }

    #[test]
    fn names_of_one_file_change_together_until_they_leave() {
        let mut table = AttrTable::default();
        table.link(&path("b"), file(1), &path("c"));
        table.link(&path("c"), file(1), &path("a"));
        assert_eq!(table.get(&path("a")).unwrap().unwrap().hard_link_to, None);
        assert_eq!(table.get(&path("c")).unwrap().unwrap().hard_link_to, Some(path("a")));

        let names =
            table.set_attributes(&path("c"), file(1).node, &Attributes::root_owned(0o600, Timestamp::EPOCH));
        assert_eq!(names.len(), 3);
        assert_eq!(table.get(&path("b")).unwrap().unwrap().attributes.mode, 0o600);

        table.remove(&path("a"));
        assert_eq!(table.get(&path("a")), Some(None));
        assert_eq!(table.get(&path("c")).unwrap().unwrap().hard_link_to, Some(path("b")));
        table.insert(&path("b"), file(2).node, file(2).attributes);
        assert_eq!(table.get(&path("c")).unwrap().unwrap().hard_link_to, None);
        assert!(table.groups.is_empty());
    }

    #[test]
    fn lists_only_what_lies_below() {
        let mut table = AttrTable::default();
        for name in ["d", "d/a", "d/a/b", "d-e"] {
            table.insert(&path(name), Node::Directory, file(0).attributes);
        }
        table.remove(&path("d/a/b"));
        let directory = path("d");
        let below: Vec<_> = table.below(&directory).map(|(path, here)| (path.to_string(), here)).collect();
        assert_eq!(below, [("/d/a".into(), Presence::Here), ("/d/a/b".into(), Presence::Gone)]);
    }
}
