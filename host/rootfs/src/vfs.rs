//! The builder's own operations on a step's tree, each noted in the attribute table and in the journal.
//!
//! Decides what an operation means for the logical tree, checks it there, and only then does it on the disk, so
//! that every launcher starts from the same entries whatever its kernel could store. Does not know where the
//! entries come from (`copy`, `add_archive`). Invariants: a path that reaches the disk has no symbolic link in
//! it; after each operation the logical tree is a tree; a directory in which something was made or removed has
//! the view's time, on the disk too, never the clock's. After an error the step's tree is only good to be thrown away.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;

use cap_std::fs::File;
use rustix::fs::FileType;
use zoea_model::{Attributes, DeviceNumber, Entry, Node, Timestamp, TreePath};

use crate::attr_table::Presence;
use crate::disk::{Age, Disk};
use crate::resolve::{self, LastLink, Rules, Unresolved};
use crate::{Rootfs, RootfsError};

/// Where a file's bytes come from.
#[expect(missing_debug_implementations, reason = "a reader has no text form")]
pub enum Content<'a> {
    /// Another file, from its current position; copied inside of the kernel where it can.
    File(File),
    /// Any reader.
    Reader(&'a mut dyn Read),
}

/// A view on a step's tree that changes it.
#[derive(Debug)]
pub struct Vfs<'a> {
    rootfs: &'a mut Rootfs,
    now: Timestamp,
}

impl<'a> Vfs<'a> {
    pub(crate) fn new(rootfs: &'a mut Rootfs, now: Timestamp) -> Self {
        Self { rootfs, now }
    }

    /// Returns the time that made and removed entries leave on their directory.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns what `path` is; a link at its end or in it is not followed.
    pub fn lookup(&self, path: &TreePath) -> Option<Entry> {
        self.rootfs.entry(path)
    }

    /// Follows all links in `path` inside of the tree; what is missing stays as written.
    ///
    /// # Errors
    /// Refuses loops of links.
    pub fn resolve(&self, path: &TreePath) -> Result<TreePath, RootfsError> {
        self.resolve_by(path, Rules::FOLLOW)
    }

    /// Follows all links in `path` but the last component.
    ///
    /// # Errors
    /// As [`Vfs::resolve`].
    pub fn resolve_parent(&self, path: &TreePath) -> Result<TreePath, RootfsError> {
        self.resolve_by(path, Rules { last_link: LastLink::Kept, ..Rules::FOLLOW })
    }

    /// Lists the names in the directory that `path` leads to.
    ///
    /// # Errors
    /// Refuses what is no directory.
    pub fn read_dir(&self, path: &TreePath) -> Result<BTreeSet<OsString>, RootfsError> {
        let path = self.resolve(path)?;
        self.require_directory(&path)?;
        let mut names = self.rootfs.parts.baseline.children(&path);
        for (child, presence) in self.rootfs.table.below(&path) {
            let Some(name) = child.file_name().filter(|_| child.parent().as_ref() == Some(&path)) else {
                continue;
            };
            match presence {
                Presence::Here => names.insert(name.to_owned()),
                Presence::Gone => names.remove(name),
            };
        }
        Ok(names)
    }

    /// Opens the regular file that `path` leads to.
    ///
    /// # Errors
    /// Refuses what is missing or no regular file.
    pub fn open_file(&self, path: &TreePath) -> Result<File, RootfsError> {
        let resolved = self.resolve(path)?;
        match self.lookup(&resolved).map(|entry| entry.node) {
            Some(Node::File { .. }) => {}
            Some(_) => return Err(RootfsError::NotAFile { path: resolved }),
            None => return Err(RootfsError::NotFound { path: resolved }),
        }
        match self.disk().open_file(&resolved) {
            Ok(file) => Ok(File::from_std(file)),
            Err(source) => Err(RootfsError::OpenFile { path: resolved, source }),
        }
    }

    /// Makes the directory that `path` leads to and all that is missing above it; returns where it is.
    ///
    /// # Errors
    /// Refuses a path through something that is no directory.
    pub fn create_dir_all(
        &mut self,
        path: &TreePath,
        attributes: &Attributes,
    ) -> Result<TreePath, RootfsError> {
        let resolved = self.resolve(path)?;
        let all: Vec<TreePath> = resolved.ancestors().chain([resolved.clone()]).collect();
        for directory in all {
            match self.lookup(&directory) {
                None => self.create_dir(&directory, attributes)?,
                Some(entry) if entry.node.is_directory() => {}
                Some(_) => return Err(RootfsError::NotADirectory { path: directory }),
            }
        }
        Ok(resolved)
    }

