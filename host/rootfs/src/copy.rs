//! `COPY`, and `ADD` of files: entries of a source tree put into a step's tree.
//!
//! Decides what is written where and with which attributes; `copy_source` finds the entries, `Vfs` writes them.
//! Behaves as BuildKit does (`fsutil/copy/copy.go`), in particular:
//! - a directory's content is copied, not the directory; several sources need a directory as their destination;
//! - links in the destination path are followed inside of the tree, also at its end; an entry *in* a destination
//!   directory is replaced when it is a file or link, and is an error when one side only is a directory;
//! - directories made for the destination have mode 0755, the time of the step and the given owner or root's;
//! - a directory below a copied one gets the source's attributes even where it was there before; the
//!   destination itself keeps its own, but for the time, which becomes the source directory's;
//! - names of one file in one source stay names of one file. Sockets are not seen by sources at all.

use std::collections::BTreeMap;

use zoea_model::{AddArchive, Attributes, Entry, InlineFile, ModeChange, ModeTarget, Node, TreePath};

use crate::copy_source::{self, Source};
use crate::{Content, CopyTree, RootfsError, Vfs, add_archive, xattr};

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

/// One `COPY` or `ADD` of files.
#[derive(Debug, Clone, Copy)]
pub struct CopyRequest<'a> {
    /// Patterns below the source tree's root, as in Go's `path.Match`; `..` stops at the root.
    pub sources: &'a [String],
    /// Files that the Dockerfile itself holds.
    pub inline_files: &'a [InlineFile],
    /// Where to.
    pub destination: &'a TreePath,
    /// How the destination was written.
    pub form: DestinationForm,
    /// The owner of every copied entry; without one, the source's.
    pub owner: Option<Owner>,
    /// The mode of every copied entry but links and unpacked ones; without one, the source's.
    pub mode: Option<&'a ModeChange>,
    /// What happens to archives.
    pub archives: AddArchive,
}

/// Mode of a file whose content stands in the Dockerfile, as BuildKit's.
const INLINE_FILE_MODE: u32 = 0o644;

/// Copies what `request` names from `source`.
///
/// # Errors
/// Refuses sources that are missing, malformed patterns, several sources for what is no directory, and files and
/// directories in each other's place. Reports what stopped reading or writing.
pub fn copy(vfs: &mut Vfs<'_>, source: &dyn CopyTree, request: &CopyRequest<'_>) -> Result<(), RootfsError> {
    let found = copy_source::find(source, request.sources)?;
    let mut copier = Copier { vfs, source, request, links: BTreeMap::new() };
    copier.check_number(&found)?;
    for source in &found {
        copier.copy_source(source)?;
    }
    for file in request.inline_files {
        copier.write_inline(file)?;
    }
    Ok(())
}

struct Copier<'a, 'vfs> {
    vfs: &'a mut Vfs<'vfs>,
    source: &'a dyn CopyTree,
    request: &'a CopyRequest<'a>,
    /// The first copy of each file of the current source that has several names.
    links: BTreeMap<(u64, u64), TreePath>,
}

/// What is still to do for one directory.
enum Work {
    /// Copy an entry.
    Copy { from: TreePath, to: TreePath },
    /// Give a directory its attributes, now that its content is complete.
    Finish { to: TreePath, attributes: Attributes },
}

impl Copier<'_, '_> {
    /// Refuses to let several sources overwrite each other in one file.
    fn check_number(&self, found: &[Source]) -> Result<(), RootfsError> {
        let files = found.iter().filter(|source| !source.entry.node.is_directory()).count();
        let total = found.len() + self.request.inline_files.len();
        let one_directory = files == 0 && self.request.inline_files.is_empty();
        if total <= 1 || one_directory || self.request.form == DestinationForm::Directory {
            return Ok(());
        }
        let destination = self.vfs.resolve(self.request.destination)?;
        match self.vfs.lookup(&destination) {
            Some(entry) if entry.node.is_directory() => Ok(()),
            Some(_) | None => {
                Err(RootfsError::SeveralSources { destination: self.request.destination.clone() })
            }
        }
    }

