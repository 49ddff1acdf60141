//! The ways in which a builder can stand on a machine, and how a test gets there.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::{Gid, Uid};
use rustix::mount::MountPropagationFlags;
use zoea_launch::NamespaceKind;
use zoea_sys::Namespace;

/// Whom the builder runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Root.
    Root,
    /// User 1000 with 65536 subordinate ids.
    Subordinate,
    /// User 1000 without.
    One,
    /// User 1000 with subordinate ids that set-user-id programs cannot map.
    NoNewPrivileges,
    /// User 1000 in a chroot, where the kernel makes no user namespace.
    Caged,
}

/// Those in which steps run.
pub(crate) const ALL: &[Way] = &[Way::Root, Way::Subordinate, Way::One];

/// Those in which steps can have several ids.
pub(crate) const SEVERAL_IDS: &[Way] = &[Way::Root, Way::Subordinate];

/// The user and group that is not root.
const USER: u32 = 1000;

impl Way {
    /// Returns its name in the names of tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Subordinate => "subordinate",
            Self::One => "one",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Caged => "caged",
        }
    }

    /// Finds it by its name.
    pub(crate) fn named(name: &str) -> Self {
        *[ALL, &[Self::NoNewPrivileges, Self::Caged]]
            .concat()
            .iter()
            .find(|way| way.name() == name)
            .expect("a known way")
    }

    /// Returns what the launcher must find in it.
    pub(crate) fn kind(self) -> NamespaceKind {
        match self {
            Self::Root => NamespaceKind::HostRoot,
            Self::Subordinate => NamespaceKind::SubordinateIds,
            Self::One | Self::NoNewPrivileges => NamespaceKind::OneId,
            Self::Caged => NamespaceKind::None,
        }
    }

    /// Returns why it cannot be tested here.
    pub(crate) fn obstacle(self) -> Option<&'static str> {
        (!rustix::process::geteuid().is_root())
            .then_some("only root can become every user that the tests need")
    }
}

/// A directory for one test, removed at its end.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    fn new(way: Way, case: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/zoea-launch-{}-{}-{case}", std::process::id(), way.name()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // The binary may lie where only root can go. Another process copies it: a test that another thread starts
        // meanwhile would inherit a descriptor that is open for writing, and keep the copy from being executed.
        let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(path.join("test")).status();
        assert!(copied.unwrap().success());
        fs::create_dir(path.join("work")).unwrap();
        if way != Way::Root {
            chown(path.join("work"), Some(USER), Some(USER)).unwrap();
        }
        Self(path)
    }

    /// Returns the command that runs the case here.
    pub(crate) fn command(&self, way: Way, case: &str) -> Command {
        let mut command = Command::new(self.0.join("test"));
        command.args(["--as", way.name(), case]).arg(&self.0).stdin(Stdio::null());
        command
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}

/// Runs one case in a process of its own.
pub(crate) fn run_case(way: Way, case: &'static str) -> Result<(), String> {
    let directory = Directory::new(way, case);
    let output = directory.command(way, case).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let signal = output.status.signal();
    Err(format!("{} (signal {signal:?})\n{stdout}\n{stderr}", output.status))
}

/// Becomes the way's user with the way's subordinate ids and goes on with the case.
pub(crate) fn become_user(way: &str, case: &str, directory: &str) -> ExitCode {
    let way_found = Way::named(way);
    let directory = Path::new(directory);
    if way_found != Way::Root {
        let line =
            if way_found == Way::Subordinate { format!("{USER}:200000:65536\n") } else { String::new() };
        zoea_sys::unshare(&[Namespace::Mount]).unwrap();
        rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
            .unwrap();
        for file in ["subuid", "subgid"] {
            let source = directory.join(file);
            fs::write(&source, &line).unwrap();
            rustix::mount::mount_bind(&source, format!("/etc/{file}")).unwrap();
        }
        if way_found == Way::Caged {
            let root = directory.join("root");
            fs::create_dir(&root).unwrap();
            rustix::mount::mount_bind_recursive("/", &root).unwrap();
            rustix::process::chroot(&root).unwrap();
            rustix::process::chdir("/").unwrap();
        }
        let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        if way_found == Way::NoNewPrivileges {
            rustix::thread::set_no_new_privs(true).unwrap();
        }
    }
    // What a careless caller leaves to the builder: an open directory, ignored signals, a strict umask.
    let leaked = fs::File::open("/").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let error = Command::new(directory.join("test")).args(["--case", way, case]).arg(directory).exec();
    panic!("{error}");
}
