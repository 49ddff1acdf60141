//! A step's tree in a temporary directory, for tests.
//!
//! Beside the tree lies a directory that nothing may ever touch. Holds no expectation itself.

use std::ffi::OsString;
use std::io::{self, Read as _};

use cap_std::fs::{Dir, File, MetadataExt as _};
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;
use zoea_model::{Attributes, Entry, Node, Timestamp, TreePath};

use crate::rootfs::RootfsParts;
use crate::{Baseline, Content, CopyTree, Rootfs, Vfs};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_000_000_000);

pub(crate) struct ScratchTree {
    pub(crate) temporary: TempDir,
    pub(crate) rootfs: Rootfs,
}

pub(crate) fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

pub(crate) fn attributes(mode: u32, seconds: i64) -> Attributes {
    Attributes::root_owned(mode, Timestamp::from_seconds(seconds))
}

pub(crate) fn open_directory(path: &std::path::Path) -> Dir {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Dir::from_std_file(rustix::fs::open(path, flags, Mode::empty()).unwrap().into())
}

impl ScratchTree {
    pub(crate) fn new() -> Self {
        let temporary = TempDir::new().unwrap();
        let around = open_directory(temporary.path());
        around.create_dir("tree").unwrap();
        around.create_dir("outside").unwrap();
        around.write("outside/secret", "secret").unwrap();
        let host_path = temporary.path().join("tree");
        let rootfs = Rootfs::new(RootfsParts {
            dir: open_directory(&host_path),
            host_path,
            upper: None,
            lowers: Vec::new(),
            baseline: Baseline::new(),
        });
        Self { temporary, rootfs }
    }

    pub(crate) fn vfs(&mut self) -> Vfs<'_> {
        self.rootfs.vfs(NOW)
    }

    /// Says what is beside the tree.
    pub(crate) fn outside(&self) -> Vec<String> {
        let outside = open_directory(&self.temporary.path().join("outside"));
        let mut rows: Vec<String> = outside
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let content = outside.read_to_string(entry.file_name()).unwrap();
                format!("{}={content}", entry.file_name().display())
            })
            .collect();
        rows.sort();
        rows
    }

    /// Writes the logical tree, one row per entry, content included; fails where the disk disagrees.
    pub(crate) fn text(&mut self) -> String {
        let vfs = self.vfs();
        let mut rows = Vec::new();
        let mut pending = vec![TreePath::root()];
        while let Some(directory) = pending.pop() {
            let disk = vfs_names(&vfs, &directory);
            let logical: Vec<String> =
                vfs.read_dir(&directory).unwrap().iter().map(|name| name.to_str().unwrap().into()).collect();
            assert_eq!(disk, logical, "names in {directory}");
            for name in logical {
                let path = directory.join(&name).unwrap();
                let entry = vfs.lookup(&path).unwrap();
                rows.push((path.clone(), row(&vfs, &path, &entry)));
                if entry.node.is_directory() {
                    pending.push(path);
                }
            }
        }
        rows.sort();
        rows.into_iter().map(|(_, row)| row + "\n").collect()
    }
}

fn vfs_names(vfs: &Vfs<'_>, directory: &TreePath) -> Vec<String> {
    let entries = vfs.dir().read_dir(directory.as_relative()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn row(vfs: &Vfs<'_>, path: &TreePath, entry: &Entry) -> String {
    let Attributes { uid, gid, mode, mtime, xattrs } = &entry.attributes;
    let what = match &entry.node {
        Node::File { size, .. } => {
            let mut text = String::new();
            vfs.open_file(path).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(*size, text.len() as u64, "size of {path}");
            format!("file {text}")
        }
        Node::Directory => "directory".into(),
        Node::Symlink { target } => {
            let disk = vfs.dir().read_link_contents(path.as_relative()).unwrap();
            assert_eq!(disk.as_os_str().as_encoded_bytes(), target, "target of {path}");
            format!("link {}", String::from_utf8_lossy(target))
        }
        Node::CharacterDevice(number) => format!("character {}:{}", number.major, number.minor),
        Node::BlockDevice(number) => format!("block {}:{}", number.major, number.minor),
        Node::Fifo => "fifo".into(),
    };
    let stat = vfs.dir().symlink_metadata(path.as_relative()).unwrap();
    let disk_time = stat.mtime();
    assert_eq!(disk_time, mtime.seconds, "time of {path}");
    let xattrs: String = xattrs
        .iter()
        .map(|(name, value)| format!(" {}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
        .collect();
    let link = entry.hard_link_to.as_ref().map_or(String::new(), |first| format!(" = {first}"));
    format!("{path} {uid}:{gid} {mode:o} {} {what}{xattrs}{link}", mtime.seconds)
}

/// Writes a file with `text`.
pub(crate) fn write(vfs: &mut Vfs<'_>, name: &str, text: &str) {
    vfs.write_file(&path(name), Content::Reader(&mut text.as_bytes()), &attributes(0o644, 5)).unwrap();
}

/// The same tree as a source of copies.
impl CopyTree for ScratchTree {
    fn lookup(&self, path: &TreePath) -> io::Result<Option<Entry>> {
        Ok(self.rootfs.entry(path))
    }

    fn children(&self, path: &TreePath) -> io::Result<Vec<OsString>> {
        let entries = self.rootfs.dir().read_dir(path.as_relative())?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn open(&self, path: &TreePath) -> io::Result<File> {
        self.rootfs.dir().open(path.as_relative())
    }

    fn hard_link_id(&self, path: &TreePath) -> Option<(u64, u64)> {
        let stat = self.rootfs.dir().symlink_metadata(path.as_relative()).ok()?;
        (stat.nlink() > 1).then(|| (stat.dev(), stat.ino()))
    }

    fn is_ignored(&self, path: &TreePath) -> bool {
        path.as_bytes() == b"ignored"
    }
}