    fn copy_source(&mut self, source: &Source) -> Result<(), RootfsError> {
        self.links.clear();
        match &source.entry.node {
            Node::Directory => return self.copy_content(source),
            Node::File { .. } if self.request.archives == AddArchive::Unpack => {
                if self.unpack(source)? {
                    return Ok(());
                }
            }
            Node::File { .. }
            | Node::Symlink { .. }
            | Node::CharacterDevice(_)
            | Node::BlockDevice(_)
            | Node::Fifo => {}
        }
        let to = self.file_target(source.name.as_encoded_bytes())?;
        self.copy_leaf(&source.path, &source.entry, &to)
    }

    /// Unpacks a source into the destination if it is an archive; says whether it is.
    fn unpack(&mut self, source: &Source) -> Result<bool, RootfsError> {
        let open = || {
            let file = self.source.open(&source.path);
            file.map_err(|error| RootfsError::ReadSource { path: source.path.clone(), source: error })
        };
        if !add_archive::is_archive(open()?) {
            return Ok(false);
        }
        let file = open()?;
        let attributes = self.made_directory();
        let to = self.vfs.create_dir_all(self.request.destination, &attributes)?;
        let archive = add_archive::Archive { name: &source.path, owner: self.request.owner };
        add_archive::unpack(self.vfs, file, &archive, &to)?;
        Ok(true)
    }

    /// Copies what is in a directory into the destination.
    fn copy_content(&mut self, source: &Source) -> Result<(), RootfsError> {
        let attributes = self.made_directory();
        let to = self.vfs.create_dir_all(self.request.destination, &attributes)?;
        let mut work = Vec::new();
        self.plan_children(&source.path, &to, &mut work)?;
        while let Some(next) = work.pop() {
            match next {
                Work::Finish { to, attributes } => self.vfs.set_attributes(&to, &attributes)?,
                Work::Copy { from, to } => self.copy_entry(&from, &to, &mut work)?,
            }
        }
        if let Some(entry) = self.vfs.lookup(&to) {
            let mtime = source.entry.attributes.mtime;
            self.vfs.set_attributes(&to, &Attributes { mtime, ..entry.attributes })?;
        }
        Ok(())
    }

    /// Copies one entry below a copied directory; puts off what a directory needs.
    fn copy_entry(
        &mut self,
        from: &TreePath,
        to: &TreePath,
        work: &mut Vec<Work>,
    ) -> Result<(), RootfsError> {
        let found = self.source.lookup(from);
        let found = found.map_err(|source| RootfsError::ReadSource { path: from.clone(), source })?;
        // Gone since its directory was listed: nobody can tell this from a listing a moment later.
        let Some(entry) = found else { return Ok(()) };
        if !entry.node.is_directory() {
            return self.copy_leaf(from, &entry, to);
        }
        let mut attributes = self.attributes(&entry);
        match self.vfs.lookup(to) {
            None => self.vfs.create_dir(to, &attributes)?,
            Some(existing) if existing.node.is_directory() => {
                for (name, value) in existing.attributes.xattrs {
                    attributes.xattrs.entry(name).or_insert(value);
                }
            }
            Some(_) => return Err(RootfsError::NotADirectory { path: to.clone() }),
        }
        work.push(Work::Finish { to: to.clone(), attributes });
        self.plan_children(from, to, work)
    }

    fn plan_children(&self, from: &TreePath, to: &TreePath, work: &mut Vec<Work>) -> Result<(), RootfsError> {
        let names = self.source.children(from);
        let mut names = names.map_err(|source| RootfsError::ReadSource { path: from.clone(), source })?;
        names.sort();
        for name in names.iter().rev() {
            let name = name.as_encoded_bytes();
            work.push(Work::Copy { from: self.vfs.child(from, name)?, to: self.vfs.child(to, name)? });
        }
        Ok(())
    }

