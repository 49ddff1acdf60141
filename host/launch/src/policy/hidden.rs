//! The paths of `/proc` and `/sys` that a step does not see, or cannot write.

/// What is done about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is empty.
    Hidden,
    /// It cannot be written.
    ReadOnly,
}

/// A path below `/proc` or `/sys`, without links; what is done about it; why.
type Row = (&'static str, Treatment, &'static str);

use Treatment::{Hidden, ReadOnly};

/// Docker's and containerd's lists. A path that the kernel does not have is none to hide.
pub(crate) const RESTRICTED_PATHS: &[Row] = &[
    ("/proc/acpi", Hidden, "changes power states of the machine"),
    ("/proc/asound", Hidden, "tells what the machine plays and records"),
    ("/proc/interrupts", Hidden, "lets a step infer what others type and send"),
    ("/proc/kcore", Hidden, "is the machine's memory"),
    ("/proc/keys", Hidden, "lists other users' keys"),
    ("/proc/latency_stats", Hidden, "tells what other processes wait for"),
    ("/proc/timer_list", Hidden, "tells about other processes and kernel addresses"),
    ("/proc/timer_stats", Hidden, "tells about other processes"),
    ("/proc/sched_debug", Hidden, "lists all processes of the machine"),
    ("/proc/scsi", Hidden, "removes the machine's disks"),
    ("/sys/firmware", Hidden, "holds the machine's tables and variables of its firmware"),
    ("/sys/devices/virtual/powercap", Hidden, "lets a step infer secrets from the power that others use"),
    ("/proc/bus", ReadOnly, "configures the machine's buses"),
    ("/proc/fs", ReadOnly, "configures the machine's file systems"),
    ("/proc/irq", ReadOnly, "configures the machine's interrupts"),
    ("/proc/sys", ReadOnly, "configures the machine's kernel"),
    ("/proc/sysrq-trigger", ReadOnly, "restarts the machine"),
];
