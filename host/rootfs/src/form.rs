//! In which form layers lie on this disk, and which attributes the disk is asked to keep in it.
//!
//! Decides only; system calls are made elsewhere. Layers of different forms never share a directory of the
//! store, because each form asks the disk for other things.

use zoea_model::{Attributes, Node};

/// The form of unpacked layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lower directories of an overlay, every owner stored.
    Overlay,
    /// Lower directories of an overlay where only one owner can be stored: a user namespace with one id.
    OverlayOfOneOwner,
    /// Content to copy from; nothing but the index says what it hides.
    Plain,
}

/// Whether the disk has the owner that an entry has logically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owned {
    Yes,
    No,
}

/// Bits that make a program run as its owner or group.
const SET_ID_BITS: u32 = 0o6000;

impl Form {
    /// Returns the name of the form's directory in the store.
    pub(crate) fn directory(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::OverlayOfOneOwner => "overlay-of-one-owner",
            Self::Plain => "plain",
        }
    }

    /// Says whether the disk must say what a layer hides.
    pub(crate) fn hides_on_disk(self) -> bool {
        match self {
            Self::Overlay | Self::OverlayOfOneOwner => true,
            Self::Plain => false,
        }
    }

    /// Returns the permission bits for the disk.
    ///
    /// A program whose owner could not be stored must not run as the builder's user. In the plain form the
    /// builder has no rights but its user's, so it must stay able to read, enter and remove everything.
    pub(crate) fn disk_mode(self, node: &Node, attributes: &Attributes, owned: Owned) -> u32 {
        let mode = attributes.mode & 0o7777;
        match (self, owned) {
            (Self::Overlay | Self::OverlayOfOneOwner, Owned::Yes) => mode,
            (Self::Overlay | Self::OverlayOfOneOwner, Owned::No) => mode & !SET_ID_BITS,
            (Self::Plain, Owned::Yes | Owned::No) if node.is_directory() => (mode & !SET_ID_BITS) | 0o700,
            (Self::Plain, Owned::Yes | Owned::No) => (mode & !SET_ID_BITS) | 0o600,
        }
    }
}

#[cfg(test)]
mod tests {
    use zoea_model::Timestamp;

    use super::*;

    #[test]
    fn set_id_bits_need_their_owner() {
        let file = Node::File { size: 0, digest: None };
        let attributes = Attributes::root_owned(0o4555, Timestamp::EPOCH);
        assert_eq!(Form::Overlay.disk_mode(&file, &attributes, Owned::Yes), 0o4555);
        assert_eq!(Form::OverlayOfOneOwner.disk_mode(&file, &attributes, Owned::No), 0o555);
        assert_eq!(Form::Plain.disk_mode(&file, &attributes, Owned::Yes), 0o755);
        let closed = Attributes::root_owned(0, Timestamp::EPOCH);
        assert_eq!(Form::Plain.disk_mode(&Node::Directory, &closed, Owned::No), 0o700);
    }
}
