//! What a step sees beside its tree.
//!
//! Owns the order of the mounts. The tree is somebody else's: all places are found in it, as handles, before anything
//! is mounted, and from then on no path of the tree is followed. A link such as `/dev -> /proc/1/root/etc` would
//! otherwise lead to the machine's files as soon as `/proc` is there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use zoea_sys::{MountAttribute, Reach};

use crate::Preparation;
use crate::message::{During as _, Failure, StepRequest};
use crate::mount::{path_of, restrict};
use crate::policy::{
    DEV, HOSTS, HOSTS_FILE, MOUNT_POINTS, PROC, RESOLVER_FILE, RESTRICTED_PATHS, SYS, Treatment,
};
use crate::step::{device, script};
use crate::walk::{self, Found, refuse_missing};

/// What the rest of the preparation needs of the mounts.
#[derive(Debug)]
pub(super) struct Mounted {
    /// The tree, as a mount.
    pub(super) root: OwnedFd,
    /// The step's `/dev/null`, open for reading.
    pub(super) null: File,
}

/// Makes the tree a mount and mounts everything in it.
pub(super) fn make(request: &StepRequest) -> Result<Mounted, Failure> {
    let root = mount_tree(&request.tree).during(|| Preparation::MountTree)?;
    let places = find_places(root.as_fd())?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let [dev, proc, sys, hosts, resolver] = &places;
    let proc = mount_new("proc", proc, flags, c"").during(|| mount(PROC))?;
    let sys = mount_sys(sys).during(|| mount(SYS))?;

    // Until the step's own /dev is mounted, its place holds what the other mounts are bound from.
    let sources = mount_new("tmpfs", dev, flags, c"mode=755,size=4m").during(|| mount(DEV))?;
    let sources = Sources::make(sources, &request.resolver).during(|| mount(HOSTS_FILE))?;
    bind(&sources.hosts, &hosts.entry).during(|| mount(HOSTS_FILE))?;
    bind(&sources.resolver, &resolver.entry).during(|| mount(RESOLVER_FILE))?;
    for (path, treatment, _) in RESTRICTED_PATHS {
        let below = |mount: &str| path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/'));
        let restricted = match (below(PROC), below(SYS), &sys) {
            (Some(path), _, _) => sources.apply(proc.as_fd(), path, *treatment),
            (None, Some(path), Some(sys)) => sources.apply(sys.as_fd(), path, *treatment),
            (None, _, _) => Ok(()),
        };
        restricted.during(|| Preparation::Restrict((*path).to_owned()))?;
    }
    rustix::mount::unmount(path_of(sources.root.as_fd()), UnmountFlags::DETACH).during(|| mount(DEV))?;

    let dev = mount_new("tmpfs", dev, device::FLAGS, device::OPTIONS).during(|| mount(DEV))?;
    let null = device::fill(dev.as_fd(), request.terminal_group)?;
    script::fill(dev.as_fd(), &request.scripts)?;
    Ok(Mounted { root, null })
}

/// Names a mount in errors.
fn mount(path: &str) -> Preparation {
    Preparation::Mount(path.to_owned())
}

/// Makes the tree a mount of its own, on which device nodes do not work.
fn mount_tree(tree: &[u8]) -> io::Result<OwnedFd> {
    let tree = Path::new(OsStr::from_bytes(tree));
    rustix::mount::mount_bind(tree, tree)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(tree, flags, Mode::empty())?;
    restrict(root.as_fd(), &[MountAttribute::NoDevices])?;
    Ok(root)
}

/// Finds the places of all mount points, which the tree has since the builder made those that it lacked.
fn find_places(root: BorrowedFd<'_>) -> Result<[Found; MOUNT_POINTS.len()], Failure> {
    let mut places = Vec::new();
    for (path, place) in MOUNT_POINTS {
        let found = walk::find(root, path, *place, &mut refuse_missing);
        places.push(found.during(|| Preparation::FindMountPoint((*path).to_owned()))?);
    }
    places.try_into().map_err(|_| Failure { preparation: Preparation::MountTree, code: 0 })
}

