//! A local directory as a read-only tree with its ignore rules applied.
//!
//! Owns looking at and opening what the rules leave in; copies nothing. Attributes are what BuildKit's client
//! sends of a local context: owner and group 0, mode, time and extended attributes as they are; sockets are not
//! there. Invariants: no symbolic link is ever followed, so nothing outside is reached whatever changes meanwhile;
//! an ignored directory is only there for what the rules take in again below it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cap_std::fs::{Dir, File};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zoea_model::{Attributes, DeviceNumber, Entry, Node, Timestamp, TreePath};

use crate::{ContextError, IgnoreRules, xattr};

/// As long as a path may be for the kernel (`PATH_MAX`); deeper directories cannot be copied anyway.
const MAX_PATH_BYTES: usize = 4096;

/// A build context.
#[derive(Debug)]
pub struct Context {
    dir: Dir,
    rules: IgnoreRules,
    /// Device and inode of directories that are not there.
    hidden: Vec<(u64, u64)>,
    /// For ignored directories: whether something below them is there.
    included_below: Mutex<BTreeMap<TreePath, bool>>,
}

impl Context {
    /// Makes a context of a directory.
    pub fn new(dir: Dir, rules: IgnoreRules) -> Self {
        Self { dir, rules, hidden: Vec::new(), included_below: Mutex::default() }
    }

    /// Makes a context of a directory and the ignore file that is for it; `dockerfile` is where the Dockerfile is.
    ///
    /// # Errors
    /// As [`IgnoreRules::load`].
    pub fn open_with_ignore_file(dir: Dir, dockerfile: Option<(&Dir, &Path)>) -> Result<Self, ContextError> {
        let rules = IgnoreRules::load(&dir, dockerfile)?;
        Ok(Self::new(dir, rules))
    }

    /// Takes a directory out of the context, wherever in it it is: the builder's own must not be copied into itself.
    ///
    /// # Errors
    /// Reports what stopped it from looking.
    pub fn hide(&mut self, directory: &Dir) -> Result<(), ContextError> {
        let stat =
            rustix::fs::fstat(directory).map_err(|errno| ContextError::Open { source: errno.into() })?;
        self.hidden.push((stat.st_dev, stat.st_ino));
        Ok(())
    }

    /// Returns the ignore rules.
    pub fn rules(&self) -> &IgnoreRules {
        &self.rules
    }

    /// Says whether the rules leave `path` out.
    pub fn is_ignored(&self, path: &TreePath) -> bool {
        self.rules.ignores(path)
    }

    /// Returns what `path` is, if it is there; a link in it or at its end is not followed.
    ///
    /// # Errors
    /// Reports what stopped it from looking.
    pub fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        let Some((parent, stat)) = self.stat(path)? else { return Ok(None) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.is_visible(path, kind)? {
            return Ok(None);
        }
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let device = || DeviceNumber {
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        };
        let node = if kind == FileType::RegularFile {
            Node::File { size: u64::try_from(stat.st_size).unwrap_or_default(), digest: None }
        } else if kind == FileType::Directory {
            Node::Directory
        } else if kind == FileType::Symlink {
            Node::Symlink { target: rustix::fs::readlinkat(&parent, name, Vec::new())?.into_bytes() }
        } else if kind == FileType::CharacterDevice {
            Node::CharacterDevice(device())
        } else if kind == FileType::BlockDevice {
            Node::BlockDevice(device())
        } else if kind == FileType::Fifo {
            Node::Fifo
        } else {
            return Ok(None);
        };
        let xattrs = match &node {
            Node::File { .. } | Node::Directory => read_xattrs(&parent, name)?,
            Node::Symlink { .. } | Node::CharacterDevice(_) | Node::BlockDevice(_) | Node::Fifo => {
                BTreeMap::new()
            }
        };
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
        let mtime = Timestamp { seconds: stat.st_mtime, nanoseconds };
        let attributes = Attributes { uid: 0, gid: 0, mode: stat.st_mode & 0o7777, mtime, xattrs };
        Ok(Some(Entry { node, attributes, hard_link_to: None }))
    }

