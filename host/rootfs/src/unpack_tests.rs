//! Layers of all kinds, and hostile ones, through the store.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use cap_std::fs::Dir;
use zoea_model::{ChainId, DiffId, Digest};

use crate::scratch_tree::open_directory;
use crate::test_archive::{
    Archive, Header, TestStore, as_ordinary_user, gzip, header, in_private_mounts, layer, path,
};
use crate::{CopyTree as _, LayerInput, RootfsError, Store, text_of_index, text_of_tree};

/// Imports layers into a plain store and returns the text of the tree.
fn tree(layers: &[Vec<u8>]) -> Result<String, RootfsError> {
    let store = TestStore::plain();
    let (_workspace, tree) = store.import(layers)?;
    Ok(text_of_tree(tree.baseline()))
}

/// Imports layers and returns the whole message of the error.
fn error(layers: &[Vec<u8>]) -> String {
    let store = TestStore::plain();
    let result = store.import(layers).map(|_| ()).unwrap_err();
    let source = std::error::Error::source(&result).map(ToString::to_string).unwrap_or_default();
    assert!(store.list("layers/plain").len() < layers.len(), "nothing wrong is published");
    assert_eq!(store.list("builds"), ["lock"], "nothing is left");
    format!("{result}: {source}")
}

fn read(dir: &Dir, name: &str) -> String {
    let mut text = String::new();
    crate::layer_disk::open_file(dir, &path(name)).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn everything() -> Archive {
    Archive::new()
        .put(&Header { mode: 0o700, owner: (5, 6), mtime: 77, ..header(b'5', "./") }, b"")
        .put(&Header { mode: 0o1777, mtime: 88, ..header(b'5', "tmp/") }, b"")
        .put(&Header { mode: 0o4755, owner: (7, 3_000_000 / 2), ..header(b'0', "tmp/program") }, b"run")
        .hard_link("tmp/again", "./tmp/program")
        .symlink("tmp/link", "../../outside")
        .put(&Header { flag: b'6', ..header(b'6', "fifo") }, b"")
        .put(&Header { device: (1, 3), mode: 0o666, ..header(b'3', "dev/null") }, b"")
        .put(&Header { device: (8, 0), ..header(b'4', "dev/sda") }, b"")
        .pax(&[("SCHILY.xattr.user.a", b"1"), ("SCHILY.xattr.user.overlay.opaque", b"y"), ("mtime", b"9.5")])
        .file("attributed", "x")
}

#[test]
fn index_has_everything_whatever_the_disk_can_store() {
    let text = tree(&[everything().end()]).unwrap();
    let run = Digest::of(b"run");
    let x = Digest::of(b"x");
    let expected = format!(
        "directory 0700 5:6 1970-01-01T00:01:17Z /
file 0644 0:0 1970-01-01T00:00:09.5Z /attributed 1 {x} [user.a=1]
directory 0755 0:0 1970-01-01T00:00:00Z /dev
character 0666 0:0 1970-01-01T00:16:40Z /dev/null 1:3
block 0644 0:0 1970-01-01T00:16:40Z /dev/sda 8:0
fifo 0644 0:0 1970-01-01T00:16:40Z /fifo
directory 1777 0:0 1970-01-01T00:01:28Z /tmp
file 4755 7:1500000 1970-01-01T00:16:40Z /tmp/again 3 {run}
symlink 0777 0:0 1970-01-01T00:16:40Z /tmp/link -> ../../outside
file 4755 7:1500000 1970-01-01T00:16:40Z /tmp/program 3 {run} = /tmp/again
"
    );
    assert_eq!(text, expected);
}

/// What an ordinary user can neither own nor make is in the index; through a stage and back into a layer.
#[test]
fn ordinary_user_loses_nothing() {
    let temporary = tempfile::TempDir::new().unwrap();
    let place = temporary.path().to_owned();
    as_ordinary_user(temporary.path(), move || {
        let closed = Header { mode: 0, ..header(b'5', "closed") };
        let hidden = Header { mode: 0, owner: (1, 1), ..header(b'0', "closed/file") };
        let archive = everything().put(&closed, b"").put(&hidden, b"secret").end();
        let store = Store::open(open_directory(&place), place, None).unwrap();
        let workspace = store.begin_build().unwrap();
        let tree = workspace.import(&[layer(&archive)], 1).unwrap();
        assert_eq!(text_of_tree(tree.baseline()), self::tree(&[archive]).unwrap());
        assert_eq!(read(workspace.view(&tree).unwrap().dir(), "closed/file"), "secret");

        let mut stage = workspace.start_stage(&tree).unwrap();
        let rootfs = stage.begin_step().unwrap();
        let everything = |(path, entry)| (path, zoea_model::Change::Upsert(entry));
        let all = zoea_model::Changes(tree.baseline().entries().map(everything).collect());
        let mut bytes = Vec::new();
        crate::pack(&all, &rootfs, &crate::PackOptions::default(), &mut bytes).unwrap();
        let packed = LayerInput { diff_id: DiffId(diff_id_of(&bytes)), ..layer(&bytes) };
        let again = workspace.import(&[packed], 1).unwrap();
        let whole_seconds = text_of_tree(tree.baseline()).replace("09.5Z", "09Z");
        assert_eq!(text_of_tree(again.baseline()), whole_seconds);
    });
}

fn diff_id_of(compressed: &[u8]) -> Digest {
    let (_, mut reader) = crate::compression::decompress(compressed).unwrap();
    crate::content::digest_of(&mut reader).unwrap()
}

#[test]
fn disk_of_an_overlay_layer_has_what_root_can_store() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        let (workspace, tree) = store.import(&[everything().end()]).unwrap();
        let view = workspace.view(&tree).unwrap();
        let stat = |name: &str| {
            let fd = view.dir().try_clone().unwrap();
            rustix::fs::statat(&fd, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap()
        };
        let program = stat("tmp/program");
        assert_eq!((program.st_mode & 0o7777, program.st_uid, program.st_gid), (0o4755, 7, 1_500_000));
        assert_eq!((program.st_nlink, program.st_mtime), (2, 1000));
        assert_eq!((stat(".").st_mode & 0o7777, stat(".").st_uid, stat(".").st_mtime), (0o700, 5, 77));
        assert_eq!((stat("tmp").st_mode & 0o7777, stat("tmp").st_mtime), (0o1777, 88));
        assert_eq!(stat("tmp/link").st_mtime, 1000);
        assert_eq!(rustix::fs::major(stat("dev/null").st_rdev), 1);
        let attributed = crate::layer_disk::open_file(view.dir(), &path("attributed")).unwrap();
        let xattrs = crate::disk_entry::kept_xattrs(&attributed).unwrap();
        assert_eq!(xattrs.len(), 1);
        assert!(!crate::disk_entry::is_opaque(&attributed).unwrap());
        assert!(attributed.metadata().unwrap().mtime_nsec() == 500_000_000);
        assert_eq!(view.hard_link_id(&path("tmp/again")), view.hard_link_id(&path("tmp/program")));
    });
}

