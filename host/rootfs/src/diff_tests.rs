//! Diffs against the oracle, on random operations: those of the builder and those of any process.

use std::ffi::OsStr;
use std::io::Write as _;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use zoea_model::{Attributes, DeviceNumber, Timestamp};

use super::*;
use crate::scan::{scan, scan_diff, spelt_out};
use crate::test_archive::{Archive, Header, TestStore, header, in_private_mounts, layer, path};
use crate::{Content, PackOptions, Tree, Vfs, Workspace, pack, text_of_changes};

/// One operation on names of a small set, so that they meet.
#[derive(Debug, Clone)]
enum Operation {
    Directory(String),
    File(String, u8),
    Symlink(String, String),
    HardLink(String, String),
    Fifo(String),
    Device(String),
    Attributes(String, u32, u32),
    Xattr(String, u8),
    Remove(String),
    Rename(String, String),
    /// Opens for writing and puts the times back: an overlay copies up what does not change.
    Untouched(String),
    /// Writes the same number of other bytes and puts the time back.
    SameSize(String),
}

const NAMES: &str = "[abc](/[abc]){0,2}";

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => NAMES.prop_map(Operation::Directory),
        3 => (NAMES, any::<u8>()).prop_map(|(name, content)| Operation::File(name, content)),
        1 => (NAMES, NAMES).prop_map(|(name, target)| Operation::Symlink(name, target)),
        2 => (NAMES, NAMES).prop_map(|(from, to)| Operation::HardLink(from, to)),
        1 => NAMES.prop_map(Operation::Fifo),
        1 => NAMES.prop_map(Operation::Device),
        2 => (NAMES, 0u32..0o200, 0u32..3).prop_map(|(name, mode, owner)| {
            Operation::Attributes(name, mode | 0o600, owner)
        }),
        2 => ("[abc](/[abc])?", any::<u8>()).prop_map(|(name, value)| Operation::Xattr(name, value)),
        3 => NAMES.prop_map(Operation::Remove),
        2 => (NAMES, NAMES).prop_map(|(from, to)| Operation::Rename(from, to)),
        1 => NAMES.prop_map(Operation::Untouched),
        1 => NAMES.prop_map(Operation::SameSize),
    ]
}

fn lower() -> Vec<Vec<u8>> {
    let owned = |name: &str| Header { mode: 0o640, owner: (3, 4), ..header(b'0', name) };
    let first = Archive::new()
        .directory("a")
        .directory("a/a")
        .put(&owned("a/a/b"), b"one")
        .directory("a/b")
        .put(&owned("a/b/a"), b"two")
        .hard_link("a/b/b", "a/b/a")
        .symlink("a/b/c", "../a")
        .directory("b")
        .pax(&[("mtime", b"12.25")])
        .put(&owned("b/a"), b"three")
        .pax(&[("SCHILY.xattr.user.x", b"1")])
        .put(&owned("c"), b"four")
        .end();
    let second = Archive::new()
        .directory("b")
        .file("b/.wh.a", "")
        .directory("b/b")
        .file("b/b/c", "five")
        .directory("a/c")
        .file("a/c/.wh..wh..opq", "")
        .file("a/c/a", "six")
        .end();
    vec![first, second]
}