/// Mounts a new file system and returns its root.
pub(super) fn mount_new(
    kind: &str,
    place: &Found,
    flags: MountFlags,
    options: &std::ffi::CStr,
) -> io::Result<OwnedFd> {
    rustix::mount::mount(kind, path_of(place.entry.as_fd()), kind, flags, options)?;
    Ok(walk::open(place.directory.as_fd(), &place.name)?)
}

/// Mounts an entry at a place.
pub(super) fn bind(source: impl AsFd, place: impl AsFd) -> io::Result<()> {
    Ok(rustix::mount::mount_bind(path_of(source.as_fd()), path_of(place.as_fd()))?)
}

/// Mounts `/sys` read-only: a new one where the kernel allows it, else the machine's own, else nothing.
fn mount_sys(place: &Found) -> io::Result<Option<OwnedFd>> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    match mount_new("sysfs", place, flags, c"") {
        // A user namespace may mount it only with a network namespace of its own.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => {}
        result => return result.map(Some),
    }
    rustix::mount::mount_bind_recursive(SYS, path_of(place.entry.as_fd()))?;
    let mount = walk::open(place.directory.as_fd(), &place.name)?;
    // What the machine has mounted below, cgroups for example, included.
    let attributes = [
        MountAttribute::ReadOnly,
        MountAttribute::NoSetId,
        MountAttribute::NoDevices,
        MountAttribute::NoExecution,
    ];
    match zoea_sys::set_mount_attributes(mount.as_fd(), &attributes, Reach::Tree) {
        // Linux before 5.12 cannot make all that lies below read-only at once: rather nothing than something to write.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            rustix::mount::unmount(path_of(mount.as_fd()), UnmountFlags::DETACH)?;
            Ok(None)
        }
        result => result.map(|()| Some(mount)),
    }
}

/// What is bound over other things; all of it is on one read-only mount, and so is every mount bound from it.
struct Sources {
    root: OwnedFd,
    hosts: OwnedFd,
    resolver: OwnedFd,
    empty_file: OwnedFd,
    empty_directory: OwnedFd,
}

impl Sources {
    /// Fills the new file system `root`.
    fn make(root: OwnedFd, resolver: &[u8]) -> io::Result<Self> {
        let file = |name: &str, content: &[u8]| -> io::Result<OwnedFd> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&root, name, flags, Mode::from_raw_mode(0o644))?;
            File::from(file).write_all(content)?;
            Ok(walk::open(root.as_fd(), OsStr::new(name))?)
        };
        let (hosts, resolver) = (file("hosts", HOSTS.as_bytes())?, file("resolver", resolver)?);
        let empty_file = file("empty-file", b"")?;
        rustix::fs::mkdirat(&root, "empty-directory", Mode::from_raw_mode(0o755))?;
        let empty_directory = walk::open(root.as_fd(), OsStr::new("empty-directory"))?;
        restrict(root.as_fd(), &[MountAttribute::ReadOnly])?;
        Ok(Self { root, hosts, resolver, empty_file, empty_directory })
    }

    /// Hides or protects `path` in one of the kernel's own file systems; one that is not there needs neither.
    fn apply(&self, mount: BorrowedFd<'_>, path: &str, treatment: Treatment) -> io::Result<()> {
        let place = match walk::open(mount, OsStr::new(path)) {
            Ok(place) => place,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match treatment {
            Treatment::Hidden => {
                let mode = rustix::fs::fstat(&place)?.st_mode;
                let directory = FileType::from_raw_mode(mode) == FileType::Directory;
                bind(if directory { &self.empty_directory } else { &self.empty_file }, place)
            }
            Treatment::ReadOnly => {
                bind(&place, &place)?;
                let bound = walk::open(mount, OsStr::new(path))?;
                restrict(bound.as_fd(), &[MountAttribute::ReadOnly])
            }
        }
    }
}
