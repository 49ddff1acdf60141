//! Descriptors that a process was born with.
//!
//! Owns the step from a number that parent and child agreed on to an owned descriptor. Invariant: a number is
//! handed out once per process.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::FdFlags;

/// One bit per number that was handed out.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The numbers that can be taken: beyond standard input, output and error, which the runtime owns.
const NUMBERS: std::ops::Range<RawFd> = 3..64;

/// Takes over descriptor `number`, which the parent placed with [`spawn`](crate::spawn()), and closes it on exec.
///
/// To be called by a process that was started that way, before it opens anything: the number must still be the
/// parent's.
///
/// # Errors
/// A number outside `3..64`, taken before, or not open.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if !NUMBERS.contains(&number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the value is not -1, and the borrow ends in this function; the kernel answers EBADF if it is closed.
    // JUSTIFICATION: a number that came over exec has no owner in this process that could be borrowed safely.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    let bit = 1_u64 << number;
    if TAKEN.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: the descriptor is open, as fcntl proved, and `TAKEN` makes this the only owner that is ever made of
    // the number; whoever calls this before opening anything has no other owner of it.
    // JUSTIFICATION: owning an inherited descriptor by number has no safe form.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_the_parents() {
        assert_eq!(take_inherited(2).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(take_inherited(64).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(take_inherited(63).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
