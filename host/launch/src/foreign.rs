//! Whether programs for another platform run here.
//!
//! Owns the one honest way to know: a program of that platform is run, exactly as a step would be. A registration in
//! `binfmt_misc` (the kernel's `admin-guide/binfmt-misc.rst`) may be out of sight, wrong, or name an emulator that a
//! step's tree does not have; some platforms need none. What is registered is read for advice only.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zoea_model::{CommandLine, Network, Platform, Process, TreePath, UserSpec};
use zoea_rootfs::Identity;

use crate::executable_format::{ANSWER, format_of};
use crate::namespace_launcher::NamespaceLauncher;
use crate::{LaunchError, StepStatus};

/// Where the kernel says whether it looks for emulators at all; missing where the file system is not mounted.
const STATUS: &str = "/proc/sys/fs/binfmt_misc/status";
/// The program's name in its tree.
const PROGRAM: &str = "program";
/// What a step ends with when the kernel refuses its program.
const NOT_EXECUTABLE: u8 = 126;
/// What a step ends with when its program, or the interpreter of it, is not there.
const NOT_FOUND: u8 = 127;

/// Why programs for a platform do not run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The kernel has no emulator for them.
    Unregistered,
    /// The kernel has none that it would use here, and what it knows is out of sight.
    Unseen,
    /// The kernel was told to use no emulators.
    Disabled,
    /// There is an emulator, but not in a step's tree.
    OutOfReach,
    /// There is an emulator, which does not do its work.
    Broken(StepStatus),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unregistered => f.write_str("the kernel has no emulator for it"),
            Self::Unseen => f.write_str(
                "the kernel uses no emulator for it (binfmt_misc is not mounted here, so what is registered could \
                 not be seen)",
            ),
            Self::Disabled => f.write_str("binfmt_misc is switched off, so the kernel uses no emulators"),
            Self::OutOfReach => f.write_str(
                "its emulator is out of a step's reach: registered without flag `F`, or not linked statically",
            ),
            Self::Broken(status) => write!(f, "its emulator ended with {status} instead of running a program"),
        }
    }
}

impl Obstacle {
    /// Says what the user can do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Unregistered | Self::Unseen => {
                "as root of the machine, register an emulator with flag `F` (Debian: `apt-get install \
                 qemu-user-static binfmt-support`); or build on a machine of that platform; or move the `RUN` into a \
                 stage `FROM --platform=$BUILDPLATFORM` and copy its result"
            }
            Self::Disabled => "as root of the machine: `echo 1 > /proc/sys/fs/binfmt_misc/status`",
            Self::OutOfReach => {
                "register a static emulator with flag `F`, which makes the kernel open it once and for all (Debian: \
                 `apt-get install qemu-user-static binfmt-support`)"
            }
            Self::Broken(_) => "install another version of the emulator",
        }
    }
}

/// Runs a program for `platform` in a tree of its own below `directory`, which is private to the builder.
///
/// A platform for which there is no such program passes: the step itself will tell.
pub(crate) fn try_platform(
    launcher: &NamespaceLauncher,
    platform: &Platform,
    directory: &Path,
) -> Result<(), LaunchError> {
    let Some(format) = format_of(platform) else { return Ok(()) };
    let tree = directory.join(format!("program-for-{}", platform.architecture));
    let made = make_tree(&tree, &format.program());
    let ran = made
        .map_err(|source| LaunchError::OpenTree { path: tree.clone(), source })
        .and_then(|()| launcher.run_at(&tree, &process(), &identity(), &mut |_, _| {}));
    let removed = fs::remove_dir_all(&tree);
    let obstacle = match ran? {
        StepStatus::Exited(ANSWER) => {
            return removed.map_err(|source| LaunchError::OpenTree { path: tree, source });
        }
        StepStatus::Exited(NOT_EXECUTABLE) => not_registered(),
        StepStatus::Exited(NOT_FOUND) => Obstacle::OutOfReach,
        status @ (StepStatus::Exited(_) | StepStatus::Signalled(_)) => Obstacle::Broken(status),
    };
    Err(LaunchError::Foreign { platform: platform.clone(), obstacle })
}

fn make_tree(tree: &Path, program: &[u8]) -> io::Result<()> {
    fs::create_dir(tree)?;
    let path = tree.join(PROGRAM);
    fs::write(&path, program)?;
    // The builder's umask may be stricter.
    for path in [tree, &path] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn process() -> Process {
    Process {
        command: CommandLine { program: format!("/{PROGRAM}"), arguments: Vec::new() },
        environment: Vec::new(),
        working_directory: TreePath::root(),
        user: UserSpec::new("0"),
        network: Network::None,
        scripts: Vec::new(),
    }
}

fn identity() -> Identity {
    Identity { uid: 0, gid: 0, groups: Vec::new(), home: "/".to_owned() }
}

/// Says why the kernel may have refused a program.
fn not_registered() -> Obstacle {
    match fs::read(STATUS) {
        Ok(status) if status.starts_with(b"disabled") => Obstacle::Disabled,
        Ok(_) => Obstacle::Unregistered,
        Err(_) => Obstacle::Unseen,
    }
}
