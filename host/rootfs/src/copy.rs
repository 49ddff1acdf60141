//! `COPY` and `ADD`: what is copied, from where, and in which order.
//!
//! Decides which entries of which trees are meant; `copy_source` finds them, `copy_place` says where they go and with
//! which attributes, `copy_content` walks directories, `Vfs` writes. Behaves as BuildKit does (`fsutil/copy/copy.go`,
//! `solver/llbsolver/file/backend.go`), in particular:
//! - a directory's content is copied, not the directory; several sources need a directory as their destination;
//! - links in the destination path are followed inside of the tree, also at its end; an entry *in* a destination
//!   directory is replaced when it is a file or link, and is an error when one side only is a directory;
//! - exclusion is by paths below a source, so that it never means a source itself;
//! - names of one file in one source stay names of one file. Sockets are not seen by sources at all.

use zoea_model::{AddArchive, Attributes, InlineFile, ModeChange, Node, PathFilter, TreePath};

use crate::copy_content::Copying;
use crate::copy_source::{self, Source};
use crate::{Content, CopyTree, RootfsError, Vfs, add_archive};

/// How the destination was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationForm {
    /// As a name: of a directory where there is one, else of the file.
    Name,
    /// With a slash or `.` at its end: a directory.
    Directory,
}

/// Numeric owner given to what is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// One thing that is copied.
#[derive(Debug, Clone, Copy)]
pub enum SourceItem<'a> {
    /// What a pattern names, as in Go's `path.Match`; `..` stops at the root. Of a directory, what is in it.
    Pattern {
        /// Where it is.
        from: &'a dyn CopyTree,
        /// Which of it.
        pattern: &'a str,
        /// What happens to archives.
        archives: AddArchive,
    },
    /// What matches below a directory, with the directories on the way to it.
    Below {
        /// Where it is.
        from: &'a dyn CopyTree,
        /// The directory: a pattern as above.
        root: &'a str,
        /// A pattern of a [`PathFilter`].
        pattern: &'a str,
    },
    /// A file that the Dockerfile itself holds.
    Inline(&'a InlineFile),
    /// One file.
    File {
        /// Where it is.
        from: &'a dyn CopyTree,
        /// Its path.
        path: &'a TreePath,
        /// What happens if it is an archive.
        archives: AddArchive,
    },
    /// All of a tree. Where the destination is missing, it becomes the tree's root with its attributes.
    Tree {
        /// The tree.
        from: &'a dyn CopyTree,
    },
}

/// One `COPY` or `ADD`.
#[derive(Debug, Clone, Copy)]
pub struct CopyRequest<'a> {
    /// What, in this order.
    pub items: &'a [SourceItem<'a>],
    /// What of their content is left out, by paths below each.
    pub excludes: &'a PathFilter,
    /// Where to.
    pub destination: &'a TreePath,
    /// How the destination was written.
    pub form: DestinationForm,
    /// The owner of every copied entry; without one, the source's.
    pub owner: Option<Owner>,
    /// What happens to the mode of every copied entry but links and unpacked ones.
    pub mode: Option<&'a ModeChange>,
}

/// Mode of a file whose content stands in the Dockerfile, as BuildKit's.
const INLINE_FILE_MODE: u32 = 0o644;

/// Copies what `request` names.
///
/// # Errors
/// Refuses sources that are missing, malformed patterns, several sources for what is no directory, and files and
/// directories in each other's place. Reports what stopped reading or writing.
pub fn copy(vfs: &mut Vfs<'_>, request: &CopyRequest<'_>) -> Result<(), RootfsError> {
    let mut found = Vec::new();
    for item in request.items {
        find(item, &mut found)?;
    }
    check_number(vfs, request, &found)?;
    for part in &found {
        match part {
            Found::Inline(file) => write_inline(vfs, request, file)?,
            Found::InTree(found) => copy_found(vfs, request, found)?,
        }
    }
    Ok(())
}

/// Something to copy that is there.
enum Found<'a> {
    Inline(&'a InlineFile),
    InTree(Box<FoundInTree<'a>>),
}

struct FoundInTree<'a> {
    from: &'a dyn CopyTree,
    source: Source,
    /// What of a directory is taken; all of it by default.
    includes: Option<PathFilter>,
    archives: AddArchive,
    root: RootOfCopy,
}

/// What becomes of the root of a copied directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RootOfCopy {
    /// Only its content is copied.
    Dropped,
    /// A missing destination gets its attributes.
    Copied,
}

