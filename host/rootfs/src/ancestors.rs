//! The directories above what changed.
//!
//! A layer that holds `/a/b` holds `/a` too, though it did not change: Docker's storage drivers unpack a layer by
//! itself, and a directory that it lacks becomes one of root's with mode 0755 that hides the real one below. Written
//! with the attributes that the tree has, it says nothing new and is the same everywhere. The root itself is left
//! out: every unpacker has one.

use zoea_model::{Change, Changes, TreePath};

use crate::Baseline;

/// Returns `changes` with the missing directories above them.
pub(crate) fn with_ancestors(changes: &Changes, baseline: &Baseline) -> Changes {
    let mut complete = changes.clone();
    let mut last: Option<TreePath> = None;
    for path in changes.0.keys() {
        let parent = path.parent();
        // Siblings follow each other and have the same ancestors.
        if parent == last {
            continue;
        }
        for ancestor in path.ancestors().filter(|ancestor| !ancestor.is_root()) {
            if !complete.0.contains_key(&ancestor)
                && let Some(entry) = baseline.get(&ancestor)
            {
                complete.0.insert(ancestor, Change::Upsert(entry));
            }
        }
        last = parent;
    }
    complete
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zoea_model::{Attributes, Entry, Node, Timestamp};

    use super::*;
    use crate::{IndexRow, LayerIndex};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn entry(node: Node, mode: u32) -> Entry {
        Entry { node, attributes: Attributes::root_owned(mode, Timestamp::EPOCH), hard_link_to: None }
    }

    #[test]
    fn unchanged_directories_keep_their_attributes() {
        let mut baseline = Baseline::new();
        let directory = entry(Node::Directory, 0o700);
        let rows = ["home", "home/app"].map(|name| (path(name), IndexRow::Entry(directory.clone())));
        baseline.push(LayerIndex::from_rows(BTreeMap::from(rows)));
        let file = Change::Upsert(entry(Node::File { size: 0, digest: None }, 0o644));
        let changes = Changes(BTreeMap::from([
            (path("home/app/a"), file.clone()),
            (path("home/app/b"), Change::Remove),
        ]));
        let complete = with_ancestors(&changes, &baseline);
        let expected = [
            (path("home"), Change::Upsert(directory.clone())),
            (path("home/app"), Change::Upsert(directory)),
            (path("home/app/a"), file),
            (path("home/app/b"), Change::Remove),
        ];
        assert_eq!(complete.0, BTreeMap::from(expected));
    }

    #[test]
    fn what_changed_itself_and_the_root_stay_as_they_are() {
        let changed = Change::Replace(entry(Node::Directory, 0o711));
        let changes = Changes(BTreeMap::from([(path("a"), changed.clone()), (path("a/b"), changed)]));
        assert_eq!(with_ancestors(&changes, &Baseline::new()), changes);
    }
}
