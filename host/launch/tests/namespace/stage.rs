//! The launcher on the trees of the store.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use zoea_launch::{LaunchError, Launcher as _, StepStatus};
use zoea_model::{Attributes, Change, Changes, Timestamp, TreePath};
use zoea_rootfs::{
    Compression, Content, OverlayMounter, PackOptions, Rootfs, StageTree, Store, Touched, diff, pack,
};

use crate::Cases;
use crate::bench::{Bench, root, script};
use crate::way::ALL;

pub(crate) const CASES: Cases = &[
    ("steps_of_a_stage", ALL, steps_of_a_stage),
    ("a_plain_tree_is_refused", ALL, a_plain_tree_is_refused),
    ("stages_run_at_the_same_time", ALL, stages_run_at_the_same_time),
];

/// Opens a store in a directory of its own, with overlays or without.
fn store(bench: &Bench, mounter: Option<Arc<dyn OverlayMounter>>) -> Store {
    let path = bench.directory.join("state");
    fs::create_dir(&path).unwrap();
    let dir = Dir::open_ambient_dir(&path, ambient_authority()).unwrap();
    Store::open(dir, path, mounter).unwrap()
}

/// Puts busybox into a tree, as a COPY would.
fn copy_busybox(bench: &Bench, rootfs: &mut Rootfs) {
    let attributes = Attributes::root_owned(0o755, Timestamp::EPOCH);
    let mut vfs = rootfs.vfs(Timestamp::EPOCH);
    let bin = TreePath::new("bin").unwrap();
    vfs.create_dir(&bin, &attributes).unwrap();
    for entry in fs::read_dir(bench.lower.join("bin")).unwrap() {
        let entry = entry.unwrap();
        let path = bin.join(entry.file_name().as_bytes()).unwrap();
        if entry.file_type().unwrap().is_symlink() {
            vfs.create_symlink(&path, b"busybox", &attributes).unwrap();
        } else {
            let mut file = fs::File::open(entry.path()).unwrap();
            vfs.write_file(&path, Content::Reader(&mut file), &attributes).unwrap();
        }
    }
}

/// Ends a step.
fn commit(stage: &mut StageTree, rootfs: Rootfs, touched: Touched) -> Changes {
    let changes = diff(&rootfs, &touched).unwrap();
    let options = PackOptions { compression: Compression::None, source_date_epoch: None };
    let layer = pack(&changes, &rootfs, &options, &mut std::io::sink()).unwrap();
    stage.commit_step(rootfs, layer.index).unwrap();
    changes
}

/// Lists changed paths; removed ones with a minus.
fn paths(changes: &Changes) -> Vec<String> {
    let line = |(path, change): (&TreePath, &Change)| match change {
        Change::Remove => format!("-{path}"),
        Change::Upsert(_) | Change::Replace(_) => path.to_string(),
    };
    changes.0.iter().map(line).collect()
}

/// Makes a stage with busybox in it.
fn stage(bench: &Bench, store: &Store) -> StageTree {
    let workspace = store.begin_build().unwrap();
    let mut stage = workspace.start_stage(&workspace.scratch()).unwrap();
    let mut rootfs = stage.begin_step().unwrap();
    copy_busybox(bench, &mut rootfs);
    commit(&mut stage, rootfs, Touched::Paths);
    stage
}

fn steps_of_a_stage(bench: &Bench) {
    let mut stage = stage(bench, &store(bench, Some(bench.mounter.clone())));
    for (text, expected) in [
        ("true", vec![]),
        ("echo hi >/made; rm /bin/yes", vec!["/bin", "-/bin/yes", "/made"]),
        ("cat /made /etc/hosts >/dev/null", vec![]),
        ("mkdir /etc && echo hi >/etc/made; chmod 600 /made", vec!["/made"]),
        ("mkdir -p /etc; echo hi >/etc/made", vec!["/etc", "/etc/made"]),
    ] {
        let rootfs = stage.begin_step().unwrap();
        let outcome = bench.launcher.run(&rootfs, &script(text), &root(), &mut |_, _| {}).unwrap();
        assert_eq!(outcome.status, StepStatus::Exited(0), "{text}");
        let changes = commit(&mut stage, rootfs, outcome.touched);
        assert_eq!(paths(&changes), expected, "{text}");
    }
}

fn a_plain_tree_is_refused(bench: &Bench) {
    let mut stage = stage(bench, &store(bench, None));
    let rootfs = stage.begin_step().unwrap();
    let error = bench.launcher.run(&rootfs, &script("true"), &root(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, LaunchError::NeedsOverlay), "{error}");
}

fn stages_run_at_the_same_time(bench: &Bench) {
    let store = store(bench, Some(bench.mounter.clone()));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let mut stage = stage(bench, &store);
            scope.spawn(move || {
                for _ in 0..20 {
                    let rootfs = stage.begin_step().unwrap();
                    let mut output = Vec::new();
                    let step = script(&format!("echo {number}; echo x >>/made{number}"));
                    let mut take = |_, bytes: &[u8]| output.extend_from_slice(bytes);
                    let outcome = bench.launcher.run(&rootfs, &step, &root(), &mut take).unwrap();
                    assert_eq!(output, format!("{number}\n").as_bytes());
                    let changes = commit(&mut stage, rootfs, outcome.touched);
                    assert!(changes.0.contains_key(&TreePath::new(format!("made{number}")).unwrap()));
                }
            });
        }
    });
}