    /// Makes one directory.
    ///
    /// # Errors
    /// Refuses a path that is there already or whose parent is not.
    pub fn create_dir(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), RootfsError> {
        if self.lookup(path).is_some() {
            return Err(RootfsError::AlreadyThere { path: path.clone() });
        }
        self.require_parent(path)?;
        self.disk()
            .create_directory(path)
            .map_err(|source| RootfsError::CreateDirectory { path: path.clone(), source })?;
        self.finish_new(path, Node::Directory, attributes)
    }

    /// Writes a file in place of what is at `path`, unless that is a directory; a link there is replaced.
    ///
    /// # Errors
    /// Refuses to replace a directory. Reports what stopped reading or writing.
    pub fn write_file(
        &mut self,
        path: &TreePath,
        content: Content<'_>,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        self.make_room(path)?;
        let size = self
            .disk()
            .create_file(path)
            .and_then(|mut to| match content {
                Content::File(from) => io::copy(&mut from.into_std(), &mut to),
                Content::Reader(mut from) => io::copy(&mut from, &mut to),
            })
            .map_err(|source| RootfsError::CreateFile { path: path.clone(), source })?;
        self.finish_new(path, Node::File { size, digest: None }, attributes)
    }

    /// Makes a symbolic link in place of what is at `path`, unless that is a directory.
    ///
    /// # Errors
    /// Refuses to replace a directory.
    pub fn create_symlink(
        &mut self,
        path: &TreePath,
        target: &[u8],
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        self.make_room(path)?;
        self.disk()
            .create_symlink(path, target)
            .map_err(|source| RootfsError::CreateSymlink { path: path.clone(), source })?;
        self.finish_new(path, Node::Symlink { target: target.to_vec() }, attributes)
    }

    /// Makes a character device in place of what is at `path`, unless that is a directory.
    ///
    /// # Errors
    /// Refuses to replace a directory.
    pub fn create_character_device(
        &mut self,
        path: &TreePath,
        device: DeviceNumber,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        self.create_node(path, Node::CharacterDevice(device), attributes)
    }

    /// Makes a block device in place of what is at `path`, unless that is a directory.
    ///
    /// # Errors
    /// Refuses to replace a directory.
    pub fn create_block_device(
        &mut self,
        path: &TreePath,
        device: DeviceNumber,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        self.create_node(path, Node::BlockDevice(device), attributes)
    }

    /// Makes a named pipe in place of what is at `path`, unless that is a directory.
    ///
    /// # Errors
    /// Refuses to replace a directory.
    pub fn create_fifo(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), RootfsError> {
        self.create_node(path, Node::Fifo, attributes)
    }

    /// Gives what is at `existing` one more name, `path`, in place of what is there.
    ///
    /// # Errors
    /// Refuses to link directories, and to replace one.
    pub fn create_hard_link(&mut self, existing: &TreePath, path: &TreePath) -> Result<(), RootfsError> {
        let entry = self.lookup(existing).ok_or_else(|| RootfsError::NotFound { path: existing.clone() })?;
        if entry.node.is_directory() {
            return Err(RootfsError::IsADirectory { path: existing.clone() });
        }
        if existing == path {
            return Ok(());
        }
        self.make_room(path)?;
        self.disk()
            .create_hard_link(existing, path)
            .map_err(|source| RootfsError::CreateHardLink { path: path.clone(), source })?;
        self.rootfs.table.link(existing, entry, path);
        self.rootfs.journal.touch(existing);
        self.rootfs.journal.touch(path);
        self.touch_parent(path)
    }

    /// Gives what is at `path` other attributes, and with it every name that this step linked to it.
    ///
    /// # Errors
    /// Refuses a path that is not there.
    pub fn set_attributes(&mut self, path: &TreePath, attributes: &Attributes) -> Result<(), RootfsError> {
        let entry = self.lookup(path).ok_or_else(|| RootfsError::NotFound { path: path.clone() })?;
        self.disk()
            .apply(path, &entry.node, attributes, Age::Old)
            .map_err(|source| RootfsError::SetAttributes { path: path.clone(), source })?;
        for name in self.rootfs.table.set_attributes(path, entry.node, attributes) {
            self.rootfs.journal.touch(&name);
        }
        Ok(())
    }

