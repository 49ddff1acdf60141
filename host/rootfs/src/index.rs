//! The index of one layer: its entries with their logical attributes, and what it hides.
//!
//! Owns the stored form and the search in it; reads and writes no files. The bytes are shared by all clones and
//! are searched without decoding more than is asked for. Invariant: rows are sorted by [`TreePath`], each path
//! once, and every row was decoded once when the bytes came from outside.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use zoea_model::{Entry, TreePath};

use crate::RootfsError;
use crate::index_record::{decode, encode, is_well_formed};

/// First bytes of every index; the digit is the version of the form.
const MAGIC: &[u8; 16] = b"zoea-layer-ind-1";

/// What a layer says about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRow {
    /// The path is this entry; a directory shows what lower layers have below it.
    Entry(Entry),
    /// The path is this directory and hides all that lower layers have below it.
    Opaque(Entry),
    /// The path, and all that lower layers have below it, is gone.
    Whiteout,
}

impl IndexRow {
    /// Returns the entry, unless this is a whiteout.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Entry(entry) | Self::Opaque(entry) => Some(entry),
            Self::Whiteout => None,
        }
    }

    /// Says whether what lower layers have *below* the path is out of sight.
    pub(crate) fn hides_below(&self) -> bool {
        match self {
            Self::Entry(entry) => !entry.node.is_directory(),
            Self::Opaque(_) | Self::Whiteout => true,
        }
    }
}

/// What one layer shows at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// This row.
    Row(IndexRow),
    /// Nothing, and lower layers are out of sight.
    Hidden,
    /// Nothing: lower layers decide.
    Through,
}

/// The sorted rows of one layer.
///
/// Form: 16 bytes of magic, the number of rows, that many offsets and the end (all `u64`, little-endian,
/// relative to the first row), then the rows: length of the path (`u32`), path, record (postcard).
#[derive(Clone)]
pub struct LayerIndex {
    bytes: Arc<Vec<u8>>,
    count: usize,
}

