//! Writing the tree of a commit.
//!
//! Reads the tree and its blobs from git and makes the files itself: no checkout filter runs, no attribute counts,
//! no name reaches the kernel unchecked. Invariant: everything is made new in a directory that was made just before,
//! so that no link of the tree is ever followed.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{ChildStdin, ChildStdout, Stdio};

use cap_std::fs::{Dir, OpenOptions};
use rustix::fs::{AtFlags, Mode, Timespec, Timestamps};
use zoea_model::{Timestamp, TreePath};

use crate::FetchError;
use crate::git_program::{Git, RunningGit};

/// How many entries a tree may have: ten times the largest known ones. A small repository can describe endless
/// trees by naming one directory again and again.
const MOST_ENTRIES: u64 = 5_000_000;
/// How deep it may be: each directory above the current one is open.
const DEEPEST: usize = 256;
/// As long as a link's target or an entry's line may be (`PATH_MAX`, and what stands before the path).
const LONGEST: u64 = 4096 + 256;

/// A commit of another repository in the tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gitlink {
    pub(crate) path: TreePath,
    pub(crate) commit: String,
}

/// Writes a tree.
#[derive(Debug)]
pub(crate) struct TreeWriter<'a> {
    pub(crate) git: &'a Git<'a>,
    /// The time of everything; that of writing by default.
    pub(crate) time: Option<Timestamp>,
    /// How many bytes it may write yet.
    pub(crate) room: &'a mut u64,
}

impl TreeWriter<'_> {
    /// Writes the tree `tree`, a revision of git, into the empty `root`; returns the repositories that it refers to.
    pub(crate) fn write(&mut self, tree: &str, root: Dir) -> Result<Vec<Gitlink>, FetchError> {
        let mut listing =
            self.git.start(&["ls-tree", "-r", "-t", "-z", "--full-tree", tree], Stdio::null())?;
        let mut lines = BufReader::new(piped(listing.child.stdout.take())?);
        let mut blobs = Blobs::start(self.git)?;
        let mut gitlinks = Vec::new();
        let mut open = vec![(TreePath::root(), root)];
        let mut count = 0;
        while let Some(entry) = Listed::read(&mut lines)? {
            count += 1;
            if count > MOST_ENTRIES {
                return Err(entry.refused("the tree has more than 5000000 entries"));
            }
            let parent = entry.path.parent().unwrap_or_default();
            while open.last().is_some_and(|(path, _)| *path != parent) {
                self.close(open.pop())?;
            }
            let depth = open.len();
            let Some((_, directory)) = open.last() else {
                return Err(entry.refused("its directory is none"));
            };
            let name = Path::of(&entry)?;
            match entry.mode.as_str() {
                "040000" if depth >= DEEPEST => return Err(entry.refused("it is too deep")),
                "040000" => {
                    let made = name.create_directory(directory).map_err(|error| entry.failed(error))?;
                    open.push((entry.path, made));
                }
                "160000" => {
                    let made = name.create_directory(directory).map_err(|error| entry.failed(error))?;
                    set_directory_time(&made, self.time).map_err(|error| entry.failed(error))?;
                    gitlinks.push(Gitlink { path: entry.path, commit: entry.object });
                }
                "120000" => {
                    let mut target = Vec::new();
                    blobs.copy(&entry, LONGEST, &mut target)?;
                    name.create_link(directory, &target, self.time).map_err(|error| entry.failed(error))?;
                }
                "100644" | "100664" => self.file(&mut blobs, &entry, directory, 0o644)?,
                "100755" => self.file(&mut blobs, &entry, directory, 0o755)?,
                _ => return Err(entry.refused("its mode is none of git's")),
            }
        }
        while !open.is_empty() {
            self.close(open.pop())?;
        }
        match listing.child.wait() {
            Ok(status) if status.success() => Ok(gitlinks),
            Ok(_) | Err(_) => Err(listing.fail("it ended early")),
        }
    }

    fn file(
        &mut self,
        blobs: &mut Blobs,
        entry: &Listed,
        directory: &Dir,
        mode: u32,
    ) -> Result<(), FetchError> {
        let options = OpenOptions::new().write(true).create_new(true).clone();
        let name = Path::of(entry)?;
        let file = directory.open_with(name.0, &options).map_err(|error| entry.failed(error))?.into_std();
        let size = blobs.copy(entry, *self.room, &mut &file)?;
        *self.room = self.room.saturating_sub(size);
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| entry.failed(error.into()))?;
        set_time(&file, self.time).map_err(|error| entry.failed(error))
    }

    /// A directory that is whole gets its time.
    fn close(&self, directory: Option<(TreePath, Dir)>) -> Result<(), FetchError> {
        match directory {
            Some((_, directory)) => set_directory_time(&directory, self.time).map_err(FetchError::Store),
            None => Ok(()),
        }
    }
}

