//! What can go wrong with trees and layers.
//!
//! Owns the one error type of this crate and the advice that goes with it. A cause is a source, never repeated
//! in the text. Names that come from layers are escaped, so that no text of ours carries terminal codes.

use std::io;
use std::path::PathBuf;

use zoea_model::{DiffId, Digest, ModelError, TreePath};

/// A failed operation on a tree, a layer or the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootfsError {
    /// The state directory could not be used.
    #[error("Failed to open the state directory `{}`", place.display())]
    OpenStore {
        /// Where it lies.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another user's builds made the layers of the state directory.
    #[error("Failed to open the state directory `{}`: it belongs to user {owner}, not to user {user}", place.display())]
    ForeignStore {
        /// Where it lies.
        place: PathBuf,
        /// Whose layers it holds, as seen from here.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// A file or directory of the state directory could not be made.
    #[error("Failed to make `{}`", place.display())]
    Make {
        /// What was to be made.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or directory of the state directory could not be read.
    #[error("Failed to read `{}`", place.display())]
    Read {
        /// What was read.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or directory of the state directory could not be removed.
    #[error("Failed to remove `{}`", place.display())]
    Remove {
        /// What was to be removed.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A finished layer could not be put into its place.
    #[error("Failed to publish layer `{layer}` as `{}`", place.display())]
    Publish {
        /// Which layer.
        layer: DiffId,
        /// Its place.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes of an index do not have its form.
    #[error("Failed to read the index of a layer: {reason}")]
    Index {
        /// What is wrong.
        reason: &'static str,
    },
    /// The overlay could not be mounted.
    #[error("Failed to mount an overlay on `{}`", target.display())]
    Mount {
        /// Where.
        target: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The overlay could not be unmounted.
    #[error("Failed to unmount `{}`", target.display())]
    Unmount {
        /// Where.
        target: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes of a layer could not be had, uncompressed, or taken apart.
    #[error("Failed to read layer `{layer}`")]
    ReadLayer {
        /// Which layer.
        layer: DiffId,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// One entry of a layer is not well-formed, or could not be written.
    #[error("Failed to unpack layer `{layer}` at its entry `{entry}`")]
    UnpackEntry {
        /// Which layer.
        layer: DiffId,
        /// The entry's name as the layer has it.
        entry: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The uncompressed layer is not the one that was asked for.
    #[error("Failed to unpack layer `{layer}`: its content has the digest `{actual}`")]
    LayerDigest {
        /// Which layer.
        layer: DiffId,
        /// The digest of what came.
        actual: Digest,
    },
    /// The import was given up because another layer failed.
    #[error("Failed to unpack layer `{layer}`: another layer failed")]
    Stopped {
        /// Which layer.
        layer: DiffId,
    },
    /// A tree could not be copied.
    #[error("Failed to copy `{path}` into the tree of a stage")]
    CopyEntry {
        /// The entry.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry could not be looked at.
    #[error("Failed to read `{path}` of the tree")]
    ReadEntry {
        /// The entry.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry could not be put into a layer.
    #[error("Failed to write `{path}` into a layer")]
    PackEntry {
        /// The entry.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes of a new layer could not be written.
    #[error("Failed to write a layer")]
    WriteLayer {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path holds more links than a path may, most often a loop.
    #[error("Failed to resolve `{path}`: too many symbolic links")]
    TooManyLinks {
        /// The path.
        path: TreePath,
    },
    /// A link's target is no path.
    #[error("Failed to resolve `{path}`: a symbolic link on the way holds a NUL byte")]
    InvalidLink {
        /// The path.
        path: TreePath,
    },
    /// A name is none that a directory may hold.
    #[error("Failed to name an entry of `{directory}`")]
    InvalidName {
        /// The directory.
        directory: TreePath,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// Nothing is at the path.
    #[error("Failed to find `{path}`")]
    NotFound {
        /// The path.
        path: TreePath,
    },
    /// Something is at the path already.
    #[error("Failed to make `{path}`: it is there already")]
    AlreadyThere {
        /// The path.
        path: TreePath,
    },
    /// Something else stands where a directory is needed.
    #[error("Failed to use `{path}` as a directory: it is none")]
    NotADirectory {
        /// The path.
        path: TreePath,
    },
    /// A directory stands where a file is needed.
    #[error("Failed to put a file at `{path}`: it is a directory")]
    IsADirectory {
        /// The path.
        path: TreePath,
    },
    /// Something else stands where a regular file is needed.
    #[error("Failed to open `{path}`: it is no regular file")]
    NotAFile {
        /// The path.
        path: TreePath,
    },
    /// A file of the tree could not be opened.
    #[error("Failed to open `{path}`")]
    OpenFile {
        /// The file.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory could not be made.
    #[error("Failed to make the directory `{path}`")]
    CreateDirectory {
        /// The directory.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("Failed to write the file `{path}`")]
    CreateFile {
        /// The file.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A symbolic link could not be made.
    #[error("Failed to make the symbolic link `{path}`")]
    CreateSymlink {
        /// The link.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A further name of a file could not be made.
    #[error("Failed to make the hard link `{path}`")]
    CreateHardLink {
        /// The new name.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A device or named pipe could not be made.
    #[error("Failed to make the node `{path}`")]
    CreateNode {
        /// The node.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Owner, mode, time or extended attributes could not be set.
    #[error("Failed to set the attributes of `{path}`")]
    SetAttributes {
        /// The entry.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry of the tree could not be removed.
    #[error("Failed to remove `{path}` from the tree")]
    RemoveEntry {
        /// The entry.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A source of `COPY` could not be read.
    #[error("Failed to read the source `{path}`")]
    ReadSource {
        /// The entry of the source tree.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A source of `COPY` is not there.
    #[error("Failed to find the source `{}`", printable(pattern.as_bytes()))]
    SourceMissing {
        /// The source as written.
        pattern: String,
    },
    /// A source of `COPY` is left out by an ignore rule.
    #[error("Failed to find the source `{}`: an ignore rule leaves it out", printable(pattern.as_bytes()))]
    SourceIgnored {
        /// The source as written.
        pattern: String,
    },
    /// A source pattern ends inside of a class or after a backslash.
    #[error("Failed to read the source pattern `{}`: it is malformed", printable(pattern.as_bytes()))]
    MalformedPattern {
        /// The source as written.
        pattern: String,
    },
    /// Several sources would overwrite each other.
    #[error("Failed to copy several sources to `{destination}`: it is no directory")]
    SeveralSources {
        /// The destination.
        destination: TreePath,
    },
    /// An archive could not be read to its end.
    #[error("Failed to read the archive `{archive}`")]
    ReadArchive {
        /// The archive in the source tree.
        archive: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An entry of an archive is refused.
    #[error("Failed to unpack the archive `{archive}` at its entry `{entry}`: {reason}")]
    ArchiveEntry {
        /// The archive in the source tree.
        archive: TreePath,
        /// The entry's name as the archive has it.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The tree has no such user.
    #[error(
        "Failed to find the user `{user}` of `{spec}` in the tree's /etc/passwd ({})",
        known_names(known)
    )]
    UnknownUser {
        /// The name.
        user: String,
        /// What was to be resolved.
        spec: String,
        /// The first names that the tree has.
        known: Vec<String>,
    },
    /// The tree has no such group.
    #[error(
        "Failed to find the group `{group}` of `{spec}` in the tree's /etc/group ({})",
        known_names(known)
    )]
    UnknownGroup {
        /// The name.
        group: String,
        /// What was to be resolved.
        spec: String,
        /// The first names that the tree has.
        known: Vec<String>,
    },
    /// The tree's users or groups could not be read.
    #[error("Failed to read the users or groups of `{path}`")]
    ReadUsers {
        /// The file.
        path: TreePath,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl RootfsError {
    /// Returns what the user can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        self.cause().and_then(hint_of_cause).or_else(|| self.own_hint())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most failures have no advice of their own")]
    fn own_hint(&self) -> Option<&'static str> {
        match self {
            Self::ForeignStore { .. } => Some("choose another state directory for this user"),
            Self::LayerDigest { .. } => {
                Some("the image names another layer than it holds: fetch or build it anew")
            }
            Self::Mount { source, .. } if source.kind() == io::ErrorKind::ArgumentListTooLong => {
                Some("join RUN instructions, or start from an image with fewer layers")
            }
            Self::Mount { .. } => Some(
                "the state directory must lie on a file system that can hold an overlay (not on an overlay itself)",
            ),
            Self::SourceIgnored { .. } => Some("see the ignore file beside the Dockerfile or in the context"),
            Self::SourceMissing { .. } => {
                Some("sources are looked up below the context's root, or below the root of `--from`")
            }
            Self::ReadArchive { .. } => {
                Some("the file begins like an archive but is damaged; COPY takes it as it is")
            }
            Self::SeveralSources { .. } => Some("end the destination with a slash"),
            Self::UnknownUser { .. } | Self::UnknownGroup { .. } => {
                Some("write a number, or make the user or group in an earlier step")
            }
            Self::ReadLayer { .. } | Self::UnpackEntry { .. } => {
                let cut = self.cause().is_some_and(|cause| cause.kind() == io::ErrorKind::UnexpectedEof);
                cut.then_some("the layer is cut short: fetch it anew")
            }
            _ => None,
        }
    }

    fn cause(&self) -> Option<&io::Error> {
        std::error::Error::source(self)?.downcast_ref()
    }
}

/// Returns advice for the causes that mean the same wherever they appear.
fn hint_of_cause(cause: &io::Error) -> Option<&'static str> {
    let kind = cause.kind();
    if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded {
        Some("the disk is full: free some space, or choose a state directory on another disk")
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        Some("choose a state directory that can be written")
    } else {
        None
    }
}

/// Lists names from a tree for a message.
fn known_names(names: &[String]) -> String {
    match names {
        [] => "which names nobody".to_owned(),
        names => format!("which begins with: {}", printable(names.join(", ").as_bytes())),
    }
}

/// Returns an error that says `reason` about bytes from outside.
pub(crate) fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// Returns a name from outside in a form that is safe to print.
pub(crate) fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_has_advice_wherever_it_is_met() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let layer = DiffId(Digest::of(b""));
        let unpack = RootfsError::UnpackEntry { layer, entry: "a".into(), source: full() };
        assert!(unpack.hint().unwrap().contains("disk is full"));
        assert!(RootfsError::WriteLayer { source: full() }.hint().unwrap().contains("disk is full"));
        assert_eq!(RootfsError::Stopped { layer }.hint(), None);
    }

    #[test]
    fn names_are_printed_without_terminal_codes() {
        assert_eq!(printable(b"a\x1b[2J\xff"), "a\\u{1b}[2J\u{fffd}");
    }
}
