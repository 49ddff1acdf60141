//! The capabilities of a step: Docker's default set.

use rustix::thread::CapabilitySet;

/// A capability and why a step has it.
type Row = (CapabilitySet, &'static str);

/// All that a step's bounding set holds.
pub(crate) const CAPABILITIES: &[Row] = &[
    (CapabilitySet::AUDIT_WRITE, "login programs write to the audit log"),
    (CapabilitySet::CHOWN, "package managers give files to their owners"),
    (CapabilitySet::DAC_OVERRIDE, "root writes files that are others'"),
    (CapabilitySet::FOWNER, "root changes modes and times of files that are others'"),
    (CapabilitySet::FSETID, "set-id bits survive a change of a file by root"),
    (CapabilitySet::KILL, "a step ends its own users' processes"),
    (CapabilitySet::MKNOD, "base systems make device nodes, which no mount of a step lets anybody open"),
    (CapabilitySet::NET_BIND_SERVICE, "tests of servers use low ports"),
    (CapabilitySet::NET_RAW, "ping"),
    (CapabilitySet::SETFCAP, "packages give capabilities to files"),
    (CapabilitySet::SETGID, "su, sudo and package managers change groups"),
    (CapabilitySet::SETPCAP, "programs give up capabilities for good"),
    (CapabilitySet::SETUID, "su, sudo and package managers change users"),
    (CapabilitySet::SYS_CHROOT, "base systems are made in a chroot"),
];
