//! The kernel's keyrings.
//!
//! Owns the one call that zoea needs of them. Knows no key.

use std::ffi::{c_int, c_long};
use std::io;
use std::ptr;

/// `KEYCTL_JOIN_SESSION_KEYRING` of `linux/keyctl.h`.
const JOIN_SESSION_KEYRING: c_int = 1;

/// Gives this process a new, empty session keyring in place of the inherited one (`keyctl(2)`).
///
/// # Errors
/// `ENOSYS` or `EPERM` where the kernel has no keyrings or a filter forbids them; `EDQUOT` when the user has too
/// many.
pub fn join_new_session_keyring() -> io::Result<()> {
    let anonymous: *const libc::c_char = ptr::null();
    // SAFETY: the command takes one pointer, for which null means an anonymous keyring; nothing is written.
    // JUSTIFICATION: neither the standard library nor rustix knows keyrings.
    let result: c_long = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, anonymous) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
