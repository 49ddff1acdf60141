//! The store across builds: dead ones, concurrent ones, another user's, and full disks.

use rustix::mount::MountFlags;

use super::*;
use crate::scratch_tree::open_directory;
use crate::test_archive::{Archive, TestStore, in_private_mounts, layer};

fn sample() -> Vec<u8> {
    Archive::new().directory("d").file("d/f", &"x".repeat(100_000)).end()
}

#[test]
fn dead_builds_are_removed_and_living_ones_are_not() {
    let test = TestStore::plain();
    let living = test.store.begin_build().unwrap();
    let builds = open_directory(&test.temporary.path().join(BUILDS));
    builds.create_dir_all("killed-early").unwrap();
    builds.create_dir_all("killed/layer-0/tree/d").unwrap();
    builds.write("killed/lock", "").unwrap();
    builds.write("killed/layer-0/tree/d/f", "").unwrap();
    builds.write("owner-probe-0", "").unwrap();
    let path = test.temporary.path();
    let again = Store::open(open_directory(path), path.into(), None).unwrap();
    let living_name = living.0.path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected = ["lock".to_owned(), living_name];
    expected.sort();
    let mut found = test.list(BUILDS);
    found.sort();
    assert_eq!(found, expected);
    drop(living);
    assert_eq!(test.list(BUILDS), ["lock"]);
    drop(again);
}

#[test]
fn layers_are_kept_and_opened_without_their_bytes() {
    let test = TestStore::plain();
    let (_, tree) = test.import(&[sample()]).unwrap();
    let chain = ChainId::stack(None, &layer(&sample()).diff_id);
    assert!(test.store.has_layer(&chain));
    let path = test.temporary.path();
    let again = Store::open(open_directory(path), path.into(), None).unwrap();
    assert!(again.has_layer(&chain));
    let workspace = again.begin_build().unwrap();
    let no_bytes =
        crate::LayerInput { open: Box::new(|| panic!("the layer is in the store")), ..layer(&sample()) };
    let found = workspace.import(&[no_bytes], 4).unwrap();
    assert_eq!(crate::text_of_tree(found.baseline()), crate::text_of_tree(tree.baseline()));
}

#[test]
fn builds_that_publish_the_same_layer_do_not_disturb_each_other() {
    let test = TestStore::plain();
    let layers: Vec<Vec<u8>> =
        (0..6).map(|number| Archive::new().file(&format!("f{number}"), "x").directory("d").end()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (workspace, tree) = test.import(&layers).unwrap();
                assert_eq!(tree.baseline().entries().count(), 8);
                assert_eq!(workspace.view(&tree).unwrap().dir().entries().unwrap().count(), 7);
            });
        }
    });
    assert_eq!(test.list("layers/plain").len(), 6);
    assert_eq!(test.list(BUILDS), ["lock"]);
}

#[test]
fn layers_of_another_user_are_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: giving directories away needs root");
        return;
    }
    let test = TestStore::plain();
    let path = test.temporary.path();
    let owner = Some(rustix::fs::Uid::from_raw(12));
    rustix::fs::chownat(
        rustix::fs::CWD,
        path.join("layers/plain"),
        owner,
        None,
        rustix::fs::AtFlags::empty(),
    )
    .unwrap();
    let error = Store::open(open_directory(path), path.into(), None).unwrap_err();
    assert!(matches!(error, RootfsError::ForeignStore { owner: 12, user: 0, .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn full_disk_is_told_with_its_place_and_leaves_nothing() {
    in_private_mounts(|| {
        let temporary = tempfile::TempDir::new().unwrap();
        let path = temporary.path();
        let size = Some(c"size=1m");
        rustix::mount::mount("none", path, "tmpfs", MountFlags::empty(), size).unwrap();
        let store = Store::open(open_directory(path), path.into(), None).unwrap();
        let workspace = store.begin_build().unwrap();
        let large = Archive::new().file("large", &"x".repeat(3 << 20)).end();
        let error = workspace.import(&[layer(&large)], 1).unwrap_err();
        assert!(error.to_string().contains("large"), "{error}");
        assert!(error.hint().unwrap().contains("disk is full"));
        drop(workspace);
        assert_eq!(open_directory(&path.join("layers/plain")).entries().unwrap().count(), 0);
        assert_eq!(open_directory(&path.join(BUILDS)).entries().unwrap().count(), 1);
        drop(store);
        rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH).unwrap();
    });
}
