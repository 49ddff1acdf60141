//! What a tree looked like before a step: the indexes of its layers, seen through from the top.
//!
//! Only looks things up; the disk is never asked. Invariant: an entry is visible if the topmost layer that says
//! anything about its path or hides one of its ancestors says that it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use zoea_model::{Attributes, Entry, Node, Timestamp, TreePath};

use crate::index::Sight;
use crate::{IndexRow, LayerIndex};

/// The number of a layer in its stack; the lowest is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerNumber(pub(crate) usize);

/// A visible entry and the layer that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) entry: Entry,
    pub(crate) layer: LayerNumber,
}

/// A stack of layer indexes.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    layers: Vec<LayerIndex>,
}

impl Baseline {
    /// Makes the baseline of an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a layer on top.
    pub fn push(&mut self, layer: LayerIndex) {
        self.layers.push(layer);
    }

    /// Returns the entry at `path`, links not followed. The root is always there.
    pub fn get(&self, path: &TreePath) -> Option<Entry> {
        self.locate(path).map(|located| located.entry).or_else(|| path.is_root().then(default_directory))
    }

    /// Returns the entry at `path` and where its content lies; none for a root that no layer has.
    pub(crate) fn locate(&self, path: &TreePath) -> Option<Located> {
        for (number, layer) in self.layers.iter().enumerate().rev() {
            match layer.sight(path) {
                Sight::Row(IndexRow::Entry(entry) | IndexRow::Opaque(entry)) => {
                    return Some(Located { entry, layer: LayerNumber(number) });
                }
                Sight::Row(IndexRow::Whiteout) | Sight::Hidden => return None,
                Sight::Through => {}
            }
        }
        None
    }

    /// Returns the same numbers for all names of one file: its layer, and the place of its first name in it.
    pub(crate) fn file_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        let Located { entry, layer } = self.locate(path)?;
        let position = self.layers.get(layer.0)?.position(entry.hard_link_to.as_ref().unwrap_or(path))?;
        Some((u64::try_from(layer.0).ok()?, u64::try_from(position).ok()?))
    }

    /// Returns how many layers there are.
    pub(crate) fn height(&self) -> usize {
        self.layers.len()
    }

    /// Returns the names in the directory `path`; none if it is no directory.
    pub fn children(&self, path: &TreePath) -> BTreeSet<OsString> {
        let mut present = BTreeSet::new();
        let mut absent = BTreeSet::new();
        for layer in self.layers.iter().rev() {
            for (child, row) in layer.children(path) {
                let Some(name) = child.file_name().map(ToOwned::to_owned) else { continue };
                if present.contains(&name) || absent.contains(&name) {
                    continue;
                }
                match row {
                    IndexRow::Entry(_) | IndexRow::Opaque(_) => present.insert(name),
                    IndexRow::Whiteout => absent.insert(name),
                };
            }
            if layer.hides_below(path) {
                break;
            }
        }
        present
    }

    /// Iterates over all visible entries in order; of the visible names of one file the first is the file and
    /// the others are links to it.
    pub fn entries(&self) -> impl Iterator<Item = (TreePath, Entry)> {
        self.located_entries().into_iter().map(|(path, located)| (path, located.entry))
    }

    /// Returns all visible entries with the layers that hold them; links as in [`Baseline::entries`].
    pub(crate) fn located_entries(&self) -> BTreeMap<TreePath, Located> {
        let mut visible = BTreeMap::new();
        for (number, layer) in self.layers.iter().enumerate() {
            for (path, row) in layer.rows() {
                if row.hides_below() {
                    remove_below(&mut visible, &path);
                }
                match row {
                    IndexRow::Entry(entry) | IndexRow::Opaque(entry) => {
                        visible.insert(path, Located { entry, layer: LayerNumber(number) });
                    }
                    IndexRow::Whiteout => {
                        visible.remove(&path);
                    }
                }
            }
        }
        visible
            .entry(TreePath::root())
            .or_insert_with(|| Located { entry: default_directory(), layer: LayerNumber(0) });
        relink(&mut visible);
        visible
    }
}

/// Returns what a directory is of which no layer says anything.
pub(crate) fn default_directory() -> Entry {
    Entry {
        node: Node::Directory,
        attributes: Attributes::root_owned(0o755, Timestamp::EPOCH),
        hard_link_to: None,
    }
}

fn remove_below(visible: &mut BTreeMap<TreePath, Located>, path: &TreePath) {
    let range = visible.range(path.clone()..).skip_while(|(found, _)| *found == path);
    let gone: Vec<TreePath> =
        range.map(|(found, _)| found).take_while(|found| found.starts_with(path)).cloned().collect();
    for path in gone {
        visible.remove(&path);
    }
}