impl LayerIndex {
    /// Makes an index of rows.
    pub fn from_rows(rows: BTreeMap<TreePath, IndexRow>) -> Self {
        let mut records = Vec::new();
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        for (path, row) in &rows {
            offsets.push(records.len() as u64);
            let name = path.as_bytes();
            let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
            records.extend_from_slice(&length.to_le_bytes());
            records.extend_from_slice(name);
            encode(row, &mut records);
        }
        offsets.push(records.len() as u64);
        let mut bytes = Vec::with_capacity(MAGIC.len() + 8 * (offsets.len() + 1) + records.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(rows.len() as u64).to_le_bytes());
        for offset in offsets {
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&records);
        Self { bytes: Arc::new(bytes), count: rows.len() }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RootfsError::Index`] unless every row is well-formed and in its place.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RootfsError> {
        let invalid = |reason| RootfsError::Index { reason };
        if bytes.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(invalid("it is no index of this version"));
        }
        let count = read_u64(&bytes, MAGIC.len()).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count < bytes.len()).ok_or(invalid("it is cut short"))?;
        let index = Self { bytes: Arc::new(bytes), count };
        let mut previous: Option<&[u8]> = None;
        for position in 0..count {
            let (path, record) = index.raw(position).ok_or(invalid("a row lies outside of it"))?;
            if previous.is_some_and(|previous| compare(previous, path) != Ordering::Less) {
                return Err(invalid("its rows are not sorted"));
            }
            if TreePath::new(path).map(|parsed| parsed.as_bytes() != path).unwrap_or(true) {
                return Err(invalid("a row has a path that is not normal"));
            }
            if !is_well_formed(record) {
                return Err(invalid("a row is not well-formed"));
            }
            previous = Some(path);
        }
        Ok(index)
    }

    /// Returns the stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Says whether the layer holds nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the row of exactly `path`.
    pub fn get(&self, path: &TreePath) -> Option<IndexRow> {
        self.row(self.position(path)?)
    }

    /// Returns the number of the row of exactly `path`.
    pub(crate) fn position(&self, path: &TreePath) -> Option<usize> {
        let position = self.lower_bound(path);
        (self.raw(position)?.0 == path.as_bytes()).then_some(position)
    }

    /// Iterates over all rows in order.
    pub fn rows(&self) -> impl Iterator<Item = (TreePath, IndexRow)> + '_ {
        self.range(0, self.count)
    }

    /// Iterates over the rows of `path` and of all below it, in order.
    pub fn below(&self, path: &TreePath) -> impl Iterator<Item = (TreePath, IndexRow)> + '_ {
        let start = self.lower_bound(path);
        self.range(start, self.end_of(path, start))
    }

    /// Iterates over the rows whose parent is exactly `path`.
    pub(crate) fn children(&self, path: &TreePath) -> impl Iterator<Item = (TreePath, IndexRow)> + '_ {
        let start = self.lower_bound(path);
        let end = self.end_of(path, start);
        let depth = path.components().count() + 1;
        let mut position = start;
        std::iter::from_fn(move || {
            while position < end {
                let here = position;
                let (path, row) = self.path(here).zip(self.row(here))?;
                position += 1;
                let found = path.components().count();
                if found == depth {
                    return Some((path, row));
                }
                if found > depth {
                    // A child without a row of its own, seen through one of its descendants: over all of it.
                    let mut child = path;
                    for _ in depth..found {
                        child = child.parent().unwrap_or_default();
                    }
                    position = self.end_of(&child, here);
                }
            }
            None
        })
    }

    /// Says what this layer shows at `path`.
    pub(crate) fn sight(&self, path: &TreePath) -> Sight {
        let position = self.lower_bound(path);
        if let Some((found, _)) = self.raw(position)
            && found == path.as_bytes()
        {
            return self.row(position).map_or(Sight::Through, Sight::Row);
        }
        if self.hides_from(path.parent(), position) { Sight::Hidden } else { Sight::Through }
    }

    /// Says whether what lower layers have below `path` is out of sight.
    pub(crate) fn hides_below(&self, path: &TreePath) -> bool {
        let behind = self.position(path).map_or_else(|| self.lower_bound(path), |position| position + 1);
        self.hides_from(Some(path.clone()), behind)
    }

    /// Says whether a row at or above `path` hides what is below it; such rows stand before `position`.
    fn hides_from(&self, mut path: Option<TreePath>, position: usize) -> bool {
        // All rows between an ancestor and its descendant lie below that ancestor, so only ancestors of the row
        // before can have rows of their own; and the root, which is above everything.
        let before = position.checked_sub(1).and_then(|before| self.path(before)).unwrap_or_default();
        while let Some(above) = path {
            if (before.starts_with(&above) || above.is_root())
                && self.get(&above).is_some_and(|row| row.hides_below())
            {
                return true;
            }
            path = above.parent();
        }
        false
    }

    fn range(&self, start: usize, end: usize) -> impl Iterator<Item = (TreePath, IndexRow)> + '_ {
        (start..end).filter_map(|position| self.path(position).zip(self.row(position)))
    }

    /// Returns the position of the first row that is `path` or after it.
    fn lower_bound(&self, path: &TreePath) -> usize {
        self.partition(0, |found| compare(found, path.as_bytes()) == Ordering::Less)
    }

    /// Returns the position behind the rows at and below `path`, which begin at `start`.
    fn end_of(&self, path: &TreePath, start: usize) -> usize {
        self.partition(start, |found| is_at_or_below(found, path.as_bytes()))
    }

    fn partition(&self, start: usize, holds: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (start, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.raw(middle).is_some_and(|(path, _)| holds(path)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn path(&self, position: usize) -> Option<TreePath> {
        TreePath::new(self.raw(position)?.0).ok()
    }

    fn row(&self, position: usize) -> Option<IndexRow> {
        decode(self.raw(position)?.1)
    }

    /// Returns the path and the record at `position`.
    fn raw(&self, position: usize) -> Option<(&[u8], &[u8])> {
        if position >= self.count {
            return None;
        }
        let table = MAGIC.len() + 8;
        let records = table + 8 * (self.count + 1);
        let start = usize::try_from(read_u64(&self.bytes, table + 8 * position)?).ok()?;
        let end = usize::try_from(read_u64(&self.bytes, table + 8 * (position + 1))?).ok()?;
        let row = self.bytes.get(records.checked_add(start)?..records.checked_add(end)?)?;
        let (length, rest) = row.split_first_chunk::<4>()?;
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
    }
}

impl std::fmt::Debug for LayerIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerIndex").field("rows", &self.count).finish_non_exhaustive()
    }
}

impl PartialEq for LayerIndex {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for LayerIndex {}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Orders raw paths as [`TreePath`] does: as if the slash were the lowest byte, which NUL bytes cannot contest.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    match left.iter().zip(right).find(|(left, right)| left != right) {
        Some((left, right)) => rank(left).cmp(&rank(right)),
        None => left.len().cmp(&right.len()),
    }
}

fn is_at_or_below(path: &[u8], directory: &[u8]) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => directory.is_empty() || rest.is_empty() || rest.starts_with(b"/"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zoea_model::{Attributes, DeviceNumber, Digest, Node, Timestamp};

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn entry(node: Node) -> Entry {
        let mut attributes = Attributes::root_owned(0o4755, Timestamp { seconds: -5, nanoseconds: 7 });
        attributes.xattrs.insert(b"user.a".to_vec(), vec![0, 255]);
        Entry { node, attributes, hard_link_to: None }
    }

    fn sample() -> BTreeMap<TreePath, IndexRow> {
        let file = Node::File { size: 5, digest: Some(Digest::of(b"hello")) };
        let mut linked = entry(file.clone());
        linked.hard_link_to = Some(path("a/b"));
        BTreeMap::from([
            (path("a"), IndexRow::Opaque(entry(Node::Directory))),
            (path("a/b"), IndexRow::Entry(entry(file))),
            (path("a/c/d/e"), IndexRow::Whiteout),
            (path("a/c/f"), IndexRow::Entry(entry(Node::Fifo))),
            (path("a/g"), IndexRow::Entry(entry(Node::Symlink { target: b"../x\xff".to_vec() }))),
            (path("a-b"), IndexRow::Entry(linked)),
            (
                path("null"),
                IndexRow::Entry(entry(Node::CharacterDevice(DeviceNumber { major: 1, minor: 3 }))),
            ),
            (path("z"), IndexRow::Whiteout),
        ])
    }

    #[test]
    fn stored_form_round_trips() {
        let rows = sample();
        let index = LayerIndex::parse(LayerIndex::from_rows(rows.clone()).as_bytes().to_vec()).unwrap();
        assert_eq!(index.rows().collect::<BTreeMap<_, _>>(), rows);
        for (path, row) in rows {
            assert_eq!(index.get(&path), Some(row));
        }
        assert_eq!(index.get(&path("a/c")), None);
        assert_eq!(index.get(&path("zz")), None);
    }

    #[test]
    fn selects_children_and_descendants() {
        let index = LayerIndex::from_rows(sample());
        let below: Vec<String> = index.below(&path("a/c")).map(|(path, _)| path.to_string()).collect();
        assert_eq!(below, ["/a/c/d/e", "/a/c/f"]);
        let children = |of: &str| -> Vec<String> {
            index.children(&path(of)).map(|(path, _)| path.to_string()).collect()
        };
        assert_eq!(children("/"), ["/a", "/a-b", "/null", "/z"]);
        assert_eq!(children("a"), ["/a/b", "/a/g"]);
        assert_eq!(children("a/c"), ["/a/c/f"]);
        assert!(children("q").is_empty());
    }

    #[test]
    fn says_what_hides_lower_layers() {
        let index = LayerIndex::from_rows(sample());
        assert_eq!(index.sight(&path("a/x/y")), Sight::Hidden);
        assert_eq!(index.sight(&path("a-b/x")), Sight::Hidden);
        assert_eq!(index.sight(&path("z/x")), Sight::Hidden);
        assert_eq!(index.sight(&path("z")), Sight::Row(IndexRow::Whiteout));
        assert_eq!(index.sight(&path("b/x")), Sight::Through);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let good = LayerIndex::from_rows(sample()).as_bytes().to_vec();
        for cut in 0..good.len() {
            assert!(LayerIndex::parse(good[..cut].to_vec()).is_err(), "{cut}");
        }
        let mut huge = good.clone();
        huge[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(LayerIndex::parse(huge).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_byte_neither_panics_nor_breaks_the_order(at in 0usize..400, value: u8) {
            let mut bytes = LayerIndex::from_rows(sample()).as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(index) = LayerIndex::parse(bytes) {
                prop_assert_eq!(index.rows().count(), index.len());
            }
        }

        #[test]
        fn raw_order_is_the_order_of_paths(left in "[a./-]{0,6}", right in "[a./-]{0,6}") {
            if let (Ok(left), Ok(right)) = (TreePath::new(left), TreePath::new(right)) {
                prop_assert_eq!(compare(left.as_bytes(), right.as_bytes()), left.cmp(&right));
            }
        }
    }
}