/// Does what the builder's own view can do; what it refuses is not done.
fn by_builder(rootfs: &mut Rootfs, operation: &Operation, now: i64) {
    let attributes = |mode: u32, owner: u32| Attributes {
        uid: owner,
        gid: owner,
        ..Attributes::root_owned(mode, Timestamp::from_seconds(now))
    };
    let directory =
        |vfs: &Vfs<'_>, name: &str| vfs.lookup(&path(name)).is_some_and(|entry| entry.node.is_directory());
    let mut vfs = rootfs.vfs(Timestamp::from_seconds(now));
    let done = match operation {
        Operation::Directory(name) => vfs.create_dir(&path(name), &attributes(0o755, 1)),
        Operation::File(name, content) => {
            let bytes = vec![*content; usize::from(*content % 7)];
            let content = Content::Reader(&mut bytes.as_slice());
            vfs.write_file(&path(name), content, &attributes(0o644, 2))
        }
        Operation::Symlink(name, target) => {
            vfs.create_symlink(&path(name), target.as_bytes(), &attributes(0o777, 0))
        }
        Operation::HardLink(from, to) => vfs.create_hard_link(&path(from), &path(to)),
        Operation::Fifo(name) => vfs.create_fifo(&path(name), &attributes(0o600, 0)),
        Operation::Device(name) => {
            let number = DeviceNumber { major: 1, minor: 3 };
            vfs.create_character_device(&path(name), number, &attributes(0o666, 0))
        }
        Operation::Attributes(name, mode, owner) if directory(&vfs, name) => {
            vfs.set_attributes(&path(name), &attributes(*mode | 0o700, *owner))
        }
        Operation::Remove(name) | Operation::Rename(name, _) => vfs.remove(&path(name)),
        Operation::Attributes(..)
        | Operation::Xattr(..)
        | Operation::Untouched(_)
        | Operation::SameSize(_) => Ok(()),
    };
    if let Err(error) = done {
        let text = error.to_string();
        assert!(!text.contains("Failed to create") || std::error::Error::source(&error).is_none(), "{text}");
    }
}

/// Does what any process can do; what the kernel refuses is not done.
fn by_process(rootfs: &Rootfs, operation: &Operation, now: i64) -> rustix::io::Result<()> {
    let dir = rootfs.dir();
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    match operation {
        Operation::Directory(name) => rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)),
        Operation::File(name, content) => {
            let file = rustix::fs::openat(dir, name, create, Mode::from_raw_mode(0o644))?;
            rustix::io::write(&file, &vec![*content; usize::from(*content % 7)]).map(drop)
        }
        Operation::Symlink(name, target) => rustix::fs::symlinkat(target, dir, name),
        Operation::HardLink(from, to) => rustix::fs::linkat(dir, from, dir, to, AtFlags::empty()),
        Operation::Fifo(name) => rustix::fs::mkfifoat(dir, name, Mode::RUSR | Mode::WUSR),
        Operation::Device(name) => {
            let device = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(dir, name, rustix::fs::FileType::CharacterDevice, Mode::RUSR, device)
        }
        Operation::Attributes(name, mode, owner) => {
            let (uid, gid) = (Uid::from_raw(*owner), Gid::from_raw(*owner));
            rustix::fs::chownat(dir, name, Some(uid), Some(gid), nofollow)?;
            let kind = rustix::fs::statat(dir, name, nofollow)?.st_mode;
            if rustix::fs::FileType::from_raw_mode(kind) != rustix::fs::FileType::Symlink {
                rustix::fs::chmodat(dir, name, Mode::from_raw_mode(*mode), AtFlags::empty())?;
            }
            let time = Timespec { tv_sec: now, tv_nsec: 500_000_000 };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(dir, name, &times, nofollow)
        }
        Operation::Xattr(name, value) => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
            match value % 3 {
                0 => rustix::fs::fremovexattr(&file, "user.x"),
                _ => rustix::fs::fsetxattr(&file, "user.x", &[value % 3], XattrFlags::empty()),
            }
        }
        Operation::Remove(name) => crate::removal::remove_tree(dir, OsStr::new(name))
            .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)),
        Operation::Rename(from, to) => rustix::fs::renameat(dir, from, dir, to),
        Operation::Untouched(name) | Operation::SameSize(name) => {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let file = rustix::fs::openat(dir, name, flags, Mode::empty())?;
            let before = rustix::fs::fstat(&file)?;
            if matches!(operation, Operation::SameSize(_)) {
                let bytes = vec![b'#'; usize::try_from(before.st_size).unwrap()];
                std::fs::File::from(file.try_clone().unwrap()).write_all(&bytes).unwrap();
            }
            let mtime = Timespec { tv_sec: before.st_mtime, tv_nsec: before.st_mtime_nsec.cast_signed() };
            rustix::fs::futimens(&file, &Timestamps { last_access: mtime, last_modification: mtime })
        }
    }
}

