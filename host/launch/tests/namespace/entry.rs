//! Entering where not everything is allowed, and what is said about it.

use std::fs;
use std::path::Path;

use zoea_launch::{LaunchError, NamespaceKind, StepSettings};
use zoea_model::Network;

use crate::way::Way;

/// A test's name, way and work.
type Row = (&'static str, Way, fn(&Path));

/// The tests: each enters itself, or finds that it cannot.
pub(crate) const CASES: &[Row] = &[
    ("nothing_works", Way::Caged, nothing_works),
    ("set_user_id_helpers_have_no_power", Way::NoNewPrivileges, set_user_id_helpers_have_no_power),
    ("threads_are_refused", Way::Root, threads_are_refused),
    ("mounts_stay_private", Way::Root, mounts_stay_private),
    ("overlays_on_overlays_are_explained", Way::Root, overlays_are_explained),
];

/// Settings for a launcher that runs nothing.
fn settings() -> StepSettings {
    StepSettings { resolver: Vec::new(), network: Network::Default }
}

/// Everything by which a process can be told to be somewhere else.
fn state() -> Vec<String> {
    let links =
        ["user", "mnt", "pid", "net"].map(|name| fs::read_link(format!("/proc/self/ns/{name}")).unwrap());
    let files = ["mountinfo", "uid_map", "gid_map"]
        .map(|name| fs::read_to_string(format!("/proc/self/{name}")).unwrap());
    links.into_iter().map(|path| path.display().to_string()).chain(files).collect()
}

fn nothing_works(directory: &Path) {
    let before = state();
    let surroundings = zoea_launch::enter().unwrap();
    assert_eq!(surroundings.kind(), NamespaceKind::None);
    assert_eq!(state(), before, "a refusal changes nothing");
    let error = surroundings.launcher(settings()).unwrap_err();
    assert!(matches!(error, LaunchError::NoLauncher(_)));
    let text = error.to_string();
    assert!(text.contains("namespaces as root: the user is not root; "), "{text}");
    assert!(
        text.contains("making a user namespace: Operation not permitted (os error 1) (a container's"),
        "{text}"
    );
    assert!(error.hint().is_some());
    let refusal = surroundings.probe_overlay(&directory.join("work")).unwrap_err();
    assert_eq!(refusal.to_string(), "overlays: the builder has no mount namespace");
}

fn set_user_id_helpers_have_no_power(_: &Path) {
    let surroundings = zoea_launch::enter().unwrap();
    assert_eq!(surroundings.kind(), NamespaceKind::OneId);
    let refusals: Vec<String> = surroundings.refusals().iter().map(ToString::to_string).collect();
    assert_eq!(
        refusals,
        [
            "namespaces as root: the user is not root",
            "subordinate ids: no_new_privs is set, so newuidmap has no power"
        ]
    );
}

fn threads_are_refused(_: &Path) {
    let before = state();
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || receiver.recv().unwrap_err());
        assert!(matches!(zoea_launch::enter().unwrap_err(), LaunchError::Threads(2)));
        drop(sender);
    });
    assert_eq!(state(), before);
}

fn mounts_stay_private(_: &Path) {
    zoea_launch::enter().unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("shared:") && !mounts.contains("master:"), "{mounts}");
}

fn overlays_are_explained(directory: &Path) {
    let surroundings = zoea_launch::enter().unwrap();
    let refusal = surroundings.probe_overlay(Path::new("/proc")).unwrap_err();
    assert!(refusal.to_string().starts_with("overlays in `/proc`: "), "{refusal}");
    let mounter = surroundings.probe_overlay(directory).unwrap();
    let [lower, upper, work, merged] = ["a", "b", "c", "d"].map(|name| {
        let path = directory.join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let handles = [&lower, &upper, &work].map(|path| fs::File::open(path).unwrap());
    let [lower, upper, work] = handles.each_ref().map(std::os::fd::AsFd::as_fd);
    mounter.mount(&[lower], Some((upper, work)), &merged).unwrap();
    let refusal = surroundings.probe_overlay(&merged).unwrap_err();
    assert!(
        refusal.why.contains("a file system that cannot hold the upper layer of an overlay"),
        "{refusal}"
    );
    assert_eq!(fs::read_dir(&merged).unwrap().count(), 0);
    mounter.unmount(&merged).unwrap();
}
