//! What a process does with signals.
//!
//! Owns the way back to the defaults, which `execve` alone does not take: ignored and blocked signals stay so.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// The highest signal of Linux on both supported machines (`_NSIG`).
const LAST_SIGNAL: libc::c_int = 64;

/// The kernel's `struct sigaction`, all zero: the default disposition, no flags, an empty mask. Handler, flags,
/// restorer and mask are 8 bytes each on x86_64 and aarch64.
const DEFAULT: [u64; 4] = [0; 4];

/// The size of the kernel's `sigset_t`.
const SET_SIZE: usize = size_of::<u64>();

/// Gives every signal its default disposition and blocks none.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn reset_signals() -> io::Result<()> {
    for signal in 1..=LAST_SIGNAL {
        let before: *mut u64 = ptr::null_mut();
        // SAFETY: the structure has the kernel's layout and is only read; the default disposition refers to no code,
        // and the old one is not asked for.
        // JUSTIFICATION: no safe call changes dispositions, and the C library's leaves out two signals that it keeps
        // for itself, although a parent may have ignored them.
        let result =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), before, SET_SIZE) };
        // KILL and STOP cannot be changed and are never ignored.
        if result == -1 && io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
            return Err(io::Error::last_os_error());
        }
    }
    let mut none = MaybeUninit::uninit();
    // SAFETY: the call initialises the set that the pointer names.
    // JUSTIFICATION: a C structure that only this call makes.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialised by the call before; the old set is not asked for.
    // JUSTIFICATION: no safe call changes the mask.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// All signals blocked for this thread while the value lives.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    /// Blocks every signal that can be blocked.
    pub(crate) fn new() -> io::Result<Self> {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: the call initialises the set that the pointer names.
        // JUSTIFICATION: a C structure that only this call makes.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the first set was initialised by the call before, and the second is writable.
        // JUSTIFICATION: no safe call changes the mask.
        let error = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: the call succeeded, so it wrote the old set.
        // JUSTIFICATION: a value that C code wrote.
        Ok(Self(unsafe { before.assume_init() }))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the kernel gave; a failure is impossible for a valid set and operation.
        // JUSTIFICATION: no safe call changes the mask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the line of `/proc/thread-self/status` with the mask of blocked signals.
    fn blocked() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find(|line| line.starts_with("SigBlk:")).unwrap().to_owned()
    }

    #[test]
    fn blocking_ends_with_the_value() {
        let before = blocked();
        let guard = Blocked::new().unwrap();
        assert_ne!(blocked(), before);
        drop(guard);
        assert_eq!(blocked(), before);
    }
}
