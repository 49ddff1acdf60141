//! Finding out whether overlays work on a file system.
//!
//! Owns a small overlay in a private directory, removed again in every case.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use zoea_rootfs::OverlayMounter as _;

use crate::overlay::KernelOverlay;
use crate::probe::Refusal;

/// Mounts an overlay of directories in `directory` and makes a change in it.
pub(crate) fn try_in(directory: &Path) -> Result<(), Refusal> {
    let place = directory.join(format!(".overlay-probe-{}", std::process::id()));
    let result = attempt(&place);
    let removed = fs::remove_dir_all(&place);
    result.and(removed).map_err(|error| {
        let path = directory.display();
        let cause = match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::INVAL.raw_os_error() => {
                " (a kernel before 5.11, or a file system that cannot hold the upper layer of an overlay)"
            }
            _ => "",
        };
        Refusal::new(format!("overlays in `{path}`"), format!("{error}{cause}"))
    })
}

/// Does it in `place`, which must not exist.
fn attempt(place: &Path) -> io::Result<()> {
    fs::create_dir(place)?;
    let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| place.join(name));
    for path in [&lower, &upper, &work, &merged] {
        fs::create_dir(path)?;
    }
    fs::write(lower.join("file"), "")?;
    let open = |path: &PathBuf| fs::File::open(path);
    let (lower, upper_handle, work) = (open(&lower)?, open(&upper)?, open(&work)?);
    KernelOverlay.mount(&[lower.as_fd()], Some((upper_handle.as_fd(), work.as_fd())), &merged)?;
    // Needs the whiteout, which a kernel may refuse to a user namespace.
    let changed = fs::remove_file(merged.join("file"));
    KernelOverlay.unmount(&merged)?;
    changed
}