    /// Copies what is no directory in place of what is at `to`.
    fn copy_leaf(&mut self, from: &TreePath, entry: &Entry, to: &TreePath) -> Result<(), RootfsError> {
        let attributes = self.attributes(entry);
        match &entry.node {
            Node::File { .. } => self.copy_file(from, to, &attributes),
            Node::Symlink { target } => self.vfs.create_symlink(to, target, &attributes),
            Node::CharacterDevice(device) => self.vfs.create_character_device(to, *device, &attributes),
            Node::BlockDevice(device) => self.vfs.create_block_device(to, *device, &attributes),
            Node::Fifo => self.vfs.create_fifo(to, &attributes),
            Node::Directory => Err(RootfsError::IsADirectory { path: to.clone() }),
        }
    }

    fn copy_file(
        &mut self,
        from: &TreePath,
        to: &TreePath,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        let id = self.source.hard_link_id(from);
        if let Some(first) = id.and_then(|id| self.links.get(&id)) {
            return self.vfs.create_hard_link(&first.clone(), to);
        }
        let file = self.source.open(from);
        let file = file.map_err(|source| RootfsError::ReadSource { path: from.clone(), source })?;
        self.vfs.write_file(to, Content::File(file), attributes)?;
        if let Some(id) = id {
            self.links.insert(id, to.clone());
        }
        Ok(())
    }

    fn write_inline(&mut self, file: &InlineFile) -> Result<(), RootfsError> {
        let to = self.file_target(file.name.as_bytes())?;
        let mut attributes = Attributes::root_owned(INLINE_FILE_MODE, self.vfs.now());
        self.override_attributes(&mut attributes);
        self.vfs.write_file(&to, Content::Reader(&mut file.content.as_slice()), &attributes)
    }

    /// Decides which path a file named `name` is written to; makes the directories above it.
    fn file_target(&mut self, name: &[u8]) -> Result<TreePath, RootfsError> {
        let attributes = self.made_directory();
        let destination = self.request.destination;
        match (self.request.form, destination.parent()) {
            (DestinationForm::Directory, _) | (_, None) => {
                self.vfs.create_dir_all(destination, &attributes)?;
            }
            (DestinationForm::Name, Some(parent)) => {
                self.vfs.create_dir_all(&parent, &attributes)?;
            }
        }
        let resolved = self.vfs.resolve(destination)?;
        match self.vfs.lookup(&resolved) {
            Some(entry) if entry.node.is_directory() => self.vfs.child(&resolved, name),
            Some(_) => Ok(resolved),
            None => {
                // The destination is a link to a place whose directories are missing.
                let parent = resolved.parent().unwrap_or_default();
                self.vfs.create_dir_all(&parent, &attributes)?;
                Ok(resolved)
            }
        }
    }

    /// The attributes of directories that the destination needs.
    fn made_directory(&self) -> Attributes {
        let mut attributes = Attributes::root_owned(0o755, self.vfs.now());
        if let Some(owner) = self.request.owner {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid);
        }
        attributes
    }

    /// The attributes of a copy of `entry`.
    fn attributes(&self, entry: &Entry) -> Attributes {
        let mut attributes = entry.attributes.clone();
        attributes.xattrs.retain(|name, _| xattr::is_kept(name));
        let mode = attributes.mode;
        self.override_attributes(&mut attributes);
        if matches!(entry.node, Node::Symlink { .. }) {
            attributes.mode = mode;
        }
        attributes
    }

    fn override_attributes(&self, attributes: &mut Attributes) {
        if let Some(owner) = self.request.owner {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid);
        }
        if let Some(change) = self.request.mode {
            attributes.mode = change.apply(attributes.mode, ModeTarget::File);
        }
    }
}

#[cfg(test)]
mod tests {
    use zoea_model::{FileMode, Timestamp};

    use super::*;
    use crate::scratch_tree::{NOW, ScratchTree, attributes, path, write};