#[test]
fn hostile_names_are_refused_with_layer_entry_and_reason() {
    let cases: &[(&str, Archive, &str)] = &[
        ("../escape", Archive::new().file("../escape", "x"), "`..`"),
        ("a/../../b", Archive::new().file("a/../../b", "x"), "`..`"),
        (".wh.", Archive::new().file(".wh.", ""), "whiteout of no name"),
        ("a/.wh...", Archive::new().file("a/.wh...", ""), "whiteout of no name"),
        (".wh.a/b", Archive::new().file(".wh.a/b", ""), "below a whiteout"),
        ("f/g", Archive::new().file("f", "").file("f/g", ""), "`/f` is no directory"),
        ("loop/x", Archive::new().symlink("loop", "loop").file("loop/x", ""), "too many symbolic links"),
        ("root", Archive::new().pax(&[("path", b"/")]).file("root", ""), "root of a tree"),
        ("empty", Archive::new().symlink("empty", ""), "invalid target"),
        ("hard", Archive::new().hard_link("hard", "../../etc/shadow"), "`..`"),
        ("hard", Archive::new().hard_link("hard", "etc/shadow"), "not there"),
        ("hard", Archive::new().directory("d").hard_link("hard", "d"), "directory"),
        ("hard", Archive::new().hard_link("hard", ".wh.x"), "whiteout"),
        ("sparse", Archive::new().put(&header(b'S', "sparse"), b""), "sparse"),
        ("label", Archive::new().put(&header(b'V', "label"), b""), "type `V`"),
        (
            "xattr",
            Archive::new().pax(&[("SCHILY.xattr.user.a", &[0; 70_000])]).file("xattr", ""),
            "larger than",
        ),
        ("a\\0b", Archive::new().pax(&[("path", b"a\0b")]).file("x", ""), "NUL"),
    ];
    for (entry, archive, reason) in cases {
        let bytes = archive.clone().end();
        let text = error(std::slice::from_ref(&bytes));
        assert!(text.contains(&Digest::of(&bytes).to_string()), "{text}");
        assert!(entry.len() > 6 || text.contains(entry.trim_end_matches("\\0b")), "{entry}: {text}");
        assert!(text.contains(reason), "{reason}: {text}");
    }
    let long = "x/".repeat(2100);
    let text = error(&[Archive::new().pax(&[("path", long.as_bytes())]).file("long", "").end()]);
    assert!(text.contains("longer than"), "{text}");
    let deep = "x/".repeat(300);
    let text = error(&[Archive::new().pax(&[("path", deep.as_bytes())]).file("deep", "").end()]);
    assert!(text.contains("more than 256 directories"), "{text}");
    let name = "n".repeat(256);
    let text = error(&[Archive::new().pax(&[("path", name.as_bytes())]).file("long", "").end()]);
    assert!(text.contains("too long"), "{text}");
}