    /// Lists the names in a directory, without those that are surely left out.
    ///
    /// # Errors
    /// Reports what stopped it from reading.
    pub fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        let mut names = self.names(path)?;
        names.retain(|name| {
            path.join(name.as_bytes())
                .is_ok_and(|child| !self.rules.ignores(&child) || self.rules.may_include_below(&child))
        });
        Ok(names)
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// Refuses what is missing, left out or no regular file; reports what stopped it from opening.
    pub fn open(&self, path: &TreePath) -> io::Result<File> {
        let parent = self.parent(path)?.filter(|_| !self.rules.ignores(path));
        let parent = parent.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let file = fs::File::from(rustix::fs::openat(&parent, name, READ_FLAGS, Mode::empty())?);
        if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(File::from_std(file))
    }

    /// Returns the same number for all names of one file that has several.
    pub fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        let (_, stat) = self.stat(path).ok().flatten()?;
        (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino))
    }

    fn is_visible(&self, path: &TreePath, kind: FileType) -> io::Result<bool> {
        if !self.rules.ignores(path) {
            return Ok(true);
        }
        Ok(kind == FileType::Directory && self.includes_below(path)?)
    }

    /// Says whether something below an ignored directory is there, and remembers it.
    fn includes_below(&self, directory: &TreePath) -> io::Result<bool> {
        if let Some(known) = self.remembered().get(directory) {
            return Ok(*known);
        }
        let mut seen = Vec::new();
        let mut pending = vec![directory.clone()];
        while let Some(directory) = pending.pop() {
            if !self.rules.may_include_below(&directory) {
                continue;
            }
            let names = match self.names(&directory) {
                // The rules leave it out, so that it may well be somebody else's.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
                other => other?,
            };
            for name in names {
                let Ok(child) = directory.join(name.as_bytes()) else { continue };
                let Some((_, stat)) = self.stat(&child)? else { continue };
                let kind = FileType::from_raw_mode(stat.st_mode);
                if !self.rules.ignores(&child) && kind != FileType::Socket {
                    let mut remembered = self.remembered();
                    remembered.extend(child.ancestors().map(|above| (above, true)));
                    return Ok(true);
                }
                if kind == FileType::Directory {
                    pending.push(child);
                }
            }
            seen.push((directory, false));
        }
        self.remembered().extend(seen);
        self.remembered().insert(directory.clone(), false);
        Ok(false)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeMap<TreePath, bool>> {
        self.included_below.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        let parent = self.parent(path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let flags = READ_FLAGS | OFlags::DIRECTORY;
        let directory = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
        let entries = Dir::from_std_file(directory.into()).entries()?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Looks at an entry and opens the directory that holds it; hidden ones are not there.
    fn stat(&self, path: &TreePath) -> io::Result<Option<(OwnedFd, Stat)>> {
        let Some(parent) = self.parent(path)? else { return Ok(None) };
        let name = path.file_name().unwrap_or(OsStr::new("."));
        match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if self.hidden.contains(&(stat.st_dev, stat.st_ino)) => Ok(None),
            Ok(stat) => Ok(Some((parent, stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens the directory that holds `path`, one component after the other, none of which may be a link.
    fn parent(&self, path: &TreePath) -> io::Result<Option<OwnedFd>> {
        if path.as_bytes().len() > MAX_PATH_BYTES {
            return Err(Errno::NAMETOOLONG.into());
        }
        let mut directory = self.dir.as_fd().try_clone_to_owned()?;
        for name in path.parent().unwrap_or_default().components() {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            directory = match rustix::fs::openat(&directory, name, flags, Mode::empty()) {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
            if !self.hidden.is_empty() {
                let stat = rustix::fs::fstat(&directory)?;
                if self.hidden.contains(&(stat.st_dev, stat.st_ino)) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(directory))
    }
}

/// Reading never follows a link and never waits for the other end of a named pipe.
const READ_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Reads the kept extended attributes; whoever may not open the file learns that when copying it.
fn read_xattrs(parent: &OwnedFd, name: &OsStr) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    match rustix::fs::openat(parent, name, READ_FLAGS, Mode::empty()) {
        Ok(file) => xattr::read(file),
        Err(Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::LOOP) => Ok(BTreeMap::new()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::XattrFlags;
    use tempfile::TempDir;

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn open_directory(path: &Path) -> Dir {
        Dir::from_std_file(rustix::fs::open(path, OFlags::DIRECTORY, Mode::empty()).unwrap().into())
    }

    /// A directory with a context and a secret beside it.
    fn around() -> (TempDir, Dir) {
        let around = TempDir::new().unwrap();
        let dir = open_directory(around.path());
        dir.create_dir("context").unwrap();
        dir.write("secret", "secret").unwrap();
        let context = open_directory(&around.path().join("context"));
        (around, context)
    }

    fn with_rules(dir: &Dir, text: &str) -> Context {
        let rules = IgnoreRules::parse(Path::new("i"), text.as_bytes()).unwrap();
        Context::new(dir.try_clone().unwrap(), rules)
    }

    /// All paths that are there, found as a copy finds them.
    fn walk(context: &Context) -> Vec<String> {
        let mut found = Vec::new();
        let mut pending = vec![TreePath::root()];
        while let Some(directory) = pending.pop() {
            for name in context.children(&directory).unwrap() {
                let child = directory.join(name.as_bytes()).unwrap();
                let Some(entry) = context.lookup(&child).unwrap() else { continue };
                if entry.node.is_directory() {
                    pending.push(child.clone());
                }
                found.push(child.to_string());
            }
        }
        found.sort();
        found
    }

    #[test]
    fn entries_are_roots_and_otherwise_as_they_are() {
        let (_around, dir) = around();
        dir.write("f", "text").unwrap();
        dir.hard_link("f", &dir, "same").unwrap();
        dir.symlink_contents("/etc/passwd", "link").unwrap();
        rustix::fs::mknodat(&dir, "pipe", FileType::Fifo, Mode::RUSR, 0).unwrap();
        rustix::fs::mknodat(&dir, "socket", FileType::Socket, Mode::RUSR, 0).unwrap();
        rustix::fs::chmodat(&dir, "f", Mode::from_raw_mode(0o4751), AtFlags::empty()).unwrap();
        let file = rustix::fs::openat(&dir, "f", OFlags::RDONLY, Mode::empty()).unwrap();
        let stored = rustix::fs::fsetxattr(&file, "user.a", b"\n1", XattrFlags::empty()).is_ok();
        let context = Context::new(dir, IgnoreRules::none());

        let entry = context.lookup(&path("f")).unwrap().unwrap();
        assert_eq!(entry.node, Node::File { size: 4, digest: None });
        assert_eq!((entry.attributes.uid, entry.attributes.gid, entry.attributes.mode), (0, 0, 0o4751));
        assert!(entry.attributes.mtime.seconds > 1_500_000_000);
        if stored {
            assert_eq!(entry.attributes.xattrs[b"user.a".as_slice()], b"\n1");
        }
        let link = context.lookup(&path("link")).unwrap().unwrap();
        assert_eq!(link.node, Node::Symlink { target: b"/etc/passwd".to_vec() });
        assert_eq!(context.lookup(&path("pipe")).unwrap().unwrap().node, Node::Fifo);
        assert_eq!(context.lookup(&TreePath::root()).unwrap().unwrap().node, Node::Directory);
        assert_eq!(context.lookup(&path("socket")).unwrap(), None);
        assert_eq!(context.lookup(&path("missing/x")).unwrap(), None);
        assert_eq!(context.lookup(&path("f/x")).unwrap(), None);
        assert_eq!(context.hard_link_id(&path("f")), context.hard_link_id(&path("same")));
        assert!(context.hard_link_id(&path("f")).is_some() && context.hard_link_id(&path("link")).is_none());
        assert_eq!(io::read_to_string(context.open(&path("f")).unwrap()).unwrap(), "text");
        assert!(context.open(&path("pipe")).is_err() && context.open(&TreePath::root()).is_err());
    }

    #[test]
    fn links_are_never_followed() {
        let (around, dir) = around();
        dir.create_dir("d").unwrap();
        dir.write("d/f", "").unwrap();
        dir.symlink("d", "inside").unwrap();
        dir.symlink("../secret", "up").unwrap();
        dir.symlink_contents(around.path().join("secret"), "absolute").unwrap();
        dir.symlink("..", "above").unwrap();
        let context = Context::new(dir, IgnoreRules::none());
        for name in ["up", "absolute", "above/secret", "inside/f", "inside"] {
            assert!(context.open(&path(name)).is_err(), "{name}");
        }
        assert_eq!(context.lookup(&path("above/secret")).unwrap(), None);
        assert_eq!(context.lookup(&path("inside/f")).unwrap(), None);
        assert!(context.children(&path("above")).is_err());
        assert!(context.children(&path("inside")).is_err());
    }

    #[test]
    fn rules_are_applied_everywhere() {
        let (_around, dir) = around();
        dir.create_dir_all("docs/deep/er").unwrap();
        dir.create_dir_all("src/empty").unwrap();
        for name in ["docs/a.md", "docs/deep/er/b.md", "docs/c.txt", "src/main.rs", "top.md"] {
            dir.write(name, "").unwrap();
        }
        let all = [
            "/docs",
            "/docs/a.md",
            "/docs/c.txt",
            "/docs/deep",
            "/docs/deep/er",
            "/docs/deep/er/b.md",
            "/src",
            "/src/empty",
            "/src/main.rs",
            "/top.md",
        ];
        assert_eq!(walk(&with_rules(&dir, "")), all);
        assert_eq!(walk(&with_rules(&dir, "docs\n*.md")), ["/src", "/src/empty", "/src/main.rs"]);
        let again = ["/docs", "/docs/deep", "/docs/deep/er", "/docs/deep/er/b.md"];
        assert_eq!(walk(&with_rules(&dir, "*\n!docs/deep/**/*.md")), again);
        assert_eq!(walk(&with_rules(&dir, "*\n!**/b.md")), again);
        assert_eq!(walk(&with_rules(&dir, "*\n!docs/missing")), [""; 0]);
        let context = with_rules(&dir, "docs/a.md");
        assert!(context.open(&path("docs/a.md")).is_err() && context.is_ignored(&path("docs/a.md")));
    }

    #[test]
    fn hidden_directories_are_not_there() {
        let (_around, dir) = around();
        dir.create_dir_all("state/builds").unwrap();
        dir.write("state/builds/f", "").unwrap();
        dir.write("f", "").unwrap();
        let state = dir.open_dir("state").unwrap();
        let mut context = Context::new(dir, IgnoreRules::none());
        context.hide(&state).unwrap();
        assert_eq!(walk(&context), ["/f"]);
        assert_eq!(context.lookup(&path("state/builds/f")).unwrap(), None);
        assert!(context.open(&path("state/builds/f")).is_err());
    }

    #[test]
    fn a_file_that_changes_is_read_as_it_is() {
        let (_around, dir) = around();
        dir.write("f", "long content").unwrap();
        let context = Context::new(dir.try_clone().unwrap(), IgnoreRules::none());
        let file = context.open(&path("f")).unwrap();
        dir.write("f", "short").unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "short");
        dir.remove_file("f").unwrap();
        dir.symlink("../secret", "f").unwrap();
        assert!(context.open(&path("f")).is_err());
    }
}
