//! `ADD` of a local archive: its members unpacked into a step's tree.
//!
//! Decides what is an archive (by content: a tar header, compressed or not) and what each member does to the
//! tree; `TarReader` reads, `Vfs` writes. Behaves as BuildKit does (`solver/llbsolver/file`, `applyRootArchive`):
//! - the destination is the root of all that follows: links on a member's way are followed inside of it, and what
//!   leads above it, by name or by link, is an error;
//! - a member replaces what is at its path, except that directories are merged; the last member's attributes win;
//! - owners are the archive's unless one is given; directories that no member names are root's, with mode 0755;
//! - devices and named pipes are passed over, and the archive's own `.` leaves the destination as it is.

use std::io::{self, Read};

use cap_std::fs::File;
use zoea_model::{Attributes, Node, Timestamp, TreePath};

use crate::compression::decompress;
use crate::error::printable;
use crate::member_budget::MemberBudget;
use crate::resolve::{self, AboveRoot, LastLink, Rules, Unresolved};
use crate::tar_header::checksum_matches;
use crate::tar_reader::{BLOCK_SIZE, Member, MemberKind, TarReader};
use crate::{Content, Owner, RootfsError, Vfs, xattr};

/// An archive that is to be unpacked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Archive<'a> {
    /// Its place in the source tree.
    pub(crate) name: &'a TreePath,
    /// The owner of all that is unpacked; without one, the archive's.
    pub(crate) owner: Option<Owner>,
}

/// Says whether the file begins with a tar header, compressed or not. What cannot be read is no archive: whoever
/// copies the file then reports why.
pub fn is_archive(file: File) -> bool {
    let mut block = [0; BLOCK_SIZE];
    let read = decompress(file).and_then(|(_, mut bytes)| bytes.read_exact(&mut block));
    read.is_ok() && block.iter().any(|byte| *byte != 0) && checksum_matches(&block)
}

/// Unpacks the archive `file` into the directory `root`, which holds no link in its path.
pub(crate) fn unpack(
    vfs: &mut Vfs<'_>,
    file: File,
    archive: &Archive<'_>,
    root: &TreePath,
) -> Result<(), RootfsError> {
    let failed = |source| RootfsError::ReadArchive { archive: archive.name.clone(), source };
    let (_, bytes) = decompress(file).map_err(failed)?;
    let mut reader = TarReader::new(bytes);
    let mut unpacking = Unpacking { vfs, archive, root, directories: Vec::new() };
    let mut budget = MemberBudget::new();
    while let Some(member) = reader.next_member().map_err(failed)? {
        budget.spend(&member).map_err(failed)?;
        unpacking.member(&member, &mut reader)?;
    }
    unpacking.finish()
}

/// Tells damage of the archive, met while a file is written, from what stops the writing.
struct Watched<'a> {
    content: &'a mut dyn Read,
    damage: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let kind = error.kind();
                self.damage = Some(error);
                Err(kind.into())
            }
            other => other,
        }
    }
}

struct Unpacking<'a, 'vfs> {
    vfs: &'a mut Vfs<'vfs>,
    archive: &'a Archive<'a>,
    root: &'a TreePath,
    /// The directories with the times that they get at the end, when nothing more is put into them.
    directories: Vec<(TreePath, Timestamp)>,
}