#[test]
fn links_never_lead_outside() {
    let archive = Archive::new()
        .symlink("up", "../../../../../../..")
        .symlink("abs", "/etc")
        .file("up/written", "1")
        .file("abs/passwd", "2")
        .symlink("final", "/tmp/zoea-must-not-be-written")
        .file("final", "3")
        .hard_link("copy", "abs/passwd");
    let store = TestStore::plain();
    let (workspace, tree) = store.import(&[archive.end()]).unwrap();
    let view = workspace.view(&tree).unwrap();
    assert_eq!(read(view.dir(), "written"), "1");
    assert_eq!(read(view.dir(), "etc/passwd"), "2");
    assert_eq!(read(view.dir(), "copy"), "2");
    assert_eq!(read(view.dir(), "final"), "3");
    assert!(!std::path::Path::new("/tmp/zoea-must-not-be-written").exists());
}

#[test]
fn later_entries_replace_earlier_ones_of_any_kind() {
    let archive = Archive::new()
        .file("a", "first")
        .hard_link("b", "a")
        .file("a", "second")
        .directory("d")
        .file("d/x", "x")
        .file("d/y/z", "z")
        .file("d", "file")
        .file("e", "file")
        .directory("e")
        .file("e/x", "x")
        .symlink("l", "e")
        .directory("l")
        .file("l/y", "in l")
        .put(&Header { mode: 0o700, ..header(b'5', "e") }, b"")
        .hard_link("self", "self2")
        .file("self", "plain")
        .file("self2", "later")
        .end();
    let store = TestStore::plain();
    let (workspace, tree) = store.import(&[archive]).unwrap();
    let view = workspace.view(&tree).unwrap();
    let names: Vec<String> = tree.baseline().entries().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, ["/", "/a", "/b", "/d", "/e", "/e/x", "/l", "/l/y", "/self", "/self2"]);
    let contents: Vec<String> =
        ["a", "b", "d", "e/x", "l/y"].iter().map(|name| read(view.dir(), name)).collect();
    assert_eq!(contents, ["second", "first", "file", "x", "in l"]);
    assert!(tree.baseline().entries().all(|(_, entry)| entry.hard_link_to.is_none()));
    assert_eq!(tree.baseline().get(&path("e")).unwrap().attributes.mode, 0o700);
}

fn base() -> Vec<u8> {
    Archive::new()
        .put(&Header { mode: 0o751, owner: (9, 9), mtime: 5, ..header(b'5', "usr") }, b"")
        .directory("usr/lib")
        .file("usr/lib/a", "a")
        .file("usr/lib/b", "b")
        .symlink("lib", "usr/lib")
        .symlink("dangling", "new/place")
        .directory("keep")
        .file("keep/one", "1")
        .directory("gone")
        .file("gone/deep", "2")
        .file("file", "was a file")
        .end()
}

/// What the second layer does, in the terms of the index.
fn second() -> Vec<u8> {
    Archive::new()
        .file("lib/c", "through a link")
        .file("lib/.wh.a", "")
        .file("dangling/d", "where the link leads")
        .hard_link("linked", "lib/b")
        .hard_link("linked2", "/usr/lib/b")
        .file("keep/.wh..wh..opq", "")
        .file("keep/two", "2")
        .file(".wh.gone", "")
        .file("gone/new", "3")
        .file("file/below", "was a file, is a directory")
        .file(".wh.never-there", "")
        .file("nowhere/.wh.x", "")
        .file(".wh..wh.aufs", "")
        .end()
}

#[test]
fn lower_layers_tell_what_a_layer_leaves_open() {
    let store = TestStore::plain();
    let (workspace, tree) = store.import(&[base(), second()]).unwrap();
    let digest = |text: &str| Digest::of(text.as_bytes());
    let chain = ChainId::stack(Some(&ChainId(Digest::of(&base()))), &DiffId(Digest::of(&second())));
    let opened = workspace.0.store.open_layer(&chain).unwrap().unwrap();
    let expected = format!(
        "directory 0755 0:0 1970-01-01T00:00:00Z /file
file 0644 0:0 1970-01-01T00:16:40Z /file/below 26 {}
opaque directory 0755 0:0 1970-01-01T00:00:00Z /gone
file 0644 0:0 1970-01-01T00:16:40Z /gone/new 1 {}
opaque directory 0755 0:0 1970-01-01T00:16:40Z /keep
file 0644 0:0 1970-01-01T00:16:40Z /keep/two 1 {}
file 0644 0:0 1970-01-01T00:16:40Z /linked 1 {}
file 0644 0:0 1970-01-01T00:16:40Z /linked2 1 {} = /linked
directory 0755 0:0 1970-01-01T00:00:00Z /new
directory 0755 0:0 1970-01-01T00:00:00Z /new/place
file 0644 0:0 1970-01-01T00:16:40Z /new/place/d 20 {}
whiteout /usr/lib/a
file 0644 0:0 1970-01-01T00:16:40Z /usr/lib/c 14 {}
",
        digest("was a file, is a directory"),
        digest("3"),
        digest("2"),
        digest("b"),
        digest("b"),
        digest("where the link leads"),
        digest("through a link"),
    );
    assert_eq!(text_of_index(&opened.index), expected);
    let view = workspace.view(&tree).unwrap();
    assert_eq!(read(view.dir(), "usr/lib/c"), "through a link");
    assert_eq!(read(view.dir(), "linked2"), "b");
}