    struct Wanted<'a> {
        sources: &'a [&'a str],
        to: &'a str,
        owner: Option<Owner>,
        mode: Option<ModeChange>,
        inline: Vec<InlineFile>,
    }

    impl<'a> Wanted<'a> {
        fn new(sources: &'a [&'a str], to: &'a str) -> Self {
            Self { sources, to, owner: None, mode: None, inline: Vec::new() }
        }

        fn copy(&self, source: &ScratchTree, target: &mut ScratchTree) -> Result<(), RootfsError> {
            let sources: Vec<String> = self.sources.iter().map(|&source| source.to_owned()).collect();
            let request = CopyRequest {
                sources: &sources,
                inline_files: &self.inline,
                destination: &path(self.to),
                form: match self.to.ends_with('/') {
                    true => DestinationForm::Directory,
                    false => DestinationForm::Name,
                },
                owner: self.owner,
                mode: self.mode.as_ref(),
                archives: AddArchive::Keep,
            };
            copy(&mut target.vfs(), source, &request)
        }
    }

    /// A source with a bit of everything.
    fn source() -> ScratchTree {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("d/sub"), &attributes(0o750, 11)).unwrap();
        write(&mut vfs, "d/f", "f");
        vfs.create_hard_link(&path("d/f"), &path("d/sub/same")).unwrap();
        vfs.create_symlink(&path("d/out"), b"/etc/passwd", &attributes(0o777, 12)).unwrap();
        vfs.create_fifo(&path("d/pipe"), &attributes(0o600, 13)).unwrap();
        let xattrs = [("user.kept", "1"), ("user.overlay.opaque", "y"), ("security.selinux", "x")];
        let xattrs = xattrs.map(|(name, value)| (name.into(), value.into())).into();
        let owned = Attributes { uid: 5, gid: 6, xattrs, ..attributes(0o4755, 14) };
        vfs.write_file(&path("a.txt"), Content::Reader(&mut &b"a"[..]), &owned).unwrap();
        write(&mut vfs, "b.txt", "b");
        vfs.create_symlink(&path("link"), b"d", &attributes(0o777, 15)).unwrap();
        vfs.create_symlink(&path("c.txt"), b"/d/../b.txt", &attributes(0o777, 15)).unwrap();
        vfs.create_symlink(&path("dangling"), b"../../../../etc/shadow", &attributes(0o777, 15)).unwrap();
        for directory in ["d/sub", "d"] {
            vfs.set_attributes(&path(directory), &attributes(0o750, 11)).unwrap();
        }
        tree
    }

    #[test]
    fn directory_content_goes_into_a_made_directory() {
        let mut target = ScratchTree::new();
        Wanted::new(&["d"], "x/y").copy(&source(), &mut target).unwrap();
        let now = NOW.seconds;
        assert_eq!(
            target.text(),
            format!(
                "/x 0:0 755 {now} directory\n/x/y 0:0 755 11 directory\n/x/y/f 0:0 644 5 file f\n\
                 /x/y/out 0:0 777 12 link /etc/passwd\n/x/y/pipe 0:0 600 13 fifo\n\
                 /x/y/sub 0:0 750 11 directory\n/x/y/sub/same 0:0 644 5 file f = /x/y/f\n"
            )
        );
    }

    #[test]
    fn owner_and_mode_reach_everything_but_links_and_made_directories() {
        let mut target = ScratchTree::new();
        let owner = Some(Owner { uid: 3, gid: 4 });
        let mode = Some(FileMode(0o2700));
        let mut wanted =
            Wanted { owner, mode: mode.map(ModeChange::Exact), ..Wanted::new(&["d", "a.txt"], "x/") };
        wanted.inline.push(InlineFile { name: "EOF".into(), content: b"here".into() });
        wanted.copy(&source(), &mut target).unwrap();
        let now = NOW.seconds;
        assert_eq!(
            target.text(),
            format!(
                "/x 3:4 755 {now} directory\n/x/EOF 3:4 2700 {now} file here\n\
                 /x/a.txt 3:4 2700 14 file a user.kept=1\n/x/f 3:4 2700 5 file f\n\
                 /x/out 3:4 777 12 link /etc/passwd\n/x/pipe 3:4 2700 13 fifo\n\
                 /x/sub 3:4 2700 11 directory\n/x/sub/same 3:4 2700 5 file f = /x/f\n"
            )
        );
    }

    #[test]
    fn source_owner_stays_and_links_at_the_source_are_followed() {
        let mut target = ScratchTree::new();
        Wanted::new(&["a.txt"], "new").copy(&source(), &mut target).unwrap();
        Wanted::new(&["link/../../c.txt"], "new2").copy(&source(), &mut target).unwrap();
        Wanted::new(&["link/sub"], "new3").copy(&source(), &mut target).unwrap();
        assert_eq!(
            target.text(),
            "/new 5:6 4755 14 file a user.kept=1\n/new2 0:0 644 5 file b\n\
             /new3 0:0 755 11 directory\n/new3/same 0:0 644 5 file f\n"
        );
    }

    #[test]
    fn wildcards_name_by_the_link_and_may_match_nothing() {
        let mut target = ScratchTree::new();
        Wanted::new(&["*.txt", "x*"], "t/").copy(&source(), &mut target).unwrap();
        Wanted::new(&["*/f", "nothing*", "li*/f"], "u/").copy(&source(), &mut target).unwrap();
        Wanted::new(&["no*"], "never/made/").copy(&source(), &mut target).unwrap();
        let names: Vec<String> =
            target.text().lines().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(names, ["/t", "/t/a.txt", "/t/b.txt", "/t/c.txt", "/u", "/u/f"]);
    }

    #[test]
    fn existing_directories_are_merged_and_existing_files_replaced() {
        let mut target = ScratchTree::new();
        let mut vfs = target.vfs();
        vfs.create_dir_all(&path("x/sub"), &attributes(0o711, 1)).unwrap();
        write(&mut vfs, "elsewhere", "untouched");
        vfs.create_symlink(&path("x/f"), b"../elsewhere", &attributes(0o777, 1)).unwrap();
        vfs.create_symlink(&path("to"), b"/x", &attributes(0o777, 1)).unwrap();
        write(&mut vfs, "x/sub/old", "old");
        Wanted::new(&["d"], "to").copy(&source(), &mut target).unwrap();
        Wanted::new(&["b.txt"], "to").copy(&source(), &mut target).unwrap();
        let now = NOW.seconds;
        assert_eq!(
            target.text(),
            format!(
                "/elsewhere 0:0 644 5 file untouched\n/to 0:0 777 1 link /x\n/x 0:0 711 {now} directory\n\
                 /x/b.txt 0:0 644 5 file b\n/x/f 0:0 644 5 file f\n/x/out 0:0 777 12 link /etc/passwd\n\
                 /x/pipe 0:0 600 13 fifo\n/x/sub 0:0 750 11 directory\n/x/sub/old 0:0 644 5 file old\n\
                 /x/sub/same 0:0 644 5 file f = /x/f\n"
            )
        );
    }

    #[test]
    fn a_link_at_the_destination_leads_to_the_file_that_is_written() {
        let mut target = ScratchTree::new();
        let before = target.outside();
        let mut vfs = target.vfs();
        vfs.create_symlink(&path("l"), b"../../outside/secret", &attributes(0o777, 1)).unwrap();
        Wanted::new(&["b.txt"], "l").copy(&source(), &mut target).unwrap();
        Wanted::new(&["d"], "outside/").copy(&source(), &mut target).unwrap();
        assert!(target.text().contains("/outside/secret 0:0 644 5 file b\n"));
        assert_eq!(target.outside(), before);
    }

    #[test]
    fn what_cannot_be_copied_is_refused() {
        let mut target = ScratchTree::new();
        let mut vfs = target.vfs();
        vfs.create_dir_all(&path("x/f"), &attributes(0o755, 1)).unwrap();
        write(&mut vfs, "x/sub", "file");
        write(&mut vfs, "plain", "file");
        vfs.create_symlink(&path("y"), b"x", &attributes(0o777, 1)).unwrap();
        let mut fails =
            |sources: &[&str], to: &str| Wanted::new(sources, to).copy(&source(), &mut target).unwrap_err();
        assert!(matches!(fails(&["missing"], "z"), RootfsError::SourceMissing { .. }));
        assert!(matches!(fails(&["ignored"], "z"), RootfsError::SourceIgnored { .. }));
        assert!(matches!(fails(&["dangling"], "z"), RootfsError::SourceMissing { .. }));
        assert!(matches!(fails(&["[a"], "z"), RootfsError::MalformedPattern { .. }));
        assert!(matches!(fails(&["a.txt", "b.txt"], "z"), RootfsError::SeveralSources { .. }));
        assert!(matches!(fails(&["*.txt"], "plain"), RootfsError::SeveralSources { .. }));
        assert!(matches!(fails(&["d"], "plain"), RootfsError::NotADirectory { .. }));
        assert!(matches!(fails(&["d/f"], "plain/"), RootfsError::NotADirectory { .. }));
        assert!(matches!(fails(&["d/f"], "x"), RootfsError::IsADirectory { .. }));
        assert!(matches!(fails(&["d/sub"], "x/sub/sub"), RootfsError::NotADirectory { .. }));
    }

    #[test]
    fn the_whole_source_keeps_its_links() {
        let mut target = ScratchTree::new();
        Wanted::new(&["./"], "x").copy(&source(), &mut target).unwrap();
        assert!(target.text().contains("/x/dangling 0:0 777 15 link ../../../../etc/shadow\n"));
        assert!(target.text().contains("/x/link 0:0 777 15 link d\n"));
    }

    #[test]
    fn archives_are_unpacked_on_request_and_other_files_copied() {
        let mut from = ScratchTree::new();
        let mut header = tar::Header::new_ustar();
        header.set_path("inner").unwrap();
        header.set_size(0);
        header.set_mode(0o600);
        header.set_uid(8);
        header.set_gid(9);
        header.set_mtime(10);
        header.set_cksum();
        let archive = [header.as_bytes().as_slice(), &[0; 1024]].concat();
        let content = Content::Reader(&mut archive.as_slice());
        from.vfs().write_file(&path("a.tar"), content, &attributes(0o644, 5)).unwrap();
        write(&mut from.vfs(), "plain", "p");
        let mut target = ScratchTree::new();
        let sources = ["a.tar".to_owned(), "plain".to_owned()];
        let mut request = CopyRequest {
            sources: &sources,
            inline_files: &[],
            destination: &path("x"),
            form: DestinationForm::Directory,
            owner: None,
            mode: Some(&ModeChange::Exact(FileMode(0o400))),
            archives: AddArchive::Unpack,
        };
        copy(&mut target.vfs(), &from, &request).unwrap();
        let now = NOW.seconds;
        let expected =
            format!("/x 0:0 755 {now} directory\n/x/inner 8:9 600 10 file \n/x/plain 0:0 400 5 file p\n");
        assert_eq!(target.text(), expected);

        request.archives = AddArchive::Keep;
        copy(&mut target.vfs(), &from, &request).unwrap();
        assert!(target.vfs().lookup(&path("x/a.tar")).is_some());
    }

    #[test]
    fn copying_again_changes_nothing() {
        let mut target = ScratchTree::new();
        let wanted = Wanted::new(&["d", "*.txt"], "x/");
        wanted.copy(&source(), &mut target).unwrap();
        let first = target.text();
        wanted.copy(&source(), &mut target).unwrap();
        assert_eq!(target.text(), first);
        assert_eq!(
            target.vfs().lookup(&path("x")).unwrap().attributes.mtime,
            Timestamp::from_seconds(NOW.seconds)
        );
    }
}