    /// Removes what is at `path`, a directory with all that is in it.
    ///
    /// # Errors
    /// Refuses the root and a path that is not there.
    pub fn remove(&mut self, path: &TreePath) -> Result<(), RootfsError> {
        let entry = self.lookup(path).filter(|_| !path.is_root());
        let entry = entry.ok_or_else(|| RootfsError::NotFound { path: path.clone() })?;
        let (mut found, mut directories) = (vec![(path.clone(), entry)], Vec::new());
        let mut all = Vec::new();
        while let Some((path, entry)) = found.pop() {
            if entry.node.is_directory() {
                for name in self.read_dir(&path)? {
                    let child = self.child(&path, name.as_bytes())?;
                    if let Some(entry) = self.lookup(&child) {
                        found.push((child, entry));
                    }
                }
                directories.push(path.clone());
            }
            all.push(path);
        }
        let disk = self.disk();
        let removed = match directories.is_empty() {
            true => disk.remove_file(path),
            false => disk.remove_directory(path, &directories),
        };
        removed.map_err(|source| RootfsError::RemoveEntry { path: path.clone(), source })?;
        for path in all {
            self.rootfs.table.remove(&path);
            self.rootfs.journal.touch(&path);
        }
        self.touch_parent(path)
    }

    /// Joins a name to a directory.
    pub(crate) fn child(&self, directory: &TreePath, name: &[u8]) -> Result<TreePath, RootfsError> {
        directory
            .join(name)
            .map_err(|source| RootfsError::InvalidName { directory: directory.clone(), source })
    }

    fn create_node(
        &mut self,
        path: &TreePath,
        node: Node,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        let (kind, device) = match &node {
            Node::CharacterDevice(device) => (FileType::CharacterDevice, *device),
            Node::BlockDevice(device) => (FileType::BlockDevice, *device),
            Node::Fifo => (FileType::Fifo, DeviceNumber { major: 0, minor: 0 }),
            Node::File { .. } | Node::Directory | Node::Symlink { .. } => {
                return Err(RootfsError::AlreadyThere { path: path.clone() });
            }
        };
        self.make_room(path)?;
        self.disk()
            .create_node(path, kind, rustix::fs::makedev(device.major, device.minor))
            .map_err(|source| RootfsError::CreateNode { path: path.clone(), source })?;
        self.finish_new(path, node, attributes)
    }

    /// Checks that something new may come to `path` and removes a file that is there.
    fn make_room(&mut self, path: &TreePath) -> Result<(), RootfsError> {
        self.require_parent(path)?;
        match self.lookup(path) {
            None => Ok(()),
            Some(entry) if entry.node.is_directory() => Err(RootfsError::IsADirectory { path: path.clone() }),
            Some(_) => self.remove(path),
        }
    }

    fn finish_new(
        &mut self,
        path: &TreePath,
        node: Node,
        attributes: &Attributes,
    ) -> Result<(), RootfsError> {
        self.disk()
            .apply(path, &node, attributes, Age::New)
            .map_err(|source| RootfsError::SetAttributes { path: path.clone(), source })?;
        self.rootfs.table.insert(path, node, attributes.clone());
        self.rootfs.journal.touch(path);
        self.touch_parent(path)
    }