/// An overlay of the layers shows what the indexes say, attributes of implied directories included.
#[test]
fn mounted_layers_show_what_the_indexes_say() {
    in_private_mounts(|| {
        let store = TestStore::overlay();
        let third = Archive::new().file("usr/lib/sub/e", "e").end();
        let opaque_root = Archive::new().file(".wh..wh..opq", "").file("only", "o").end();
        for layers in [vec![base(), second(), third.clone()], vec![base(), opaque_root, third]] {
            let (workspace, tree) = store.import(&layers).unwrap();
            let mut stage = workspace.start_stage(&tree).unwrap();
            let rootfs = stage.begin_step().unwrap();
            let differences = crate::text_of_changes(&crate::scan::scan_diff(&rootfs));
            assert_eq!(differences, "");
            drop(rootfs);
        }
    });
}

#[test]
fn whole_layer_is_checked_and_nothing_half_done_stays() {
    let good = Archive::new().file("a", "x").end();
    let cut = gzip(&good);
    let store = TestStore::plain();
    let workspace = store.store.begin_build().unwrap();
    let import = |bytes: Vec<u8>, diff_id| {
        let input = LayerInput { diff_id: DiffId(diff_id), ..layer(&bytes) };
        let error = workspace.import(&[input], 1).unwrap_err();
        assert_eq!(store.list("layers/plain"), [""; 0]);
        error
    };
    let digest = Digest::of(&good);
    assert!(matches!(import(cut[..cut.len() - 9].to_vec(), digest), RootfsError::ReadLayer { .. }));
    assert!(import(good[..700].to_vec(), digest).to_string().contains(&digest.to_string()));
    assert!(matches!(import(good[..1024].to_vec(), digest), RootfsError::LayerDigest { .. }));
    assert!(matches!(import(good.clone(), Digest::of(b"")), RootfsError::LayerDigest { .. }));
    assert!(matches!(import(b"not a tar archive".repeat(99), digest), RootfsError::UnpackEntry { .. }));
    let refused =
        LayerInput { diff_id: DiffId(digest), open: Box::new(|| Err(std::io::Error::other("no network"))) };
    assert!(matches!(workspace.import(&[refused], 1).unwrap_err(), RootfsError::ReadLayer { .. }));
    workspace.import(&[LayerInput { diff_id: DiffId(digest), ..layer(&cut) }], 1).unwrap();
    assert_eq!(store.list("layers/plain"), [digest.hex()]);
}

#[test]
fn first_failure_stops_the_others() {
    let store = TestStore::plain();
    let workspace = store.store.begin_build().unwrap();
    let endless = || -> std::io::Result<Box<dyn std::io::Read + Send>> {
        let block = Archive::new().file("a", &"x".repeat(100_000)).0;
        let blocks = std::iter::repeat_with(move || block.clone()).flatten();
        struct Bytes<I>(I);
        impl<I: Iterator<Item = u8>> std::io::Read for Bytes<I> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                Ok(buffer.iter_mut().zip(&mut self.0).map(|(to, byte)| *to = byte).count())
            }
        }
        Ok(Box::new(Bytes(blocks)))
    };
    let inputs = [
        layer(&Archive::new().file("../a", "").end()),
        LayerInput { diff_id: DiffId(Digest::of(b"endless")), open: Box::new(endless) },
    ];
    let error = workspace.import(&inputs, 2).unwrap_err();
    assert!(matches!(error, RootfsError::UnpackEntry { .. }), "{error}");
}

/// `a` is a link to the root, so that `a/a/x` is `x`, below a directory that is moved away.
#[test]
fn a_name_that_leads_back_into_its_own_link_is_refused() {
    let lower = Archive::new().symlink("a", "/").end();
    let upper = Archive::new().file("a/a/x", "x").end();
    assert!(error(&[lower, upper]).contains("leads through a link"));
}