/// One line of `git ls-tree`.
struct Listed {
    mode: String,
    object: String,
    path: TreePath,
}

impl Listed {
    fn read(lines: &mut impl BufRead) -> Result<Option<Self>, FetchError> {
        let mut line = Vec::new();
        lines.take(LONGEST).read_until(0, &mut line).map_err(FetchError::Store)?;
        if line.is_empty() {
            return Ok(None);
        }
        let malformed = || FetchError::GitTree {
            path: String::from_utf8_lossy(&line).escape_debug().to_string(),
            reason: "its name is malformed or too long",
        };
        let text = line.strip_suffix(b"\0").ok_or_else(malformed)?;
        let tab = text.iter().position(|byte| *byte == b'\t').ok_or_else(malformed)?;
        let (head, path) = (text.get(..tab).unwrap_or_default(), text.get(tab + 1..).unwrap_or_default());
        let head = std::str::from_utf8(head).map_err(|_| malformed())?;
        let mut words = head.split(' ');
        let (Some(mode), Some(_), Some(object)) = (words.next(), words.next(), words.next()) else {
            return Err(malformed());
        };
        let path = TreePath::new(path).ok().filter(|tree_path| tree_path.as_bytes() == path);
        let path = path.ok_or_else(malformed)?;
        Ok(Some(Self { mode: mode.to_owned(), object: object.to_owned(), path }))
    }

    fn refused(&self, reason: &'static str) -> FetchError {
        FetchError::GitTree { path: self.path.to_string(), reason }
    }

    fn failed(&self, error: io::Error) -> FetchError {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return self.refused("it is there twice");
        }
        FetchError::Store(error)
    }
}

/// One name in an open directory.
struct Path<'a>(&'a std::path::Path);

impl<'a> Path<'a> {
    fn of(entry: &'a Listed) -> Result<Self, FetchError> {
        let name = entry.path.file_name().unwrap_or_default();
        if name.is_empty() || name.eq_ignore_ascii_case(".git") {
            return Err(entry.refused("a file of git itself must not be in a tree"));
        }
        Ok(Self(std::path::Path::new(name)))
    }

    /// Makes a directory and opens it: just made, it is no link.
    fn create_directory(&self, parent: &Dir) -> io::Result<Dir> {
        parent.create_dir(self.0)?;
        let directory = parent.open_dir(self.0)?;
        set_mode(&directory)?;
        Ok(directory)
    }

