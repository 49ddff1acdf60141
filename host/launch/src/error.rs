//! What can go wrong when a step is launched, as opposed to what a step itself does wrong.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use zoea_model::Platform;

use crate::foreign::Obstacle;
use crate::probe::Probe;

/// One thing that is done in a step's namespaces before its program starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Preparation {
    /// Becoming a process that dies with the builder.
    Guard,
    /// Reading what is to be run.
    ReadRequest,
    /// Making the step's namespaces.
    MakeNamespaces,
    /// Making the step's first process.
    Fork,
    /// Making the tree a mount of its own.
    MountTree,
    /// Finding the place of a mount in the tree.
    FindMountPoint(String),
    /// Mounting something there.
    Mount(String),
    /// Hiding a path of `/proc` or `/sys`, or making it read-only.
    Restrict(String),
    /// Making an entry of `/dev`.
    MakeDevice(String),
    /// Writing a script of the Dockerfile below `/dev`.
    WriteScript(String),
    /// Making the tree the root directory.
    ChangeRoot,
    /// Setting the host name.
    NameHost,
    /// Switching on the loopback device.
    RaiseLoopback,
    /// Leaving the builder's session and its keyring.
    LeaveSession,
    /// Entering the working directory.
    EnterDirectory(String),
    /// Giving up capabilities.
    LimitCapabilities,
    /// Taking on the step's user and groups.
    BecomeUser,
}

impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard => f.write_str("tie a step to the builder"),
            Self::ReadRequest => f.write_str("tell a step what to run"),
            Self::MakeNamespaces => f.write_str("make a step's namespaces"),
            Self::Fork => f.write_str("make a step's first process"),
            Self::MountTree => f.write_str("mount a step's tree"),
            Self::FindMountPoint(path) => write!(f, "find `{path}` in a step's tree"),
            Self::Mount(path) => write!(f, "mount `{path}` for a step"),
            Self::Restrict(path) => write!(f, "restrict `{path}` for a step"),
            Self::MakeDevice(path) => write!(f, "make `{path}` for a step"),
            Self::WriteScript(path) => write!(f, "write `{path}` for a step"),
            Self::ChangeRoot => f.write_str("make a step's tree its root directory"),
            Self::NameHost => f.write_str("set a step's host name"),
            Self::RaiseLoopback => f.write_str("switch on a step's loopback device"),
            Self::LeaveSession => f.write_str("leave the builder's session for a step"),
            Self::EnterDirectory(path) => write!(f, "enter a step's working directory `{path}`"),
            Self::LimitCapabilities => f.write_str("limit a step's capabilities"),
            Self::BecomeUser => f.write_str("take on a step's user and groups"),
        }
    }
}

/// A step that could not be launched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// No launcher works on this machine.
    #[error("Failed to find a way to run a step on this machine: {0}")]
    NoLauncher(Probe),
    /// Programs of the step's platform do not run on this machine.
    #[error("Failed to find a way to run programs for {platform} on this machine: {obstacle}")]
    Foreign {
        /// The platform.
        platform: Platform,
        /// Why not.
        obstacle: Obstacle,
    },
    /// The step needs ids that the user namespace does not have.
    #[error("Failed to give a step user {uid} and group {gid}: the builder's user namespace has no such ids")]
    NeedsIds {
        /// The step's user.
        uid: u32,
        /// The step's group.
        gid: u32,
    },
    /// The tree is no overlay, so nobody could say what a process changed.
    #[error("Failed to run a step in namespaces: its tree is no overlay, so its changes could not be found")]
    NeedsOverlay,
    /// Namespaces were to be entered too late.
    #[error("Failed to enter namespaces: the process has {0} threads already")]
    Threads(usize),
    /// Namespaces were entered in a trial, but not for good.
    #[error("Failed to {operation} for the builder")]
    Enter {
        /// What failed.
        operation: &'static str,
        /// Why.
        source: io::Error,
    },
    /// An argument or a variable cannot be handed to a process.
    #[error("Failed to hand {0} to a process: it contains a NUL byte")]
    NulByte(String),
    /// A script's name is no name of a file.
    #[error("Failed to make a file of the script `{}`: its name holds a slash, or is a dot or two", .0.escape_debug())]
    ScriptName(String),
    /// A mount point that the tree lacks could not be made.
    #[error("Failed to make the mount point `{path}` in the tree")]
    MakeMountPoint {
        /// Its path in the tree.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A mount point that the launcher made could not be removed again.
    #[error("Failed to remove the mount point `{path}` from the tree")]
    RemoveMountPoint {
        /// Its path in the tree.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The tree could not be opened.
    #[error("Failed to open the tree `{path}`")]
    OpenTree {
        /// Where it lies.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The guard could not be started.
    #[error("Failed to start a process for a step")]
    Start(#[source] io::Error),
    /// Something that a step needs before its program starts failed.
    #[error("Failed to {preparation}")]
    Prepare {
        /// What it was.
        preparation: Preparation,
        /// Why it failed.
        source: io::Error,
    },
    /// The step's output could not be read.
    #[error("Failed to read a step's output")]
    ReadOutput(#[source] io::Error),
    /// The step's end could not be waited for.
    #[error("Failed to wait for the end of a step")]
    Wait(#[source] io::Error),
    /// The guard ended without a word: something killed it.
    #[error("Failed to learn how a step ended: its guard was killed")]
    Lost,
}

impl LaunchError {
    /// Says what the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoLauncher(_) => Some(
                "a `RUN` needs root with CAP_SYS_ADMIN, or a kernel and a container that let a user make user \
                 namespaces and mount in them",
            ),
            Self::Foreign { obstacle, .. } => Some(obstacle.hint()),
            Self::NeedsIds { .. } => Some(
                "install newuidmap and newgidmap (Debian: `apt-get install uidmap`) and give the user subordinate \
                 ids: a line `NAME:100000:65536` in both /etc/subuid and /etc/subgid",
            ),
            Self::NeedsOverlay => Some(
                "put the state directory on a disk file system or a tmpfs: an overlay cannot lie on an overlay",
            ),
            Self::Prepare { preparation, source } => hint_for(preparation, source),
            Self::Threads(_)
            | Self::Enter { .. }
            | Self::NulByte(_)
            | Self::ScriptName(_)
            | Self::MakeMountPoint { .. }
            | Self::RemoveMountPoint { .. }
            | Self::OpenTree { .. }
            | Self::Start(_)
            | Self::ReadOutput(_)
            | Self::Wait(_)
            | Self::Lost => None,
        }
    }
}

/// Says what the user can do about a preparation that failed with `error`.
fn hint_for(preparation: &Preparation, error: &io::Error) -> Option<&'static str> {
    match (preparation, error.kind()) {
        (Preparation::Mount(path), io::ErrorKind::PermissionDenied) if path == "/proc" => Some(
            "the container that zoea runs in hides parts of /proc, and then the kernel allows no new one: run it with \
             `--security-opt systempaths=unconfined` (Docker, podman) or `procMount: Unmasked` (Kubernetes)",
        ),
        (Preparation::EnterDirectory(_), io::ErrorKind::NotFound) => {
            Some("a WORKDIR instruction makes the directory")
        }
        _ => None,
    }
}
