//! One layer on its way to the disk: each member of the archive placed, in the layer's own directory.
//!
//! Owns what a name in a layer means: whiteouts, links, what replaces what. Reads no lower layer (`settle` does)
//! and knows no archive format beyond [`Member`]. Invariants: the disk is reached only through directories that
//! this layer made itself, so no name and no link leads outside; directories get their attributes last.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use zoea_model::{Attributes, DeviceNumber, Node, TreePath};

use crate::content::ContentBuffer;
use crate::error::invalid;
use crate::form::Form;
use crate::layer_disk as disk;
use crate::layer_names::{LayerNames, Slot};
use crate::removal::remove_tree;
use crate::resolve::LastLink;
use crate::tar_reader::{Member, MemberKind};
use crate::xattr::is_kept;

/// Prefix of the names that stand for something hidden (OCI image specification, `layer.md`, "Whiteouts").
pub(crate) const WHITEOUT_PREFIX: &[u8] = b".wh.";

/// The name that makes its directory opaque.
pub(crate) const OPAQUE_NAME: &[u8] = b".wh..wh..opq";

/// Prefix of names that the aufs storage driver kept for itself.
const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// The longest path that the kernel takes, without the NUL byte at its end (`PATH_MAX`).
const MAX_PATH: usize = 4095;

/// Most directories above a name. Far more than package managers nest; what is asked of every directory about those
/// above it grows with the third power of the depth, and a layer may be made to cost that.
const MAX_DEPTH: usize = 256;

/// Largest extended attributes of the kernel (`XATTR_NAME_MAX`, `XATTR_SIZE_MAX`).
const MAX_XATTR_NAME: usize = 255;
const MAX_XATTR_VALUE: usize = 65_536;

/// What a name in a layer stands for.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Entry(TreePath),
    Hidden(TreePath),
    Opaque(TreePath),
    /// Another program's own notes.
    Nothing,
}

/// A layer that is being unpacked.
#[derive(Debug)]
pub(crate) struct LayerTree {
    pub(crate) dir: Dir,
    pub(crate) form: Form,
    pub(crate) names: LayerNames,
    place: Option<Place>,
    buffer: ContentBuffer,
}

/// The directory that the last member was put into, so that its neighbours find it open.
#[derive(Debug)]
struct Place {
    as_written: TreePath,
    resolved: TreePath,
    opened: OwnedFd,
}

impl LayerTree {
    /// Unpacks into the empty directory `dir`.
    pub(crate) fn new(dir: Dir, form: Form) -> Self {
        Self { dir, form, names: LayerNames::default(), place: None, buffer: ContentBuffer::new() }
    }

    /// Places one member, whose content is read from `content`.
    ///
    /// # Errors
    /// Refuses names that leave the tree or lie below something that is no directory, and reports what the disk
    /// refused.
    pub(crate) fn place(&mut self, member: Member, content: &mut impl Read) -> io::Result<()> {
        match meaning(&member.path)? {
            Meaning::Nothing => Ok(()),
            Meaning::Hidden(path) => {
                let path = self.names.resolve(&path, LastLink::Kept)?;
                self.names.hidden.insert(path);
                Ok(())
            }
            Meaning::Opaque(path) => {
                let path = self.names.resolve(&path, LastLink::Followed)?;
                self.names.opaque.insert(path);
                Ok(())
            }
            Meaning::Entry(path) => self.place_entry(&path, member, content),
        }
    }