    fn create_link(&self, parent: &Dir, target: &[u8], time: Option<Timestamp>) -> io::Result<()> {
        rustix::fs::symlinkat(OsStr::from_bytes(target), parent, self.0)?;
        if let Some(time) = time {
            rustix::fs::utimensat(parent, self.0, &timestamps(time), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}

/// Gives a directory the mode that git's have; its handle may be one that only names it.
pub(crate) fn set_mode(directory: &Dir) -> io::Result<()> {
    Ok(rustix::fs::chmodat(directory, ".", Mode::from_raw_mode(0o755), AtFlags::empty())?)
}

fn set_directory_time(directory: &Dir, time: Option<Timestamp>) -> io::Result<()> {
    match time {
        Some(time) => Ok(rustix::fs::utimensat(directory, ".", &timestamps(time), AtFlags::empty())?),
        None => Ok(()),
    }
}

fn set_time(file: impl std::os::fd::AsFd, time: Option<Timestamp>) -> io::Result<()> {
    match time {
        Some(time) => Ok(rustix::fs::futimens(file, &timestamps(time))?),
        None => Ok(()),
    }
}

fn timestamps(time: Timestamp) -> Timestamps {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// A running `git cat-file --batch`: gives blobs, one after the other.
struct Blobs {
    running: RunningGit,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Blobs {
    fn start(git: &Git<'_>) -> Result<Self, FetchError> {
        let mut running = git.start(&["cat-file", "--batch"], Stdio::piped())?;
        let orders = piped(running.child.stdin.take())?;
        let answers = BufReader::new(piped(running.child.stdout.take())?);
        Ok(Self { running, orders, answers })
    }

    /// Copies the content of an entry, of `most` bytes at most, and returns its length.
    fn copy(&mut self, entry: &Listed, most: u64, to: &mut impl Write) -> Result<u64, FetchError> {
        let mut header = String::new();
        let asked = writeln!(self.orders, "{}", entry.object).and_then(|()| self.orders.flush());
        let answered = asked.and_then(|()| (&mut self.answers).take(LONGEST).read_line(&mut header));
        let size = match header.trim_end().rsplit_once(" blob ") {
            Some((_, size)) if answered.is_ok() => size.parse::<u64>().ok(),
            Some(_) | None => None,
        };
        let Some(size) = size else { return Err(self.running.fail("an object is missing")) };
        if size > most {
            return Err(entry.refused("it is larger than what is fetched"));
        }
        let copied = io::copy(&mut (&mut self.answers).take(size), to).map_err(FetchError::Store)?;
        let mut end = [0];
        match self.answers.read_exact(&mut end) {
            Ok(()) if copied == size => Ok(size),
            Ok(()) | Err(_) => Err(self.running.fail("an object is incomplete")),
        }
    }
}

fn piped<T>(end: Option<T>) -> Result<T, FetchError> {
    end.ok_or_else(|| FetchError::Store(io::ErrorKind::BrokenPipe.into()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::fs::OFlags;
    use tempfile::TempDir;

    use super::*;
    use crate::GitProgram;

    /// An entry of a tree: mode, name, and the object or what is in it.
    type Entry<'a> = (&'a str, &'a str, &'a str);

    struct Place {
        directory: TempDir,
        program: GitProgram,
    }

    impl Place {
        fn new() -> Self {
            #[expect(clippy::disallowed_methods, reason = "tests start git themselves")]
            let place =
                Self { directory: TempDir::new().unwrap(), program: GitProgram::new(|| Command::new("git")) };
            place.open().create_dir("out").unwrap();
            place.with_git(|git| drop(git.run(&["init", "--quiet", "--bare"]).unwrap()));
            place
        }

        fn open(&self) -> Dir {
            let opened = rustix::fs::open(self.directory.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
            Dir::from_std_file(opened.into())
        }

        fn with_git<T>(&self, action: impl FnOnce(&Git<'_>) -> T) -> T {
            let (directory, configuration) = (self.open(), Vec::new());
            let (program, repository) = (&self.program, "repository");
            let (largest, patience) = (1 << 30, std::time::Duration::from_secs(60));
            action(&Git { program, directory: &directory, repository, configuration, largest, patience })
        }

        fn object(&self, kind: &str, content: &[u8]) -> String {
            self.open().write("object", content).unwrap();
            let arguments = ["hash-object", "-w", "-t", kind, "--literally", "object"];
            let output = self.with_git(|git| git.run(&arguments).unwrap());
            String::from_utf8(output).unwrap().trim_end().to_owned()
        }

        /// Makes a tree object as it is told, however wrong.
        fn tree(&self, entries: &[Entry<'_>]) -> String {
            let mut bytes = Vec::new();
            for (mode, name, object) in entries {
                bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
                let pairs = object.as_bytes().chunks(2);
                bytes.extend(
                    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
                );
            }
            self.object("tree", &bytes)
        }

        fn write(&self, tree: &str, mut room: u64) -> Result<Vec<Gitlink>, FetchError> {
            let out = self.open().open_dir("out").unwrap();
            self.with_git(|git| TreeWriter { git, time: None, room: &mut room }.write(tree, out))
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["..", ".", ".git", ".GiT", "a/b", ""] {
            let place = Place::new();
            let blob = place.object("blob", b"x");
            let inner = place.tree(&[("100644", name, &blob)]);
            for tree in
                [&inner, &place.tree(&[("40000", "d", &inner)]), &place.tree(&[("40000", name, &inner)])]
            {
                assert!(place.write(tree, 1 << 20).is_err(), "{name}");
            }
            assert!(!place.directory.path().join("b").exists());
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = Place::new();
        let (target, blob) = (place.object("blob", b".."), place.object("blob", b"x"));
        let inner = place.tree(&[("100644", "escaped", &blob)]);
        let tree = place.tree(&[("120000", "a", &target), ("40000", "a", &inner)]);
        let error = place.write(&tree, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("twice"), "{error}");
        assert!(!place.directory.path().join("escaped").exists());
    }

    #[test]
    fn trees_have_limits() {
        let place = Place::new();
        let blob = place.object("blob", &[b'x'; 1000]);
        let files = place.tree(&[("100644", "a", &blob), ("100644", "b", &blob)]);
        let error = place.write(&files, 1500).unwrap_err().to_string();
        assert!(error.contains("`/b`") && error.contains("larger"), "{error}");
        let place = Place::new();
        let mut tree = place.tree(&[("100644", "a", &place.object("blob", b""))]);
        for _ in 0..DEEPEST {
            tree = place.tree(&[("40000", "d", &tree)]);
        }
        let error = place.write(&tree, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("too deep"), "{error}");
    }
}
