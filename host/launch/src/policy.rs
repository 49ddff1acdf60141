//! What a step may see and have, as data.
//!
//! Owns the tables, each line with its reason; the code that applies them is in `step`. They follow what BuildKit
//! gives a step through containerd's and Docker's defaults, so that a Dockerfile finds here what it finds there.

mod capability;
mod device;
mod hidden;

pub(crate) use capability::CAPABILITIES;
pub(crate) use device::{DEVICE_LINKS, DEVICES, Device};
pub(crate) use hidden::{RESTRICTED_PATHS, Treatment};

use crate::walk::Place;

/// The name of the host that a step believes it runs on: BuildKit's.
pub(crate) const HOST_NAME: &str = "buildkitsandbox";

/// `/etc/hosts` of every step: BuildKit's.
pub(crate) const HOSTS: &str = "127.0.0.1\tlocalhost buildkitsandbox\n\
                                ::1\tlocalhost ip6-localhost ip6-loopback\n";

/// Where a program is looked for when the environment has no `PATH`: what Docker and BuildKit set by default.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where device nodes and what belongs to them are.
pub(crate) const DEV: &str = "/dev";
/// Where processes are.
pub(crate) const PROC: &str = "/proc";
/// Where the machine's devices and settings are.
pub(crate) const SYS: &str = "/sys";
/// Names and addresses that are known without asking.
pub(crate) const HOSTS_FILE: &str = "/etc/hosts";
/// Whom to ask for others.
pub(crate) const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// What is mounted in every step's tree.
pub(crate) const MOUNT_POINTS: &[(&str, Place)] = &[
    (DEV, Place::Directory),
    (PROC, Place::Directory),
    (SYS, Place::Directory),
    (HOSTS_FILE, Place::File),
    (RESOLVER_FILE, Place::File),
];