    /// Gives the directory that holds `path` the view's time, which the kernel has just set to the clock's.
    fn touch_parent(&mut self, path: &TreePath) -> Result<(), RootfsError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        let Some(entry) = self.lookup(&parent) else { return Ok(()) };
        self.disk()
            .set_mtime(&parent, self.now)
            .map_err(|source| RootfsError::SetAttributes { path: parent.clone(), source })?;
        let attributes = Attributes { mtime: self.now, ..entry.attributes };
        self.rootfs.table.set_attributes(&parent, entry.node, &attributes);
        self.rootfs.journal.touch(&parent);
        Ok(())
    }

    fn require_parent(&self, path: &TreePath) -> Result<(), RootfsError> {
        match path.parent() {
            Some(parent) => self.require_directory(&parent),
            None => Err(RootfsError::IsADirectory { path: path.clone() }),
        }
    }

    fn require_directory(&self, path: &TreePath) -> Result<(), RootfsError> {
        match self.lookup(path) {
            Some(entry) if entry.node.is_directory() => Ok(()),
            Some(_) => Err(RootfsError::NotADirectory { path: path.clone() }),
            None => Err(RootfsError::NotFound { path: path.clone() }),
        }
    }

    fn resolve_by(&self, path: &TreePath, rules: Rules) -> Result<TreePath, RootfsError> {
        let target = |path: &TreePath| -> Result<Option<Vec<u8>>, std::convert::Infallible> {
            Ok(self.lookup(path).and_then(|entry| match entry.node {
                Node::Symlink { target } => Some(target),
                Node::File { .. }
                | Node::Directory
                | Node::CharacterDevice(_)
                | Node::BlockDevice(_)
                | Node::Fifo => None,
            }))
        };
        resolve::resolve(path, rules, target).map_err(|error| match error {
            Unresolved::TooManyLinks => RootfsError::TooManyLinks { path: path.clone() },
            Unresolved::AboveRoot | Unresolved::NulByte => RootfsError::InvalidLink { path: path.clone() },
            Unresolved::Lookup(never) => match never {},
        })
    }

    #[cfg(test)]
    pub(crate) fn dir(&self) -> &cap_std::fs::Dir {
        &self.rootfs.parts.dir
    }

    fn disk(&self) -> Disk<'_> {
        Disk::new(&self.rootfs.parts.dir)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::rootfs::RootfsParts;
    use crate::scratch_tree::{NOW, ScratchTree, attributes, open_directory, path, write};
    use crate::{Baseline, IndexRow, LayerIndex};

    #[test]
    fn made_entries_are_noted_with_their_directories() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("a/b"), &attributes(0o700, 7)).unwrap();
        write(&mut vfs, "a/b/f", "text");
        vfs.create_symlink(&path("a/l"), b"b/f", &attributes(0o777, 8)).unwrap();
        vfs.create_fifo(&path("p"), &attributes(0o600, 9)).unwrap();
        let null = DeviceNumber { major: 1, minor: 3 };
        let owned = Attributes { uid: 70_000, gid: 80_000, ..attributes(0o666, 9) };
        vfs.create_character_device(&path("null"), null, &owned).unwrap();
        vfs.create_hard_link(&path("a/b/f"), &path("z")).unwrap();
        let now = NOW.seconds;
        assert_eq!(
            tree.text(),
            format!(
                "/a 0:0 700 {now} directory\n/a/b 0:0 700 {now} directory\n/a/b/f 0:0 644 5 file text\n\
                 /a/l 0:0 777 8 link b/f\n/null 70000:80000 666 9 character 1:3\n/p 0:0 600 9 fifo\n\
                 /z 0:0 644 5 file text = /a/b/f\n"
            )
        );
        let touched: Vec<String> = tree.rootfs.journal().paths().map(ToString::to_string).collect();
        assert_eq!(touched, ["/", "/a", "/a/b", "/a/b/f", "/a/l", "/null", "/p", "/z"]);
    }

    #[test]
    fn linked_names_change_together() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        write(&mut vfs, "a", "1");
        vfs.create_hard_link(&path("a"), &path("b")).unwrap();
        vfs.set_attributes(&path("b"), &attributes(0o4755, 6)).unwrap();
        assert_eq!(vfs.lookup(&path("a")).unwrap().attributes.mode, 0o4755);
        write(&mut vfs, "a", "2");
        assert_eq!(tree.text(), "/a 0:0 644 5 file 2\n/b 0:0 4755 6 file 1\n");
    }

    #[test]
    fn removed_baseline_entries_stay_hidden_below_a_new_directory() {
        let mut tree = ScratchTree::new();
        let dir = tree.rootfs.dir().try_clone().unwrap();
        dir.create_dir_all("d/e").unwrap();
        dir.write("d/e/f", "old").unwrap();
        let file = Node::File { size: 3, digest: None };
        let rows = [("d", Node::Directory), ("d/e", Node::Directory), ("d/e/f", file)].map(|(name, node)| {
            let entry = Entry { node, attributes: attributes(0o755, 1), hard_link_to: None };
            (path(name), IndexRow::Entry(entry))
        });
        let mut baseline = Baseline::new();
        baseline.push(LayerIndex::from_rows(BTreeMap::from(rows)));
        let host_path = tree.temporary.path().join("tree");
        tree.rootfs = Rootfs::new(RootfsParts {
            dir: open_directory(&host_path),
            host_path,
            upper: None,
            lowers: Vec::new(),
            baseline,
        });
        let mut vfs = tree.vfs();
        assert_eq!(vfs.read_dir(&path("d")).unwrap().len(), 1);
        vfs.remove(&path("d")).unwrap();
        assert_eq!(vfs.lookup(&path("d/e/f")), None);
        vfs.create_dir(&path("d"), &attributes(0o755, 2)).unwrap();
        write(&mut vfs, "d/new", "");
        assert_eq!(vfs.lookup(&path("d/e")), None);
        assert!(tree.rootfs.journal().contains(&path("d/e/f")));
        let now = NOW.seconds;
        assert_eq!(tree.text(), format!("/d 0:0 755 {now} directory\n/d/new 0:0 644 5 file \n"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir(&path("d"), &attributes(0o755, 1)).unwrap();
        write(&mut vfs, "f", "");
        vfs.create_symlink(&path("l"), b"d", &attributes(0o777, 1)).unwrap();
        let mut write = |name: &str| {
            vfs.write_file(&path(name), Content::Reader(&mut io::empty()), &attributes(0o644, 1))
        };
        assert!(matches!(write("d"), Err(RootfsError::IsADirectory { .. })));
        assert!(matches!(write("f/x"), Err(RootfsError::NotADirectory { .. })));
        assert!(matches!(write("l/x"), Err(RootfsError::NotADirectory { .. })));
        assert!(matches!(write("n/x"), Err(RootfsError::NotFound { .. })));
        assert!(matches!(write(""), Err(RootfsError::IsADirectory { .. })));
        assert!(matches!(vfs.remove(&TreePath::root()), Err(RootfsError::NotFound { .. })));
        assert!(matches!(
            vfs.create_hard_link(&path("d"), &path("e")),
            Err(RootfsError::IsADirectory { .. })
        ));
        assert!(matches!(
            vfs.create_dir_all(&path("f/x"), &attributes(0o755, 1)),
            Err(RootfsError::NotADirectory { .. })
        ));
        assert!(matches!(vfs.open_file(&path("l")), Err(RootfsError::NotAFile { .. })));
    }

    #[test]
    fn links_never_lead_out() {
        let mut tree = ScratchTree::new();
        let outside = tree.temporary.path().join("outside");
        let before = tree.outside();
        let mut vfs = tree.vfs();
        let absolute = outside.as_os_str().as_bytes().to_vec();
        for (name, target) in [("abs", absolute.as_slice()), ("rel", b"../outside"), ("self", b"self")] {
            vfs.create_symlink(&path(name), target, &attributes(0o777, 1)).unwrap();
        }
        assert!(vfs.open_file(&path("abs/secret")).is_err());
        assert!(vfs.open_file(&path("rel/secret")).is_err());
        assert!(matches!(vfs.resolve(&path("self")), Err(RootfsError::TooManyLinks { .. })));
        for name in ["abs/new", "rel/new"] {
            let made = vfs.create_dir_all(&path(name), &attributes(0o755, 1)).unwrap();
            vfs.write_file(&made.join("f").unwrap(), Content::Reader(&mut &b"x"[..]), &attributes(0o644, 1))
                .unwrap();
        }
        assert!(vfs.lookup(&path("outside/new/f")).is_some());
        assert_eq!(tree.outside(), before);
    }

    #[test]
    fn directories_closed_by_a_step_are_no_obstacle() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("closed/inner"), &attributes(0o755, 1)).unwrap();
        write(&mut vfs, "closed/inner/f", "f");
        // As a process of an ordinary user leaves them: closed on the disk too.
        for name in ["closed/inner", "closed"] {
            tree.rootfs.dir().set_permissions(name, cap_std::fs::PermissionsExt::from_mode(0)).unwrap();
        }
        let mut vfs = tree.vfs();
        write(&mut vfs, "closed/inner/g", "g");
        vfs.create_hard_link(&path("closed/inner/f"), &path("h")).unwrap();
        assert!(tree.text().contains("/h 0:0 644 5 file f = /closed/inner/f\n"));
        for name in ["closed/inner", "closed"] {
            tree.rootfs.dir().set_permissions(name, cap_std::fs::PermissionsExt::from_mode(0)).unwrap();
        }
        tree.vfs().remove(&path("closed")).unwrap();
        assert_eq!(tree.text(), "/h 0:0 644 5 file f\n");
    }

    /// What the tree must look like, the dull way: files by an id of their content, so that names share it.
    #[derive(Debug, Clone, PartialEq)]
    enum Simple {
        Directory,
        File(usize),
        Link(String),
    }

    #[derive(Debug, Clone)]
    enum Operation {
        Directory(String),
        File(String),
        Symlink(String, String),
        HardLink(String, String),
        Remove(String),
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let name = "[abc](/[abc]){0,2}";
        let one = prop_oneof![
            name.prop_map(Operation::Directory),
            name.prop_map(Operation::File),
            (name, "(/|\\.\\./)?[abc](/[abc]){0,1}").prop_map(|(name, to)| Operation::Symlink(name, to)),
            (name, name).prop_map(|(from, to)| Operation::HardLink(from, to)),
            name.prop_map(Operation::Remove),
        ];
        proptest::collection::vec(one, 0..25)
    }

    type Model = BTreeMap<TreePath, Simple>;

    /// Does one operation on the model; the path given is resolved already. Says whether it must succeed.
    fn simulate(model: &mut Model, operation: &Operation, id: usize) -> bool {
        let directory =
            |model: &Model, at: &TreePath| at.is_root() || model.get(at) == Some(&Simple::Directory);
        let room =
            |model: &Model, at: &TreePath| directory(model, &at.parent().unwrap()) && !directory(model, at);
        match operation {
            Operation::Directory(at) => {
                let at = path(at);
                let free = directory(model, &at.parent().unwrap()) && !model.contains_key(&at);
                free && model.insert(at, Simple::Directory).is_none()
            }
            Operation::File(at) => {
                room(model, &path(at)) && {
                    model.insert(path(at), Simple::File(id));
                    true
                }
            }
            Operation::Symlink(at, to) => {
                room(model, &path(at)) && {
                    model.insert(path(at), Simple::Link(to.clone()));
                    true
                }
            }
            Operation::HardLink(from, to) => {
                let Some(node) = model.get(&path(from)).cloned() else { return false };
                let possible = node != Simple::Directory && (from == to || room(model, &path(to)));
                if possible {
                    model.insert(path(to), node);
                }
                possible
            }
            Operation::Remove(at) => {
                let there = model.contains_key(&path(at));
                model.retain(|name, _| !name.starts_with(&path(at)));
                there
            }
        }
    }

    fn perform(vfs: &mut Vfs<'_>, operation: &Operation, id: usize) -> bool {
        let attributes = attributes(0o755, 3);
        match operation {
            Operation::Directory(at) => vfs.create_dir(&path(at), &attributes),
            Operation::File(at) => {
                let text = id.to_string();
                vfs.write_file(&path(at), Content::Reader(&mut text.as_bytes()), &attributes)
            }
            Operation::Symlink(at, to) => vfs.create_symlink(&path(at), to.as_bytes(), &attributes),
            Operation::HardLink(from, to) => vfs.create_hard_link(&path(from), &path(to)),
            Operation::Remove(at) => vfs.remove(&path(at)),
        }
        .is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn random_operations_give_the_simple_tree(operations in operations()) {
            let mut tree = ScratchTree::new();
            let before = tree.outside();
            let mut model = Model::new();
            for (id, operation) in operations.iter().enumerate() {
                let expected = simulate(&mut model, operation, id);
                prop_assert_eq!(perform(&mut tree.vfs(), operation, id), expected, "{:?}", operation);
            }
            // Fails by itself where the disk differs from the logical tree.
            tree.text();
            let vfs = tree.vfs();
            for (path, simple) in &model {
                let node = vfs.lookup(path).unwrap().node;
                match simple {
                    Simple::Directory => prop_assert_eq!(node, Node::Directory),
                    Simple::Link(target) => {
                        prop_assert_eq!(node, Node::Symlink { target: target.clone().into_bytes() });
                    }
                    Simple::File(id) => {
                        let text = io::read_to_string(vfs.open_file(path).unwrap()).unwrap();
                        prop_assert_eq!(text, id.to_string());
                    }
                }
            }
            let count = tree.text().lines().count();
            prop_assert_eq!(count, model.len());
            prop_assert_eq!(tree.outside(), before);
        }
    }
}