/// Points every link to the first of its file's names that is still visible.
fn relink(visible: &mut BTreeMap<TreePath, Located>) {
    let mut first_names: BTreeMap<(LayerNumber, TreePath), TreePath> = BTreeMap::new();
    for (path, located) in visible {
        let original = located.entry.hard_link_to.take().unwrap_or_else(|| path.clone());
        let first = first_names.entry((located.layer, original)).or_insert_with(|| path.clone());
        if first != path {
            located.entry.hard_link_to = Some(first.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn file(size: u64) -> Entry {
        Entry { node: Node::File { size, digest: None }, ..default_directory() }
    }

    fn stack(layers: &[&[(&str, IndexRow)]]) -> Baseline {
        let mut baseline = Baseline::new();
        for rows in layers {
            let rows = rows.iter().map(|(name, row)| (path(name), row.clone())).collect();
            baseline.push(LayerIndex::from_rows(rows));
        }
        baseline
    }

    fn names(baseline: &Baseline) -> Vec<String> {
        baseline.entries().map(|(path, _)| path.to_string()).collect()
    }

    fn directory() -> IndexRow {
        IndexRow::Entry(default_directory())
    }

    #[test]
    fn empty_tree_has_a_root() {
        let baseline = Baseline::new();
        assert_eq!(baseline.get(&TreePath::root()), Some(default_directory()));
        assert_eq!(names(&baseline), ["/"]);
    }

    #[test]
    fn whiteouts_and_opaque_directories_hide_lower_layers() {
        let baseline = stack(&[
            &[
                ("a", directory()),
                ("a/x", IndexRow::Entry(file(1))),
                ("b", directory()),
                ("b/x", directory()),
                ("b/x/y", IndexRow::Entry(file(1))),
                ("c", directory()),
                ("c/x", IndexRow::Entry(file(1))),
            ],
            &[
                ("a", IndexRow::Opaque(default_directory())),
                ("a/y", IndexRow::Entry(file(2))),
                ("b/x", IndexRow::Whiteout),
                ("c", IndexRow::Entry(file(3))),
            ],
            &[("b/x", directory()), ("c", directory())],
        ]);
        assert_eq!(names(&baseline), ["/", "/a", "/a/y", "/b", "/b/x", "/c"]);
        for gone in ["a/x", "b/x/y", "c/x"] {
            assert_eq!(baseline.get(&path(gone)), None, "{gone}");
        }
        assert_eq!(baseline.children(&path("a")), BTreeSet::from(["y".into()]));
        assert!(baseline.children(&path("c")).is_empty());
    }

    #[test]
    fn directories_below_an_opaque_one_do_not_merge() {
        let baseline = stack(&[
            &[("b", directory()), ("b/b", directory()), ("b/b/a", directory())],
            &[("b", IndexRow::Opaque(default_directory())), ("b/b", directory())],
        ]);
        assert_eq!(baseline.get(&path("b/b/a")), None);
        assert!(baseline.children(&path("b/b")).is_empty());
        assert_eq!(names(&baseline), ["/", "/b", "/b/b"]);
    }

    #[test]
    fn links_lead_to_the_first_visible_name() {
        let linked = Entry { hard_link_to: Some(path("a")), ..file(1) };
        let baseline = stack(&[
            &[
                ("a", IndexRow::Entry(file(1))),
                ("b", IndexRow::Entry(linked.clone())),
                ("c", IndexRow::Entry(linked)),
            ],
            &[("a", IndexRow::Entry(file(9)))],
        ]);
        let links: Vec<Option<TreePath>> = baseline.entries().map(|(_, entry)| entry.hard_link_to).collect();
        assert_eq!(links, [None, None, None, Some(path("b"))]);
    }

    fn any_row() -> impl Strategy<Value = IndexRow> {
        prop_oneof![
            Just(directory()),
            Just(IndexRow::Opaque(default_directory())),
            Just(IndexRow::Whiteout),
            (0u64..3).prop_map(|size| IndexRow::Entry(file(size))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Look-ups one by one see what the whole listing, which is built the other way round, shows.
        #[test]
        fn look_ups_agree_with_the_listing(
            layers in proptest::collection::vec(
                proptest::collection::btree_map("[ab](/[ab]){0,2}", any_row(), 0..6), 0..4),
            wanted in "[ab](/[ab]){0,2}",
        ) {
            let mut baseline = Baseline::new();
            for rows in layers {
                // A layer never holds entries below what is no directory in itself.
                let rows: BTreeMap<TreePath, IndexRow> =
                    rows.into_iter().map(|(name, row)| (path(&name), row)).collect();
                let kept = rows.iter().filter(|(path, _)| {
                    path.ancestors().all(|above| {
                        rows.get(&above).is_none_or(|row| row.entry().is_some_and(|e| e.node.is_directory()))
                    })
                });
                baseline.push(LayerIndex::from_rows(
                    kept.map(|(path, row)| (path.clone(), row.clone())).collect(),
                ));
            }
            let listed: BTreeMap<TreePath, Entry> = baseline.entries().collect();
            let wanted = path(&wanted);
            prop_assert_eq!(baseline.get(&wanted), listed.get(&wanted).cloned());
            let children: BTreeSet<OsString> = listed.keys()
                .filter(|found| found.parent().as_ref() == Some(&wanted))
                .filter_map(|found| found.file_name().map(ToOwned::to_owned))
                .collect();
            prop_assert_eq!(baseline.children(&wanted), children);
        }
    }
}