fn find<'a>(item: &SourceItem<'a>, found: &mut Vec<Found<'a>>) -> Result<(), RootfsError> {
    let in_tree = |from, source, includes, archives, root| {
        Found::InTree(Box::new(FoundInTree { from, source, includes, archives, root }))
    };
    let (keep, dropped) = (AddArchive::Keep, RootOfCopy::Dropped);
    match *item {
        SourceItem::Inline(file) => found.push(Found::Inline(file)),
        SourceItem::Pattern { from, pattern, archives } => {
            let sources = copy_source::find(from, pattern)?.into_iter();
            found.extend(sources.map(|source| in_tree(from, source, None, archives, dropped)));
        }
        SourceItem::Below { from, root, pattern } => {
            let malformed = |_| RootfsError::MalformedPattern { pattern: pattern.to_owned() };
            let includes = PathFilter::new([pattern]).map_err(malformed)?;
            copy_source::require_literal(from, root, pattern)?;
            let sources = copy_source::find(from, root)?.into_iter();
            found.extend(sources.map(|source| in_tree(from, source, Some(includes.clone()), keep, dropped)));
        }
        SourceItem::File { from, path, archives } => {
            let source = copy_source::require(from, path, &path.to_string())?;
            found.push(in_tree(from, source, None, archives, dropped));
        }
        SourceItem::Tree { from } => {
            let source = copy_source::require(from, &TreePath::root(), ".")?;
            found.push(in_tree(from, source, None, keep, RootOfCopy::Copied));
        }
    }
    Ok(())
}

/// Refuses to let several sources overwrite each other in one file.
fn check_number(vfs: &Vfs<'_>, request: &CopyRequest<'_>, found: &[Found<'_>]) -> Result<(), RootfsError> {
    let is_file = |part: &Found<'_>| match part {
        Found::Inline(_) => true,
        Found::InTree(found) => !found.source.entry.node.is_directory(),
    };
    if found.len() <= 1 || !found.iter().any(is_file) || request.form == DestinationForm::Directory {
        return Ok(());
    }
    let destination = vfs.resolve(request.destination)?;
    match vfs.lookup(&destination) {
        Some(entry) if entry.node.is_directory() => Ok(()),
        Some(_) | None => Err(RootfsError::SeveralSources { destination: request.destination.clone() }),
    }
}

fn copy_found(
    vfs: &mut Vfs<'_>,
    request: &CopyRequest<'_>,
    found: &FoundInTree<'_>,
) -> Result<(), RootfsError> {
    let FoundInTree { from, source, includes, archives, root } = found;
    match &source.entry.node {
        Node::Directory => {
            let (to, made) = match root {
                RootOfCopy::Dropped => (request.directory_target(vfs)?, None),
                RootOfCopy::Copied => request.root_target(vfs, &source.entry)?,
            };
            Copying::new(vfs, request, *from, includes.as_ref()).content(&source.path, &to)?;
            let entry = vfs.lookup(&to).ok_or_else(|| RootfsError::NotFound { path: to.clone() })?;
            let mtime = source.entry.attributes.mtime;
            return vfs.set_attributes(&to, &Attributes { mtime, ..made.unwrap_or(entry.attributes) });
        }
        Node::File { .. } if *archives == AddArchive::Unpack => {
            if unpack(vfs, request, *from, source)? {
                return Ok(());
            }
        }
        Node::File { .. }
        | Node::Symlink { .. }
        | Node::CharacterDevice(_)
        | Node::BlockDevice(_)
        | Node::Fifo => {}
    }
    let to = request.file_target(vfs, source.name.as_encoded_bytes())?;
    Copying::new(vfs, request, *from, None).leaf(&source.path, &source.entry, &to)
}

/// Unpacks a source into the destination if it is an archive; says whether it is.
fn unpack(
    vfs: &mut Vfs<'_>,
    request: &CopyRequest<'_>,
    from: &dyn CopyTree,
    source: &Source,
) -> Result<bool, RootfsError> {
    let open = || {
        let file = from.open(&source.path);
        file.map_err(|error| RootfsError::ReadSource { path: source.path.clone(), source: error })
    };
    if !add_archive::is_archive(open()?) {
        return Ok(false);
    }
    let file = open()?;
    let to = request.archive_target(vfs)?;
    let archive = add_archive::Archive { name: &source.path, owner: request.owner };
    add_archive::unpack(vfs, file, &archive, &to)?;
    Ok(true)
}

fn write_inline(vfs: &mut Vfs<'_>, request: &CopyRequest<'_>, file: &InlineFile) -> Result<(), RootfsError> {
    let to = request.file_target(vfs, file.name.as_bytes())?;
    let written = Attributes::root_owned(INLINE_FILE_MODE, vfs.now());
    let attributes = request.given(&Node::File { size: 0, digest: None }, written);
    vfs.write_file(&to, Content::Reader(&mut file.content.as_slice()), &attributes)
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
