//! Mount points that the tree lacks leave nothing behind.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::Cases;
use crate::bench::Bench;
use crate::way::{ALL, Way};

pub(crate) const CASES: Cases = &[
    ("nothing_stays", ALL, nothing_stays),
    ("present_mount_points_stay_as_they_are", ALL, present_mount_points_stay_as_they_are),
    ("what_the_step_made_stays", ALL, what_the_step_made_stays),
    ("dangling_links_are_followed", ALL, dangling_links_are_followed),
    ("thousand_runs_leak_nothing", &[Way::Root, Way::One], thousand_runs_leak_nothing),
];

/// A time that nothing has by itself.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789)
}

/// Gives a directory that time.
fn make_old(path: &Path) {
    fs::File::open(path).unwrap().set_modified(long_ago()).unwrap();
}

/// Lists a directory.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn nothing_stays(bench: &Bench) {
    make_old(&bench.tree);
    bench.shell("ls -d /dev /proc /sys /etc/hosts /etc/resolv.conf >/dev/null");
    assert_eq!(names(&bench.upper), Vec::<String>::new());
    assert_eq!(fs::metadata(&bench.upper).unwrap().modified().unwrap(), long_ago());
    assert_eq!(fs::metadata(&bench.tree).unwrap().modified().unwrap(), long_ago());
}

fn present_mount_points_stay_as_they_are(bench: &Bench) {
    fs::create_dir(bench.tree.join("etc")).unwrap();
    fs::create_dir(bench.tree.join("proc")).unwrap();
    fs::write(bench.tree.join("etc/hosts"), "the tree's").unwrap();
    make_old(&bench.tree.join("etc"));
    make_old(&bench.tree.join("proc"));
    make_old(&bench.tree);
    assert!(bench.shell("cat /etc/hosts").starts_with("127.0.0.1"));
    assert_eq!(fs::read_to_string(bench.upper.join("etc/hosts")).unwrap(), "the tree's");
    assert_eq!(names(&bench.upper), ["etc", "proc"]);
    assert_eq!(names(&bench.upper.join("etc")), ["hosts"]);
    for path in ["etc", "proc", ""] {
        assert_eq!(fs::metadata(bench.upper.join(path)).unwrap().modified().unwrap(), long_ago(), "{path}");
    }
}

fn what_the_step_made_stays(bench: &Bench) {
    make_old(&bench.tree);
    bench.shell("echo made >/etc/made; rm /etc/hosts 2>/dev/null; mkdir /new; true");
    assert_eq!(names(&bench.upper), ["etc", "new"]);
    assert_eq!(names(&bench.upper.join("etc")), ["made"]);
    assert_eq!(fs::metadata(bench.upper.join("etc")).unwrap().mode() & 0o7777, 0o755);
    for path in ["", "etc"] {
        let modified = fs::metadata(bench.upper.join(path)).unwrap().modified().unwrap();
        assert!(modified > SystemTime::now() - Duration::from_secs(60), "the step changed `{path}`");
    }
    // A step that moves the directory away takes the mount points with it, and they are still found.
    bench.shell("mv /etc /moved");
    assert_eq!(names(&bench.upper.join("moved")), ["made"]);
}

fn dangling_links_are_followed(bench: &Bench) {
    fs::create_dir(bench.tree.join("etc")).unwrap();
    symlink("../run/resolver/stub.conf", bench.tree.join("etc/resolv.conf")).unwrap();
    assert_eq!(bench.shell("cat /etc/resolv.conf"), crate::bench::RESOLVER);
    assert_eq!(bench.shell("readlink /etc/resolv.conf"), "../run/resolver/stub.conf\n");
    assert_eq!(names(&bench.upper), ["etc"]);
    assert_eq!(names(&bench.upper.join("etc")), ["resolv.conf"]);
}

fn thousand_runs_leak_nothing(bench: &Bench) {
    let count = |path: &str| fs::read_dir(path).unwrap().count();
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let before = (count("/proc/self/fd"), mounts());
    for _ in 0..1000 {
        assert_eq!(bench.shell("echo hi"), "hi\n");
    }
    assert_eq!((count("/proc/self/fd"), mounts()), before);
}
