//! Overlays behave as builds need them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode};

use crate::Cases;
use crate::bench::Bench;
use crate::way::ALL;

pub(crate) const CASES: Cases = &[
    ("marks_are_plain", ALL, marks_are_plain),
    ("marks_of_layers_are_obeyed", ALL, marks_of_layers_are_obeyed),
    ("renaming_a_lower_directory_is_refused", ALL, renaming_a_lower_directory_is_refused),
    ("views_are_read_only", ALL, views_are_read_only),
    ("too_many_layers_are_refused", ALL, too_many_layers_are_refused),
];

/// Reads an attribute of a directory in the upper layer.
fn attribute(path: &PathBuf, name: &str) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 16];
    let length = rustix::fs::getxattr(path, name, &mut value)?;
    value.truncate(length);
    Ok(value)
}

fn marks_are_plain(bench: &Bench) {
    fs::create_dir(bench.lower.join("old")).unwrap();
    fs::write(bench.lower.join("old/file"), "").unwrap();
    fs::write(bench.lower.join("gone"), "").unwrap();
    bench.shell("rm /gone; rm -r /old; mkdir /old; touch /bin/busybox; chmod 700 /bin/busybox");
    let gone = fs::symlink_metadata(bench.upper.join("gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(attribute(&bench.upper.join("old"), "user.overlay.opaque").unwrap(), b"y");
    // No upper file stands for content that lies in a lower layer.
    let copied = fs::metadata(bench.upper.join("bin/busybox")).unwrap();
    assert_eq!(copied.len(), fs::metadata(bench.lower.join("bin/busybox")).unwrap().len());
    assert!(copied.blocks() > 0);
    assert!(attribute(&bench.upper.join("bin/busybox"), "user.overlay.metacopy").is_err());
}

fn marks_of_layers_are_obeyed(bench: &Bench) {
    let layers: Vec<PathBuf> = ["bottom", "top", "view"].map(|name| bench.directory.join(name)).to_vec();
    let [bottom, top, view] = layers.as_slice() else { panic!() };
    for path in [bottom.join("hidden"), top.join("hidden"), view.clone()] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(bottom.join("hidden/below"), "").unwrap();
    fs::write(bottom.join("gone"), "").unwrap();
    fs::write(top.join("hidden/above"), "").unwrap();
    rustix::fs::mknodat(CWD, top.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    rustix::fs::setxattr(top.join("hidden"), "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty())
        .unwrap();
    let (bottom, top) = (fs::File::open(bottom).unwrap(), fs::File::open(top).unwrap());
    bench.mounter.mount(&[top.as_fd(), bottom.as_fd()], None, view).unwrap();
    assert!(!view.join("gone").exists());
    assert!(view.join("hidden/above").exists() && !view.join("hidden/below").exists());
    bench.mounter.unmount(view).unwrap();
    // A whiteout in the only layer hides nothing, and is not shown.
    bench.mounter.mount(&[top.as_fd()], None, view).unwrap();
    assert!(fs::symlink_metadata(view.join("gone")).is_err());
    bench.mounter.unmount(view).unwrap();
    assert_eq!(fs::read_dir(view).unwrap().count(), 0);
}

fn renaming_a_lower_directory_is_refused(bench: &Bench) {
    fs::create_dir(bench.lower.join("old")).unwrap();
    let error = fs::rename(bench.tree.join("old"), bench.tree.join("new")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::CrossesDevices);
    // Programs then copy, as they do between file systems.
    bench.shell("mv /old /new");
    assert!(bench.upper.join("new").is_dir());
}

fn views_are_read_only(bench: &Bench) {
    let view = bench.directory.join("view");
    fs::create_dir(&view).unwrap();
    let lower = fs::File::open(&bench.lower).unwrap();
    bench.mounter.mount(&[lower.as_fd()], None, &view).unwrap();
    assert!(view.join("bin/busybox").exists());
    let error = fs::write(view.join("file"), "").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    bench.mounter.unmount(&view).unwrap();
}

fn too_many_layers_are_refused(bench: &Bench) {
    let view = bench.directory.join("view");
    fs::create_dir(&view).unwrap();
    let layers: Vec<fs::File> = (0..300)
        .map(|number| {
            let path = bench.directory.join(format!("layer{number}"));
            fs::create_dir(&path).unwrap();
            fs::File::open(path).unwrap()
        })
        .collect();
    let handles: Vec<BorrowedFd<'_>> = layers.iter().map(AsFd::as_fd).collect();
    bench.mounter.mount(&handles[..180], None, &view).unwrap();
    bench.mounter.unmount(&view).unwrap();
    let error = bench.mounter.mount(&handles, None, &view).unwrap_err();
    assert!(error.to_string().contains("more than one mount of the kernel takes"), "{error}");
}
