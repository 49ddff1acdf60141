//! Where copies go, and with which attributes.
//!
//! Decides, for one destination, what the path of a copy is and makes the directories that it needs. As BuildKit does:
//! - directories made for the destination have mode 0755, or the permissions of an octal `--chmod` without its set-id
//!   and sticky bits, the time of the step and the given owner or root's; for an archive always 0755;
//! - a symbolic `--chmod` changes what is copied and not what is made for it;
//! - links keep their mode.

use zoea_model::{Attributes, Entry, FileMode, ModeChange, ModeTarget, Node, TreePath};

use crate::{CopyRequest, DestinationForm, RootfsError, Vfs, xattr};

/// The mode of a directory that is made for something else.
const DIRECTORY_MODE: u32 = 0o755;

/// The bits of a mode that a made directory takes: those that `mkdir` takes everywhere.
const PERMISSIONS: u32 = 0o777;

impl CopyRequest<'_> {
    /// Returns the directory that a directory's content is put into; makes it.
    pub(crate) fn directory_target(&self, vfs: &mut Vfs<'_>) -> Result<TreePath, RootfsError> {
        let attributes = self.made_directory(vfs);
        vfs.create_dir_all(self.destination, &attributes)
    }

    /// As [`Self::directory_target`] for a copy that includes the directory `root` itself; also returns the attributes
    /// that it must have in the end, if it was made.
    pub(crate) fn root_target(
        &self,
        vfs: &mut Vfs<'_>,
        root: &Entry,
    ) -> Result<(TreePath, Option<Attributes>), RootfsError> {
        let resolved = vfs.resolve(self.destination)?;
        let parent = match (self.form, resolved.parent(), vfs.lookup(&resolved)) {
            (DestinationForm::Name, Some(parent), None) => parent,
            (DestinationForm::Name | DestinationForm::Directory, _, _) => {
                return Ok((self.directory_target(vfs)?, None));
            }
        };
        let above = self.made_directory(vfs);
        vfs.create_dir_all(&parent, &above)?;
        let attributes = self.attributes(root);
        vfs.create_dir(&resolved, &attributes)?;
        Ok((resolved, Some(attributes)))
    }

    /// Returns the directory that an archive is unpacked into; makes it.
    pub(crate) fn archive_target(&self, vfs: &mut Vfs<'_>) -> Result<TreePath, RootfsError> {
        let attributes = Attributes { mode: DIRECTORY_MODE, ..self.made_directory(vfs) };
        vfs.create_dir_all(self.destination, &attributes)
    }

    /// Decides which path a file named `name` is written to; makes the directories above it.
    pub(crate) fn file_target(&self, vfs: &mut Vfs<'_>, name: &[u8]) -> Result<TreePath, RootfsError> {
        let attributes = self.made_directory(vfs);
        match (self.form, self.destination.parent()) {
            (DestinationForm::Directory, _) | (DestinationForm::Name, None) => {
                vfs.create_dir_all(self.destination, &attributes)?;
            }
            (DestinationForm::Name, Some(parent)) => {
                vfs.create_dir_all(&parent, &attributes)?;
            }
        }
        let resolved = vfs.resolve(self.destination)?;
        match vfs.lookup(&resolved) {
            Some(entry) if entry.node.is_directory() => vfs.child(&resolved, name),
            Some(_) => Ok(resolved),
            None => {
                // The destination is a link to a place whose directories are missing.
                let parent = resolved.parent().unwrap_or_default();
                vfs.create_dir_all(&parent, &attributes)?;
                Ok(resolved)
            }
        }
    }

    /// The attributes of directories that the destination needs.
    fn made_directory(&self, vfs: &Vfs<'_>) -> Attributes {
        let mode = match self.mode {
            Some(ModeChange::Exact(FileMode(mode))) => mode & PERMISSIONS,
            Some(ModeChange::Symbolic(_)) | None => DIRECTORY_MODE,
        };
        let mut attributes = Attributes::root_owned(mode, vfs.now());
        if let Some(owner) = self.owner {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid);
        }
        attributes
    }

    /// The attributes of a copy of `entry`.
    pub(crate) fn attributes(&self, entry: &Entry) -> Attributes {
        let mut attributes = entry.attributes.clone();
        attributes.xattrs.retain(|name, _| xattr::is_kept(name));
        self.given(&entry.node, attributes)
    }

    /// Puts owner and mode of the instruction into `attributes`.
    pub(crate) fn given(&self, node: &Node, mut attributes: Attributes) -> Attributes {
        if let Some(owner) = self.owner {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid);
        }
        let target = match node {
            Node::Symlink { .. } => return attributes,
            Node::Directory => ModeTarget::Directory,
            Node::File { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {
                ModeTarget::File
            }
        };
        if let Some(change) = self.mode {
            attributes.mode = change.apply(attributes.mode, target);
        }
        attributes
    }
}
