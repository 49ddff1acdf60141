//! What one entry of a tree is: its kind and its logical attributes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, Timestamp, TreePath};

/// The numbers of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceNumber {
    /// The driver's number.
    pub major: u32,
    /// The device's number within its driver.
    pub minor: u32,
}

/// The kind of an entry, with what only this kind has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Node {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The digest of its content, where it is known.
        digest: Option<Digest>,
    },
    /// A directory.
    Directory,
    /// A symbolic link with its target as written.
    Symlink {
        /// Bytes of the target; never resolved by the model.
        target: Vec<u8>,
    },
    /// A character device.
    CharacterDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
    /// A named pipe.
    Fifo,
}

impl Node {
    /// Says whether this is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Directory)
    }
}

/// The logical attributes of one entry: what the image says, whatever the host's disk could store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attributes {
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Permission, set-id and sticky bits: `0..=0o7777`.
    pub mode: u32,
    /// Time of the last modification.
    pub mtime: Timestamp,
    /// Extended attributes that layers keep, by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Attributes {
    /// Makes attributes of root's with `mode` and without extended attributes.
    pub fn root_owned(mode: u32, mtime: Timestamp) -> Self {
        Self { uid: 0, gid: 0, mode, mtime, xattrs: BTreeMap::new() }
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    pub node: Node,
    /// Its attributes. Those of names that are hard links to one file are equal.
    pub attributes: Attributes,
    /// For a second name of a file of the same layer: the first name, in the order of [`TreePath`].
    pub hard_link_to: Option<TreePath>,
}
