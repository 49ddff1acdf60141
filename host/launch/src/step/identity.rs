//! Who the step is and what it may do.
//!
//! Owns the giving up of what the builder has and the step has not. The order matters: each call needs a capability
//! that a later one takes away.

use std::io;

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::message::StepUser;
use crate::policy::CAPABILITIES;

/// More capabilities than the kernel can ever have in its 64 bits.
const CAPABILITY_BITS: u32 = 64;

/// Leaves the builder's session keyring, in which its user's keys may be.
pub(super) fn leave_keyring() -> io::Result<()> {
    match zoea_sys::join_new_session_keyring() {
        // Where the call is forbidden or missing, the step cannot make it either.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Keeps the policy's capabilities only, for this process and whatever it executes.
pub(super) fn limit_capabilities() -> io::Result<()> {
    let kept = CAPABILITIES.iter().fold(CapabilitySet::empty(), |set, (capability, _)| set | *capability);
    for bit in 0..CAPABILITY_BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel's last capability was the one before.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let present = rustix::thread::capabilities(None)?;
    let sets = CapabilitySets {
        effective: present.effective & kept,
        permitted: present.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Takes on user and groups; every capability goes with root.
pub(super) fn become_user(user: &StepUser) -> io::Result<()> {
    if let Some(groups) = &user.groups {
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)?;
    }
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}
