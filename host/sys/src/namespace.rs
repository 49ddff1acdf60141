//! Leaving namespaces.
//!
//! Owns `unshare` for namespaces only: a thread never leaves its process's descriptor table.

use std::io;

use rustix::thread::UnshareFlags;

/// A kind of namespace (`namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// User and group ids, and what capabilities are over.
    User,
    /// Mounts.
    Mount,
    /// Process ids; for the children of the one who leaves.
    Process,
    /// System V objects and message queues.
    Ipc,
    /// Host name and domain name.
    HostName,
    /// Network devices, addresses and abstract sockets.
    Network,
}

impl Namespace {
    /// Returns the flag that `clone` and `unshare` take.
    pub(crate) fn flag(self) -> UnshareFlags {
        match self {
            Self::User => UnshareFlags::NEWUSER,
            Self::Mount => UnshareFlags::NEWNS,
            Self::Process => UnshareFlags::NEWPID,
            Self::Ipc => UnshareFlags::NEWIPC,
            Self::HostName => UnshareFlags::NEWUTS,
            Self::Network => UnshareFlags::NEWNET,
        }
    }
}

/// Moves the calling thread into new namespaces (`unshare(2)`): all of them or none.
///
/// # Errors
/// `EPERM` where they are forbidden, `ENOSPC` or `EUSERS` over a limit, `EINVAL` for a user namespace in a process
/// with several threads.
pub fn unshare(namespaces: &[Namespace]) -> io::Result<()> {
    let flags = namespaces.iter().fold(UnshareFlags::empty(), |flags, namespace| flags | namespace.flag());
    // SAFETY: the flags never hold FILES, the one for which the call is unsafe.
    // JUSTIFICATION: rustix deprecated its safe form.
    unsafe { rustix::thread::unshare_unsafe(flags) }?;
    Ok(())
}
