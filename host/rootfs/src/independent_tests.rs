//! Independent layers put over a stage, against unpacking them over the same layers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use zoea_model::{AddArchive, Attributes, PathFilter, Timestamp};

use super::*;
use crate::scan::{scan, scan_diff, spelt_out};
use crate::scratch_tree::{NOW, ScratchTree, attributes, write};
use crate::test_archive::{Archive, Header, TestStore, header, in_private_mounts, path};
use crate::{
    Compression, CopyRequest, DestinationForm, Owner, PackOptions, SourceItem, StageTree, Touched, copy,
    diff, pack, text_of_changes,
};

/// A base with a link, a file and a directory where copies may go.
fn base() -> Vec<Vec<u8>> {
    let owned = |name: &str| Header { mode: 0o640, owner: (3, 4), ..header(b'0', name) };
    let lower = Archive::new()
        .directory("a")
        .put(&owned("a/f"), b"below")
        .symlink("l", "a")
        .file("f", "file")
        .directory("b")
        .directory("b/f")
        .file("b/f/deep", "deep")
        .end();
    vec![lower, Archive::new().file("c", "above").symlink("b/l", "../f").end()]
}

/// What the copies come from.
fn source() -> ScratchTree {
    let mut tree = ScratchTree::new();
    let mut vfs = tree.vfs();
    for directory in ["d/f", "d/l", "e"] {
        vfs.create_dir_all(&path(directory), &attributes(0o750, 11)).unwrap();
    }
    for name in ["f", "d/f/g", "d/l/h", "e/f"] {
        write(&mut vfs, name, name);
    }
    vfs.create_hard_link(&path("e/f"), &path("e/g")).unwrap();
    vfs.create_symlink(&path("e/l"), b"f", &attributes(0o777, 12)).unwrap();
    vfs.create_fifo(&path("d/pipe"), &attributes(0o600, 13)).unwrap();
    tree
}

/// One copy: what, below which root if with its parents, where to, and the owner's number.
type Wanted = (String, bool, String, Option<u32>);

fn wanted() -> impl Strategy<Value = Wanted> {
    let sources = prop_oneof![Just("f"), Just("d"), Just("e"), Just("d/f"), Just("*"), Just("e/*")];
    let destination = "[ablf](/[fl]){0,2}/?";
    (sources.prop_map(str::to_owned), any::<bool>(), destination, proptest::option::of(0u32..3))
}

fn perform(vfs: &mut Vfs<'_>, source: &ScratchTree, wanted: &Wanted) -> Result<(), RootfsError> {
    let (pattern, with_parents, destination, owner) = wanted;
    let item = match with_parents {
        true => SourceItem::Below { from: source, root: ".", pattern },
        false => SourceItem::Pattern { from: source, pattern, archives: AddArchive::Keep },
    };
    let directory = destination.ends_with('/') || pattern.contains('*');
    let request = CopyRequest {
        items: &[item],
        excludes: &PathFilter::default(),
        destination: &path(destination),
        form: if directory { DestinationForm::Directory } else { DestinationForm::Name },
        owner: owner.map(|number| Owner { uid: number, gid: number }),
        mode: None,
    };
    copy(vfs, &request)
}

/// Makes the layer of some copies and puts it over `stage`; returns its bytes.
fn link(stage: &mut StageTree, workspace: &Workspace, source: &ScratchTree, copies: &[Wanted]) -> Vec<u8> {
    let tree = workspace.independent_tree().unwrap();
    let mut rootfs = tree.begin_step().unwrap();
    for wanted in copies {
        // What cannot be copied is not, as long as nothing is half done: the others decide.
        if perform(&mut rootfs.vfs(NOW), source, wanted).is_err() {
            break;
        }
    }
    let changes = diff(&rootfs, &Touched::Paths).unwrap();
    let (found, expected) = (spelt_out(&changes, &rootfs), scan_diff(&rootfs));
    assert_eq!(text_of_changes(&found), text_of_changes(&expected));
    let options = PackOptions { compression: Compression::None, source_date_epoch: None };
    let mut bytes = Vec::new();
    let packed = pack(&changes, &rootfs, &options, &mut bytes).unwrap();
    drop(rootfs);
    stage.put_over(tree, packed.index, NOW).unwrap();
    bytes
}

type Shown = BTreeMap<TreePath, (Node, Attributes)>;

fn shown(entries: impl Iterator<Item = (TreePath, Entry)>) -> Shown {
    let whole = |(path, mut entry): (TreePath, Entry)| {
        entry.attributes.mtime.nanoseconds = 0;
        if path.is_root() {
            // Its time is in no layer.
            entry.attributes.mtime = Timestamp::EPOCH;
        }
        (path, (entry.node, entry.attributes))
    };
    entries.map(whole).collect()
}

fn check(store: &TestStore, copies: &[Wanted], more: &[Wanted]) {
    let (workspace, base_tree) = store.import(&base()).unwrap();
    let source = source();
    let mut stage = workspace.start_stage(&base_tree).unwrap();
    let mut layers = base();
    for copies in [copies, more] {
        layers.push(link(&mut stage, &workspace, &source, copies));
        let (_unpacked, expected) = store.import(&layers).unwrap();
        let expected = shown(expected.baseline().entries());
        assert_eq!(shown(stage.baseline().entries()), expected);
        // The disk shows the same to the step that comes next.
        let rootfs = stage.begin_step().unwrap();
        let found = scan(&rootfs).into_iter().map(|(path, (entry, _))| (path, entry));
        assert_eq!(shown(found), expected);
    }
}

fn run(cases: u32, store: &TestStore) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let copies = || proptest::collection::vec(wanted(), 1..4);
    let result = TestRunner::new(config).run(&(copies(), copies()), |(copies, more)| {
        check(store, &copies, &more);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn put_over_a_plain_tree_is_unpacked() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: the oracle reads owners from the disk, which needs root");
        return;
    }
    run(100, &TestStore::plain());
}

#[test]
fn put_over_an_overlay_is_unpacked() {
    in_private_mounts(|| run(60, &TestStore::overlay()));
}

#[test]
fn links_in_the_way_are_replaced_and_their_targets_left() {
    in_private_mounts(|| {
        for store in [TestStore::overlay(), TestStore::plain()] {
            let (workspace, tree) = store.import(&base()).unwrap();
            let mut stage = workspace.start_stage(&tree).unwrap();
            link(&mut stage, &workspace, &source(), &[("f".into(), false, "l/f".into(), None)]);
            let baseline = stage.baseline();
            assert_eq!(baseline.get(&path("l")).unwrap().node, Node::Directory);
            assert_eq!(
                baseline.get(&path("a/f")).unwrap().node,
                Node::File { size: 5, digest: known(b"below") }
            );
            assert_eq!(baseline.get(&path("l/f")).unwrap().node, Node::File { size: 1, digest: known(b"f") });
            // Nothing of the base is hidden by a directory of the layer.
            link(&mut stage, &workspace, &source(), &[("f".into(), false, "b/f/".into(), None)]);
            let rootfs = stage.begin_step().unwrap();
            assert_eq!(rootfs.dir().read_to_string("b/f/deep").unwrap(), "deep");
            assert_eq!(rootfs.dir().read_to_string("b/f/f").unwrap(), "f");
        }
    });
}

fn known(content: &[u8]) -> Option<zoea_model::Digest> {
    Some(zoea_model::Digest::of(content))
}
