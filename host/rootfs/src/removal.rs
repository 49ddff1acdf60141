//! Removes whole trees, whatever their modes and depth are.
//!
//! Never follows a link. Works with a bounded number of open directories: what lies deeper is first moved up.
//! Must only be given trees that nothing else changes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, Dir, FileType, Mode};
use rustix::io::Errno;

use crate::layer_disk::{open_child_directory, stat};

/// Directories that are open at once while a tree is removed.
const MAX_DEPTH: usize = 32;

/// Removes `name` in `parent` with all that is in it; nothing there is fine.
///
/// # Errors
/// Reports what cannot be removed even after the builder gave itself access.
pub(crate) fn remove_tree(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    let mut removal = Removal { top: parent.as_fd(), deep: Vec::new(), moved: 0, stem: name };
    removal.remove(parent.as_fd(), name, 0)?;
    while let Some(deep) = removal.deep.pop() {
        removal.remove(parent.as_fd(), &deep, 0)?;
    }
    Ok(())
}

struct Removal<'a> {
    /// The directory that what lies too deep is moved to.
    top: BorrowedFd<'a>,
    deep: Vec<OsString>,
    moved: usize,
    stem: &'a OsStr,
}

impl Removal<'_> {
    fn remove(&mut self, parent: BorrowedFd<'_>, name: &OsStr, depth: usize) -> io::Result<()> {
        let kind = match stat(parent, name) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if kind != FileType::Directory {
            return Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?);
        }
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::ACCESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        give_access(parent, name)?;
        if depth == MAX_DEPTH {
            return self.move_up(parent, name);
        }
        let directory = open_child_directory(parent, name)?;
        for child in names(&directory)? {
            self.remove(directory.as_fd(), &child, depth + 1)?;
        }
        Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        let mut moved = self.stem.to_owned();
        moved.push(format!(".deep-{}", self.moved));
        self.moved += 1;
        rustix::fs::renameat(parent, name, self.top, &moved)?;
        self.deep.push(moved);
        Ok(())
    }
}

/// Lets the builder read, change and enter a directory whose mode says otherwise.
fn give_access(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let mode = Mode::from_raw_mode(stat(parent, name)?.st_mode);
    if mode.contains(Mode::RWXU) {
        return Ok(());
    }
    match rustix::fs::chmodat(parent, name, mode | Mode::RWXU, AtFlags::empty()) {
        // Then the access that there is must do.
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Lists the names in an opened directory.
pub(crate) fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_disk::create_directory;
    use crate::test_archive::scratch_directory;

    #[test]
    fn removes_deep_and_closed_directories() {
        let scratch = scratch_directory();
        let dir = scratch.dir();
        create_directory(dir, OsStr::new("top")).unwrap();
        let mut directory = open_child_directory(dir, OsStr::new("top")).unwrap();
        for depth in 0..2500 {
            create_directory(&directory, OsStr::new("d")).unwrap();
            rustix::fs::symlinkat("/", &directory, "link").unwrap();
            let next = open_child_directory(&directory, OsStr::new("d")).unwrap();
            if depth % 50 == 0 {
                rustix::fs::fchmod(&directory, Mode::empty()).unwrap();
            }
            directory = next;
        }
        drop(directory);
        remove_tree(dir, OsStr::new("top")).unwrap();
        assert_eq!(dir.entries().unwrap().count(), 0);
        remove_tree(dir, OsStr::new("top")).unwrap();
    }
}
