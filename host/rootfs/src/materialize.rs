//! Makes one plain tree of a stack of layers, by their indexes.
//!
//! Used where nothing can be mounted. Either copies, for a tree that will change, or links the layers' own files,
//! for one that will only be read. Invariant: the new tree holds exactly the visible entries, hard links kept.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use zoea_model::{Attributes, Entry, Node, TreePath};

use crate::baseline::{LayerNumber, Located};
use crate::content::clone_file;
use crate::form::Form;
use crate::layer_disk as disk;
use crate::{Baseline, RootfsError};

/// How files get into the new tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Each file is the new tree's own.
    Copy,
    /// Files are shared with the layers, so the tree must not be changed.
    Link,
}

/// Fills the empty directory `target` with what `baseline` shows; `source` knows where a layer's content lies.
pub(crate) fn materialize<'a>(
    target: &Dir,
    baseline: &Baseline,
    source: impl Fn(LayerNumber) -> Option<&'a Dir>,
    method: Method,
) -> Result<(), RootfsError> {
    let failed = |path: &TreePath| {
        let path = path.clone();
        move |source| RootfsError::CopyEntry { path, source }
    };
    let mut directories: Vec<(TreePath, Attributes)> = Vec::new();
    let mut place: Option<(TreePath, OwnedFd)> = None;
    for (path, Located { entry, layer }) in baseline.located_entries() {
        if entry.node.is_directory() {
            directories.push((path.clone(), entry.attributes.clone()));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let opened = match place.take() {
            Some((opened_path, opened)) if opened_path == parent => opened,
            Some(_) | None => disk::open_directory(target, &parent).map_err(failed(&path))?,
        };
        let new = New { parent: &opened, name, target };
        new.make(&path, &entry, source(layer), method).map_err(failed(&path))?;
        place = Some((parent, opened));
    }
    for (path, attributes) in directories.iter().rev() {
        let kept = disk::open_directory(target, path)
            .and_then(|opened| disk::keep(opened.as_fd(), &Node::Directory, attributes, Form::Plain));
        kept.map_err(failed(path))?;
    }
    Ok(())
}

/// A name that is to be made.
struct New<'a> {
    parent: &'a OwnedFd,
    name: &'a OsStr,
    target: &'a Dir,
}

impl New<'_> {
    fn make(&self, path: &TreePath, entry: &Entry, source: Option<&Dir>, method: Method) -> io::Result<()> {
        if let Some(first) = &entry.hard_link_to {
            let (from, from_name) = disk::open_parent(self.target, first)?;
            rustix::fs::linkat(&from, from_name, self.parent, self.name, AtFlags::empty())?;
            return Ok(());
        }
        match &entry.node {
            Node::Directory => disk::create_directory(self.parent, self.name),
            Node::File { .. } => {
                let source = source.ok_or(io::ErrorKind::NotFound)?;
                match method {
                    Method::Link => self.link_file(path, entry, source),
                    Method::Copy => self.copy_file(path, entry, source),
                }
            }
            Node::Symlink { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {
                disk::create_special(self.parent, self.name, &entry.node)?;
                disk::keep_special(self.parent, self.name, &entry.node, &entry.attributes, Form::Plain)
            }
        }
    }

    fn link_file(&self, path: &TreePath, entry: &Entry, source: &Dir) -> io::Result<()> {
        let (from, from_name) = disk::open_parent(source, path)?;
        match rustix::fs::linkat(&from, from_name, self.parent, self.name, AtFlags::empty()) {
            Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::NOTSUP) => {
                self.copy_file(path, entry, source)
            }
            other => Ok(other?),
        }
    }

    fn copy_file(&self, path: &TreePath, entry: &Entry, source: &Dir) -> io::Result<()> {
        let from = disk::open_file(source, path)?;
        let to = disk::create_file(self.parent, self.name)?;
        clone_file(&from, &to)?;
        disk::keep(&to, &entry.node, &entry.attributes, Form::Plain)
    }
}
