//! The step's `/dev`.
//!
//! Owns a small file system with the policy's devices, each bound from the machine's node: a file system on which
//! nodes work would let a step with `CAP_MKNOD` make itself the machine's disk.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;

use crate::Preparation;
use crate::message::{During as _, Failure};
use crate::mount::path_of;
use crate::policy::{DEV, DEVICE_LINKS, DEVICES, Device};
use crate::walk;

/// How the file system is mounted.
pub(super) const FLAGS: MountFlags =
    MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::STRICTATIME);

/// Its mode, and how large it can grow.
pub(super) const OPTIONS: &CStr = c"mode=755,size=64m";

/// Fills the new file system `dev` and returns its `null`, open for reading.
pub(super) fn fill(dev: BorrowedFd<'_>, terminal_group: Option<u32>) -> Result<File, Failure> {
    for device in DEVICES {
        bind(device, dev).during(|| name(device.name))?;
    }
    for (link, target) in DEVICE_LINKS {
        rustix::fs::symlinkat(*target, dev, *link).during(|| name(link))?;
    }
    let group = terminal_group.map_or_else(String::new, |group| format!(",gid={group}"));
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(dev, "pts", ("devpts", flags, &options)).during(|| name("pts"))?;
    let flags = flags | MountFlags::NODEV;
    mount(dev, "shm", ("tmpfs", flags, "mode=1777,size=64m")).during(|| name("shm"))?;
    match mount(dev, "mqueue", ("mqueue", flags, "")) {
        // A kernel without message queues.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NODEV) => {}
        result => result.during(|| name("mqueue"))?,
    }
    let null = rustix::fs::openat(dev, "null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    null.map(File::from).during(|| name("null"))
}

/// Names an entry in errors.
fn name(entry: &str) -> Preparation {
    Preparation::MakeDevice(format!("{DEV}/{entry}"))
}

/// Binds a node of the machine's, if it is what its name says: something else would be the machine's file in the
/// step's hands.
fn bind(device: &Device, dev: BorrowedFd<'_>) -> io::Result<()> {
    let source = Path::new(DEV).join(device.name);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let source = rustix::fs::open(source, flags, Mode::empty())?;
    let status = rustix::fs::fstat(&source)?;
    let number = rustix::fs::makedev(device.major, device.minor);
    if FileType::from_raw_mode(status.st_mode) != FileType::CharacterDevice || status.st_rdev != number {
        return Err(Errno::NXIO.into());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let target: OwnedFd = rustix::fs::openat(dev, device.name, flags, Mode::from_raw_mode(0o644))?;
    super::mounts::bind(source, target)
}

/// Mounts a new file system of a kind, with flags and options, at a directory that is made for it.
fn mount(
    dev: BorrowedFd<'_>,
    name: &str,
    (kind, flags, options): (&str, MountFlags, &str),
) -> io::Result<()> {
    rustix::fs::mkdirat(dev, name, Mode::from_raw_mode(0o755))?;
    let place = walk::open(dev, OsStr::new(name))?;
    let options = CString::new(options)?;
    Ok(rustix::mount::mount(kind, path_of(place.as_fd()), kind, flags, options.as_c_str())?)
}