/// Packs `changes` as a layer on `lower`, imports it elsewhere and compares what it shows with the tree.
fn check_round_trip(rootfs: &Rootfs, changes: &Changes, lower: &[Vec<u8>], store: &TestStore) {
    let options = PackOptions { compression: crate::Compression::None, source_date_epoch: None };
    let mut bytes = Vec::new();
    let packed = pack(changes, rootfs, &options, &mut bytes).unwrap();
    let layers: Vec<Vec<u8>> = lower.iter().cloned().chain([bytes]).collect();
    let (_workspace, tree) = store.import(&layers).unwrap();
    let whole_seconds = |(path, mut entry): (TreePath, Entry)| {
        entry.attributes.mtime.nanoseconds = 0;
        if path.is_root() {
            // Its time is in no layer.
            entry.attributes.mtime = Timestamp::EPOCH;
        }
        (path, (entry.node, entry.attributes))
    };
    let shown: BTreeMap<_, _> = tree.baseline().entries().map(whole_seconds).collect();
    let meant: BTreeMap<_, _> =
        scan(rootfs).into_iter().map(|(path, (entry, _))| whole_seconds((path, entry))).collect();
    assert_eq!(shown, meant);
    let mut indexed = rootfs.baseline().clone();
    indexed.push(packed.index);
    assert_eq!(indexed.entries().map(whole_seconds).collect::<BTreeMap<_, _>>(), meant);
}

fn run(cases: u32, operations: std::ops::Range<usize>, check: impl Fn(Vec<Operation>)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = proptest::collection::vec(operation(), operations);
    let result = TestRunner::new(config).run(&strategy, |operations| {
        check(operations);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn import(store: &TestStore) -> (Workspace, Tree) {
    store.import(&lower()).unwrap()
}

#[test]
fn journal_of_a_plain_tree_agrees_with_the_scan() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the oracle reads owners from the disk, which needs root");
        return;
    }
    let store = TestStore::plain();
    run(200, 1..14, |operations| {
        let (workspace, tree) = import(&store);
        let mut stage = workspace.start_stage(&tree).unwrap();
        for step in operations.chunks(5) {
            let mut rootfs = stage.begin_step().unwrap();
            for (number, operation) in step.iter().enumerate() {
                by_builder(&mut rootfs, operation, 5000 + i64::try_from(number).unwrap());
            }
            let changes = diff(&rootfs, &Touched::Paths).unwrap();
            let (found, expected) = (spelt_out(&changes, &rootfs), scan_diff(&rootfs));
            assert_eq!(text_of_changes(&found), text_of_changes(&expected));
            let packed = pack(&changes, &rootfs, &PackOptions::default(), &mut std::io::sink()).unwrap();
            if stage.baseline().height() == 2 {
                check_round_trip(&rootfs, &changes, &lower(), &store);
            }
            stage.commit_step(rootfs, packed.index).unwrap();
        }
    });
}

#[test]
fn journal_of_an_overlay_agrees_with_the_scan() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        run(100, 1..12, |operations| {
            let (workspace, tree) = import(&store);
            let mut stage = workspace.start_stage(&tree).unwrap();
            for step in operations.chunks(4) {
                let mut rootfs = stage.begin_step().unwrap();
                for (number, operation) in step.iter().enumerate() {
                    by_builder(&mut rootfs, operation, 5000 + i64::try_from(number).unwrap());
                }
                let expected = scan_diff(&rootfs);
                for touched in [Touched::Paths, Touched::Upper] {
                    let found = spelt_out(&diff(&rootfs, &touched).unwrap(), &rootfs);
                    assert_eq!(text_of_changes(&found), text_of_changes(&expected), "{touched:?}");
                }
                let changes = diff(&rootfs, &Touched::Paths).unwrap();
                let packed = pack(&changes, &rootfs, &PackOptions::default(), &mut std::io::sink()).unwrap();
                stage.commit_step(rootfs, packed.index).unwrap();
            }
        });
    });
}

