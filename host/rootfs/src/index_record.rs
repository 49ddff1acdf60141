//! How one row of an index is stored.
//!
//! Translates between [`IndexRow`] and postcard records that borrow from the stored bytes; knows nothing of
//! paths, order or files. The records are a form of their own, so that the model may change without it.

use serde::{Deserialize, Serialize};
use zoea_model::{Attributes, DeviceNumber, Digest, Entry, Node, Timestamp, TreePath};

use crate::IndexRow;

#[derive(Serialize, Deserialize)]
enum Record<'a> {
    Entry(#[serde(borrow)] EntryRecord<'a>),
    Opaque(#[serde(borrow)] EntryRecord<'a>),
    Whiteout,
}

#[derive(Serialize, Deserialize)]
struct EntryRecord<'a> {
    #[serde(borrow)]
    node: NodeRecord<'a>,
    uid: u32,
    gid: u32,
    mode: u32,
    seconds: i64,
    nanoseconds: u32,
    #[serde(borrow)]
    xattrs: Vec<(&'a [u8], &'a [u8])>,
    #[serde(borrow)]
    hard_link_to: Option<&'a [u8]>,
}

#[derive(Serialize, Deserialize)]
enum NodeRecord<'a> {
    File { size: u64, digest: Option<[u8; 32]> },
    Directory,
    Symlink(#[serde(borrow)] &'a [u8]),
    CharacterDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// Appends the record of `row` to `bytes`.
pub(crate) fn encode(row: &IndexRow, bytes: &mut Vec<u8>) {
    let record = match row {
        IndexRow::Entry(entry) => Record::Entry(entry.into()),
        IndexRow::Opaque(entry) => Record::Opaque(entry.into()),
        IndexRow::Whiteout => Record::Whiteout,
    };
    // Memory is the only thing that this serializer can run out of, and a vector grows.
    if let Ok(encoded) = postcard::to_extend(&record, std::mem::take(bytes)) {
        *bytes = encoded;
    }
}

/// Reads a record; none if it is not well-formed.
pub(crate) fn decode(bytes: &[u8]) -> Option<IndexRow> {
    let (record, rest) = postcard::take_from_bytes::<Record<'_>>(bytes).ok()?;
    if !rest.is_empty() {
        return None;
    }
    Some(match record {
        Record::Entry(entry) => IndexRow::Entry(entry.into_entry()?),
        Record::Opaque(entry) => IndexRow::Opaque(entry.into_entry()?),
        Record::Whiteout => IndexRow::Whiteout,
    })
}

/// Says whether [`decode`] reads `bytes`.
pub(crate) fn is_well_formed(bytes: &[u8]) -> bool {
    decode(bytes).is_some()
}

impl<'a> From<&'a Entry> for EntryRecord<'a> {
    fn from(entry: &'a Entry) -> Self {
        let attributes = &entry.attributes;
        let node = match &entry.node {
            Node::File { size, digest } => {
                NodeRecord::File { size: *size, digest: digest.map(|digest| *digest.as_bytes()) }
            }
            Node::Directory => NodeRecord::Directory,
            Node::Symlink { target } => NodeRecord::Symlink(target),
            Node::CharacterDevice(number) => NodeRecord::CharacterDevice(number.major, number.minor),
            Node::BlockDevice(number) => NodeRecord::BlockDevice(number.major, number.minor),
            Node::Fifo => NodeRecord::Fifo,
        };
        Self {
            node,
            uid: attributes.uid,
            gid: attributes.gid,
            mode: attributes.mode,
            seconds: attributes.mtime.seconds,
            nanoseconds: attributes.mtime.nanoseconds,
            xattrs: attributes.xattrs.iter().map(|(name, value)| (&**name, &**value)).collect(),
            hard_link_to: entry.hard_link_to.as_ref().map(TreePath::as_bytes),
        }
    }
}

impl EntryRecord<'_> {
    fn into_entry(self) -> Option<Entry> {
        let node = match self.node {
            NodeRecord::File { size, digest } => Node::File { size, digest: digest.map(Digest::from_bytes) },
            NodeRecord::Directory => Node::Directory,
            NodeRecord::Symlink(target) => Node::Symlink { target: target.to_vec() },
            NodeRecord::CharacterDevice(major, minor) => Node::CharacterDevice(DeviceNumber { major, minor }),
            NodeRecord::BlockDevice(major, minor) => Node::BlockDevice(DeviceNumber { major, minor }),
            NodeRecord::Fifo => Node::Fifo,
        };
        let attributes = Attributes {
            uid: self.uid,
            gid: self.gid,
            mode: self.mode,
            mtime: Timestamp { seconds: self.seconds, nanoseconds: self.nanoseconds },
            xattrs: self.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        };
        let hard_link_to = match self.hard_link_to {
            Some(path) => Some(TreePath::new(path).ok()?),
            None => None,
        };
        Some(Entry { node, attributes, hard_link_to })
    }
}