    fn place_entry(&mut self, path: &TreePath, member: Member, content: &mut impl Read) -> io::Result<()> {
        let Member { kind, attributes, .. } = member;
        let attributes = kept(attributes)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            if kind != MemberKind::Directory {
                return Err(invalid("the root of a tree is a directory"));
            }
            return self.note(TreePath::root(), Node::Directory, attributes);
        };
        let place = self.enter(&parent)?;
        let path = place.resolved.join(name.as_bytes()).map_err(|error| invalid(error.to_string()))?;
        let result = match kind {
            MemberKind::Directory => self.place_directory(&place, path, attributes),
            MemberKind::File { .. } => self.place_file(&place, path, attributes, content),
            MemberKind::HardLink { target } => self.place_hard_link(&place, path, &target),
            MemberKind::Symlink { target } => {
                check_target(&target)?;
                self.place_special(&place, path, Node::Symlink { target }, attributes)
            }
            // How an overlay spells a whiteout; some tools pack its directories as they are.
            MemberKind::CharacterDevice(DeviceNumber { major: 0, minor: 0 }) => {
                self.names.hidden.insert(path);
                Ok(())
            }
            MemberKind::CharacterDevice(number) => {
                self.place_special(&place, path, Node::CharacterDevice(number), attributes)
            }
            MemberKind::BlockDevice(number) => {
                self.place_special(&place, path, Node::BlockDevice(number), attributes)
            }
            MemberKind::Fifo => self.place_special(&place, path, Node::Fifo, attributes),
        };
        self.place = Some(place);
        result
    }

    fn place_directory(&mut self, place: &Place, path: TreePath, attributes: Attributes) -> io::Result<()> {
        if !self.names.slots.get(&path).is_some_and(Slot::is_directory) {
            self.clear(place, &path)?;
            disk::create_directory(&place.opened, name_of(&path))?;
        }
        self.note(path, Node::Directory, attributes)
    }

    fn place_file(
        &mut self,
        place: &Place,
        path: TreePath,
        attributes: Attributes,
        content: &mut impl Read,
    ) -> io::Result<()> {
        self.clear(place, &path)?;
        let mut file = disk::create_file(&place.opened, name_of(&path))?;
        let (digest, size) = self.buffer.copy(content, &mut file)?;
        let node = Node::File { size, digest: Some(digest) };
        disk::keep(&file, &node, &attributes, self.form)?;
        self.note(path, node, attributes)
    }

    fn place_special(
        &mut self,
        place: &Place,
        path: TreePath,
        node: Node,
        attributes: Attributes,
    ) -> io::Result<()> {
        self.clear(place, &path)?;
        disk::create_special(&place.opened, name_of(&path), &node)?;
        disk::keep_special(&place.opened, name_of(&path), &node, &attributes, self.form)?;
        self.note(path, node, attributes)
    }

    fn place_hard_link(&mut self, place: &Place, path: TreePath, target: &[u8]) -> io::Result<()> {
        let target = match meaning(target)? {
            Meaning::Entry(target) => self.names.resolve(&target, LastLink::Kept)?,
            Meaning::Hidden(_) | Meaning::Opaque(_) | Meaning::Nothing => {
                return Err(invalid("it is a hard link to a whiteout"));
            }
        };
        if target == path && self.names.slots.contains_key(&path) {
            return Ok(());
        }
        self.clear(place, &path)?;
        let slot = match self.names.slots.get(&target) {
            Some(slot) if slot.is_directory() => {
                return Err(invalid("it is a hard link to a directory"));
            }
            Some(slot @ Slot::Made { .. }) => {
                let (directory, name) = disk::open_parent(&self.dir, &target)?;
                rustix::fs::linkat(&directory, name, &place.opened, name_of(&path), AtFlags::empty())?;
                slot.clone()
            }
            Some(slot @ (Slot::Pending { .. } | Slot::Implied)) => slot.clone(),
            None => Slot::Pending { target },
        };
        self.names.slots.insert(path, slot);
        Ok(())
    }

    /// Opens the directory that `parent` leads to in this layer, made if need be.
    fn enter(&mut self, parent: &TreePath) -> io::Result<Place> {
        if let Some(place) = self.place.take()
            && place.as_written == *parent
        {
            return Ok(place);
        }
        let resolved = self.names.resolve(parent, LastLink::Followed)?;
        let opened = self.make_directories(&resolved)?;
        Ok(Place { as_written: parent.clone(), resolved, opened })
    }

    /// Makes what is missing of the directory `path`, which has no link in it, and opens it.
    pub(crate) fn make_directories(&mut self, path: &TreePath) -> io::Result<OwnedFd> {
        check_name(path)?;
        for directory in path.ancestors().skip(1).chain((!path.is_root()).then(|| path.clone())) {
            match self.names.slots.get(&directory) {
                Some(slot) if slot.is_directory() => {}
                Some(_) => return Err(invalid(format!("`{directory}` is no directory"))),
                None => {
                    let (parent, name) = disk::open_parent(&self.dir, &directory)?;
                    disk::create_directory(&parent, name)?;
                    self.names.slots.insert(directory, Slot::Implied);
                }
            }
        }
        disk::open_directory(&self.dir, path)
    }

    /// Removes what this layer has at `path` so far.
    fn clear(&mut self, place: &Place, path: &TreePath) -> io::Result<()> {
        match self.names.slots.get(path) {
            None => Ok(()),
            Some(Slot::Pending { .. }) => {
                self.names.slots.remove(path);
                Ok(())
            }
            Some(Slot::Made { .. } | Slot::Implied) => {
                remove_tree(&place.opened, name_of(path))?;
                self.names.forget(path);
                Ok(())
            }
        }
    }

    fn note(&mut self, path: TreePath, node: Node, attributes: Attributes) -> io::Result<()> {
        check_name(&path)?;
        let file = self.names.new_file();
        self.names.slots.insert(path, Slot::Made { node, attributes, file });
        Ok(())
    }
}