#[test]
fn upper_directory_agrees_with_the_scan() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        run(250, 1..16, |operations| {
            let (workspace, tree) = import(&store);
            let mut stage = workspace.start_stage(&tree).unwrap();
            for step in operations.chunks(6) {
                let rootfs = stage.begin_step().unwrap();
                for (number, operation) in step.iter().enumerate() {
                    if by_process(&rootfs, operation, i64::try_from(number).unwrap()).is_err() {
                        // As for any process: then it is not done.
                    }
                }
                let changes = diff(&rootfs, &Touched::Upper).unwrap();
                let (found, expected) = (spelt_out(&changes, &rootfs), scan_diff(&rootfs));
                assert_eq!(text_of_changes(&found), text_of_changes(&expected));
                let packed = pack(&changes, &rootfs, &PackOptions::default(), &mut std::io::sink()).unwrap();
                if stage.baseline().height() == 2 {
                    check_round_trip(&rootfs, &changes, &lower(), &store);
                }
                stage.commit_step(rootfs, packed.index).unwrap();
            }
            let finished = stage.finish().unwrap();
            let mut next = workspace.start_stage(&finished).unwrap();
            let rootfs = next.begin_step().unwrap();
            assert_eq!(text_of_changes(&scan_diff(&rootfs)), "");
        });
    });
}

#[test]
fn scratch_stages_begin_and_end_empty() {
    let check = |store: TestStore| {
        let workspace = store.store.begin_build().unwrap();
        let mut stage = workspace.start_stage(&workspace.scratch()).unwrap();
        let rootfs = stage.begin_step().unwrap();
        for touched in [Touched::Nothing, Touched::Paths, Touched::Upper] {
            assert!(diff(&rootfs, &touched).unwrap().is_empty());
        }
        let mut bytes = Vec::new();
        let options = PackOptions { compression: crate::Compression::None, source_date_epoch: None };
        let packed = pack(&Changes::default(), &rootfs, &options, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 1024]);
        stage.commit_step(rootfs, packed.index).unwrap();
        let tree = stage.finish().unwrap();
        assert_eq!(workspace.view(&tree).unwrap().dir().entries().unwrap().count(), 0);
        workspace.import(&[layer(&bytes)], 1).unwrap();
    };
    check(TestStore::plain());
    in_private_mounts(move || check(TestStore::overlay()));
}

#[test]
fn sockets_are_not_kept_and_hide_what_they_replace() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        let (workspace, tree) = import(&store);
        let mut stage = workspace.start_stage(&tree).unwrap();
        let rootfs = stage.begin_step().unwrap();
        rustix::fs::unlinkat(rootfs.dir(), "c", AtFlags::empty()).unwrap();
        for name in ["c", "a/new"] {
            let kind = rustix::fs::FileType::Socket;
            rustix::fs::mknodat(rootfs.dir(), name, kind, Mode::RUSR, 0).unwrap();
        }
        let changes = diff(&rootfs, &Touched::Upper).unwrap();
        assert_eq!(changes.0.get(&path("c")), Some(&Change::Remove));
        assert!(!changes.0.contains_key(&path("a/new")));
    });
}

/// What cannot be stored stays what it is through a step that touches it otherwise.
#[test]
fn attributes_that_the_disk_refused_survive_a_step() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        let (workspace, tree) = import(&store);
        let mut stage = workspace.start_stage(&tree).unwrap();
        let mut rootfs = stage.begin_step().unwrap();
        // The lower disk forgets the owner, as one without a mapping would be forgotten.
        let lower = rootfs.lowers()[1].try_clone().unwrap();
        let root = (Some(Uid::from_raw(0)), Some(Gid::from_raw(0)));
        rustix::fs::chownat(&lower, "c", root.0, root.1, AtFlags::empty()).unwrap();
        drop(lower);
        drop(rootfs);
        rootfs = stage.begin_step().unwrap();
        rustix::fs::chmodat(rootfs.dir(), "c", Mode::from_raw_mode(0o600), AtFlags::empty()).unwrap();
        rustix::fs::linkat(rootfs.dir(), "c", rootfs.dir(), "a/new", AtFlags::empty()).unwrap();
        let changes = diff(&rootfs, &Touched::Upper).unwrap();
        let text = text_of_changes(&changes);
        assert!(text.contains("file 0600 3:4 1970-01-01T00:16:40Z /a/new 4 [user.x=1]\n"), "{text}");
        assert!(text.contains("file 0600 3:4 1970-01-01T00:16:40Z /c 4 = /a/new [user.x=1]\n"), "{text}");
    });
}