impl Unpacking<'_, '_> {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), RootfsError> {
        if let MemberKind::CharacterDevice(_) | MemberKind::BlockDevice(_) | MemberKind::Fifo = member.kind {
            return Ok(());
        }
        let name = self.clean(member, &member.path)?;
        if name.is_root() {
            return Ok(());
        }
        let path = self.place(member, &name)?;
        let made = Attributes::root_owned(0o755, self.vfs.now());
        self.vfs.create_dir_all(&path.parent().unwrap_or_default(), &made)?;
        let existing = self.vfs.lookup(&path);
        let attributes = self.attributes(member);
        if member.kind == MemberKind::Directory {
            return self.directory(path, existing.map(|entry| entry.node), attributes);
        }
        if existing.is_some_and(|entry| entry.node.is_directory()) {
            self.vfs.remove(&path)?;
        }
        match &member.kind {
            MemberKind::File { .. } => {
                let mut watched = Watched { content, damage: None };
                let written = self.vfs.write_file(&path, Content::Reader(&mut watched), &attributes);
                match watched.damage {
                    Some(source) => {
                        Err(RootfsError::ReadArchive { archive: self.archive.name.clone(), source })
                    }
                    None => written,
                }
            }
            MemberKind::Symlink { target } => {
                let attributes = Attributes { mode: 0o777, ..attributes };
                self.vfs.create_symlink(&path, target, &attributes)
            }
            MemberKind::HardLink { target } => {
                let target = self.clean(member, target)?;
                let target = self.place(member, &target)?;
                if target.starts_with(&path) && target != path {
                    return Err(self.refused(member, "its target lies below itself"));
                }
                self.vfs.create_hard_link(&target, &path)?;
                match self.vfs.lookup(&path).map(|entry| entry.node) {
                    Some(Node::File { .. }) => self.vfs.set_attributes(&path, &attributes),
                    _ => Ok(()),
                }
            }
            MemberKind::Directory
            | MemberKind::CharacterDevice(_)
            | MemberKind::BlockDevice(_)
            | MemberKind::Fifo => Ok(()),
        }
    }

    fn directory(
        &mut self,
        path: TreePath,
        existing: Option<Node>,
        mut attributes: Attributes,
    ) -> Result<(), RootfsError> {
        match existing {
            Some(Node::Directory) => {
                let before = self.vfs.lookup(&path).map(|entry| entry.attributes.xattrs);
                for (name, value) in before.unwrap_or_default() {
                    attributes.xattrs.entry(name).or_insert(value);
                }
                self.vfs.set_attributes(&path, &attributes)?;
            }
            Some(_) => {
                self.vfs.remove(&path)?;
                self.vfs.create_dir(&path, &attributes)?;
            }
            None => self.vfs.create_dir(&path, &attributes)?,
        }
        self.directories.push((path, attributes.mtime));
        Ok(())
    }

    /// Gives the directories their times, in the archive's order.
    fn finish(self) -> Result<(), RootfsError> {
        for (path, mtime) in self.directories {
            if let Some(entry) = self.vfs.lookup(&path).filter(|entry| entry.node.is_directory()) {
                self.vfs.set_attributes(&path, &Attributes { mtime, ..entry.attributes })?;
            }
        }
        Ok(())
    }

    fn attributes(&self, member: &Member) -> Attributes {
        let mut attributes = member.attributes.clone();
        attributes.xattrs.retain(|name, _| xattr::is_kept(name));
        // As BuildKit, which has no times before the epoch.
        attributes.mtime = attributes.mtime.max(Timestamp::EPOCH);
        if let Some(owner) = self.archive.owner {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid);
        }
        attributes
    }

    /// Reads a name of the archive; `..` may go back to the archive's root and not beyond.
    fn clean(&self, member: &Member, name: &[u8]) -> Result<TreePath, RootfsError> {
        let mut path = TreePath::root();
        for component in name.split(|byte| *byte == b'/') {
            path = match component {
                b".." => path.parent().ok_or_else(|| self.refused(member, "it leads out of the archive"))?,
                name => path.join(name).map_err(|_| self.refused(member, "a name holds a NUL byte"))?,
            };
        }
        Ok(path)
    }

    /// Follows the links on the way to `name`, inside of the destination.
    fn place(&self, member: &Member, name: &TreePath) -> Result<TreePath, RootfsError> {
        let link = |path: &TreePath| -> Result<Option<Vec<u8>>, RootfsError> {
            let node = self.vfs.lookup(&self.below_root(path)?).map(|entry| entry.node);
            Ok(match node {
                Some(Node::Symlink { target }) => Some(target),
                _ => None,
            })
        };
        let rules = Rules { above_root: AboveRoot::Refused, last_link: LastLink::Kept };
        let resolved = resolve::resolve(name, rules, link).map_err(|error| match error {
            Unresolved::TooManyLinks => self.refused(member, "there are too many links on its way"),
            Unresolved::AboveRoot => self.refused(member, "a link on its way leads out of the destination"),
            Unresolved::NulByte => self.refused(member, "a link on its way holds a NUL byte"),
            Unresolved::Lookup(error) => error,
        })?;
        self.below_root(&resolved)
    }

    fn below_root(&self, path: &TreePath) -> Result<TreePath, RootfsError> {
        self.vfs.child(self.root, path.as_bytes())
    }

    fn refused(&self, member: &Member, reason: &'static str) -> RootfsError {
        let archive = self.archive.name.clone();
        RootfsError::ArchiveEntry { archive, entry: printable(&member.path), reason }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::scratch_tree::{NOW, ScratchTree, attributes, path, write};

    /// One member: flag, name, link target, content.
    type Row<'a> = (u8, &'a str, &'a str, &'a str);

    fn archive(rows: &[Row<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (flag, name, target, content) in rows {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.as_old_mut().linkflag = [*flag];
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            header.set_uid(21);
            header.set_gid(22);
            header.set_mtime(23);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(content.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        File::from_std(file)
    }

    fn add(tree: &mut ScratchTree, rows: &[Row<'_>], to: &str) -> Result<(), RootfsError> {
        let name = path("a.tar");
        let archived = Archive { name: &name, owner: None };
        unpack(&mut tree.vfs(), file(&archive(rows)), &archived, &path(to))
    }

    #[test]
    fn archives_are_told_by_their_content() {
        let plain = archive(&[(b'0', "f", "", "text")]);
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        assert!(is_archive(file(&plain)) && is_archive(file(&zstd)));
        let text = zstd::encode_all(&b"some text".repeat(100)[..], 1).unwrap();
        for other in [&b""[..], b"text", &[0; 2048], &[b'a'; 2048], &zstd[..20], text.as_slice()] {
            assert!(!is_archive(file(other)));
        }
    }

    #[test]
    fn members_are_unpacked_over_what_is_there() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("r/d/x"), &attributes(0o700, 1)).unwrap();
        vfs.create_dir_all(&path("r/gone/y"), &attributes(0o700, 1)).unwrap();
        write(&mut vfs, "r/d/x/old", "old");
        let rows = [
            (b'5', "./", "", ""),
            (b'5', "d", "", ""),
            (b'0', "/d/f", "", "new"),
            (b'0', "gone", "", "file now"),
            (b'1', "d/g", "./d/f", ""),
            (b'2', "l", "/d", ""),
            (b'0', "l/through", "", "t"),
            (b'3', "null", "", ""),
            (b'6', "pipe", "", ""),
            (b'0', "made/../made/f", "", "m"),
        ];
        add(&mut tree, &rows, "r").unwrap();
        let now = NOW.seconds;
        assert_eq!(
            tree.text(),
            format!(
                "/r 0:0 700 {now} directory\n/r/d 21:22 640 23 directory\n/r/d/f 21:22 640 23 file new\n\
                 /r/d/g 21:22 640 23 file new = /r/d/f\n/r/d/through 21:22 640 23 file t\n\
                 /r/d/x 0:0 700 {now} directory\n/r/d/x/old 0:0 644 5 file old\n\
                 /r/gone 21:22 640 23 file file now\n/r/l 21:22 777 23 link /d\n\
                 /r/made 0:0 755 {now} directory\n/r/made/f 21:22 640 23 file m\n"
            )
        );
    }

    #[test]
    fn given_owner_wins() {
        let mut tree = ScratchTree::new();
        let name = path("a.tar");
        let archived = Archive { name: &name, owner: Some(Owner { uid: 1, gid: 2 }) };
        let bytes = archive(&[(b'0', "f", "", "")]);
        unpack(&mut tree.vfs(), file(&bytes), &archived, &TreePath::root()).unwrap();
        assert_eq!(tree.text(), "/f 1:2 640 23 file \n");
    }

    #[test]
    fn nothing_leads_out_of_the_destination() {
        let hostile: [&[Row<'_>]; 7] = [
            &[(b'0', "../outside/f", "", "x")],
            &[(b'0', "a/../../f", "", "x")],
            &[(b'2', "up", "../..", ""), (b'0', "up/f", "", "x")],
            &[(b'2', "loop", "loop", ""), (b'0', "loop/f", "", "x")],
            &[(b'1', "h", "../secret", "")],
            &[(b'1', "h", "missing", "")],
            &[(b'1', "a", "a/b", "")],
        ];
        for rows in hostile {
            let mut tree = ScratchTree::new();
            tree.vfs().create_dir(&path("r"), &attributes(0o755, 1)).unwrap();
            write(&mut tree.vfs(), "secret", "secret");
            let before = tree.outside();
            add(&mut tree, rows, "r").unwrap_err();
            assert_eq!(tree.outside(), before);
            assert!(!tree.text().contains("file x"), "{rows:?}");
        }
    }

    #[test]
    fn absolute_links_stay_below_the_destination() {
        let mut tree = ScratchTree::new();
        tree.vfs().create_dir(&path("r"), &attributes(0o755, 1)).unwrap();
        let rows = [(b'2', "l", "/outside", ""), (b'0', "l/f", "", "x")];
        add(&mut tree, &rows, "r").unwrap();
        assert!(tree.text().contains("/r/outside/f 21:22 640 23 file x\n"));
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let mut tree = ScratchTree::new();
        let bytes = archive(&[(b'0', "f", "", &"x".repeat(2000))]);
        let name = path("a.tar");
        let archived = Archive { name: &name, owner: None };
        let cut = file(&bytes[..1500]);
        let error = unpack(&mut tree.vfs(), cut, &archived, &TreePath::root()).unwrap_err();
        assert!(matches!(error, RootfsError::ReadArchive { .. }) && error.hint().unwrap().contains("COPY"));
    }
}