fn check_name(path: &TreePath) -> io::Result<()> {
    if path.as_bytes().len() > MAX_PATH {
        return Err(invalid(format!("its name is longer than {MAX_PATH} bytes")));
    }
    if path.components().count() > MAX_DEPTH {
        return Err(invalid(format!("it lies below more than {MAX_DEPTH} directories")));
    }
    Ok(())
}

fn name_of(path: &TreePath) -> &OsStr {
    path.file_name().unwrap_or(OsStr::new("."))
}

/// Says what a name in a layer stands for.
fn meaning(written: &[u8]) -> io::Result<Meaning> {
    let path = TreePath::new(written).map_err(|error| invalid(error.to_string()))?;
    let names: Vec<&[u8]> = path.components().map(OsStr::as_bytes).collect();
    let Some((last, above)) = names.split_last() else { return Ok(Meaning::Entry(path)) };
    if above.iter().any(|name| name.starts_with(AUFS_PREFIX)) {
        return Ok(Meaning::Nothing);
    }
    if above.iter().any(|name| name.starts_with(WHITEOUT_PREFIX)) {
        return Err(invalid("it lies below a whiteout"));
    }
    let parent = path.parent().unwrap_or_default();
    if *last == OPAQUE_NAME {
        return Ok(Meaning::Opaque(parent));
    }
    if last.starts_with(AUFS_PREFIX) {
        return Ok(Meaning::Nothing);
    }
    match last.strip_prefix(WHITEOUT_PREFIX) {
        None => Ok(Meaning::Entry(path)),
        Some(b"" | b"." | b"..") => Err(invalid("it is a whiteout of no name")),
        Some(name) => parent.join(name).map(Meaning::Hidden).map_err(|error| invalid(error.to_string())),
    }
}

/// Keeps the extended attributes that layers keep.
fn kept(mut attributes: Attributes) -> io::Result<Attributes> {
    attributes.xattrs.retain(|name, _| is_kept(name));
    for (name, value) in &attributes.xattrs {
        if name.len() > MAX_XATTR_NAME || name.contains(&0) {
            return Err(invalid("an extended attribute has an invalid name"));
        }
        if value.len() > MAX_XATTR_VALUE {
            return Err(invalid(format!("an extended attribute is larger than {MAX_XATTR_VALUE} bytes")));
        }
    }
    Ok(attributes)
}

fn check_target(target: &[u8]) -> io::Result<()> {
    if target.is_empty() || target.len() > MAX_PATH || target.contains(&0) {
        return Err(invalid("it is a symbolic link with an invalid target"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_entries_whiteouts_or_nothing() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let ok = |name: &[u8]| meaning(name).unwrap();
        assert_eq!(ok(b"./a//b/"), Meaning::Entry(path("a/b")));
        assert_eq!(ok(b"/etc/passwd"), Meaning::Entry(path("etc/passwd")));
        assert_eq!(ok(b"./"), Meaning::Entry(TreePath::root()));
        assert_eq!(ok(b"a/.wh.b"), Meaning::Hidden(path("a/b")));
        assert_eq!(ok(b".wh.a/"), Meaning::Hidden(path("a")));
        assert_eq!(ok(b"a/.wh..wh..opq"), Meaning::Opaque(path("a")));
        assert_eq!(ok(b".wh..wh..opq"), Meaning::Opaque(TreePath::root()));
        assert_eq!(ok(b".wh..wh.plnk/1.2"), Meaning::Nothing);
        assert_eq!(ok(b".wh..wh.aufs"), Meaning::Nothing);
        for bad in [&b"../a"[..], b"a/../b", b"a\0b", b".wh.", b"a/.wh..", b"a/.wh...", b".wh.a/b", b"/.."] {
            assert!(meaning(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
