//! A copy of a process that has one thread.
//!
//! Owns `fork` in the one situation in which the child may run any code. Invariant: the child never returns into
//! its parent's callers.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::Pid;

/// The exit status of a child whose closure panicked: `EX_SOFTWARE` of `sysexits.h`.
const PANICKED: u8 = 70;

/// Counts the threads of this process.
///
/// # Errors
/// `/proc` is missing or masked.
pub fn thread_count() -> io::Result<usize> {
    std::fs::read_dir("/proc/self/task")?.try_fold(0, |count, thread| thread.map(|_| count + 1))
}

/// Runs `child` in a copy of this process, which ends with the returned status, and returns the copy's id.
///
/// # Errors
/// The process has more than one thread: locks that other threads hold would stay locked in the copy forever.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    if thread_count()? != 1 {
        return Err(io::Error::other("only a process with one thread can be copied"));
    }
    // SAFETY: there is one thread, so no lock is held by a thread that the copy lacks, and any code may run in it.
    // JUSTIFICATION: no safe call copies a process.
    let id = unsafe { libc::fork() };
    match id {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let status = catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED);
            // SAFETY: `_exit` has no precondition; it runs nothing of this copy of the parent's state.
            // JUSTIFICATION: `std::process::exit` runs the exit handlers that belong to the parent.
            unsafe { libc::_exit(i32::from(status)) }
        }
        id => Pid::from_raw(id).ok_or_else(|| io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_process_with_threads() {
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || receiver.recv().unwrap_err());
            assert!(fork(|| 0).is_err());
            drop(sender);
        });
    }
}
