//! Becoming another program.
//!
//! Owns the call of `execve` with arguments made in safe code. Does not search `PATH` and interprets no error.

use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

use libc::c_char;

/// A list of strings as the kernel takes it: pointers and a null at the end.
pub(crate) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Replaces this process by `program`, or returns why that failed (`execve(2)`).
///
/// Unlike the C library's `execvp`, never runs a shell on a file that the kernel refuses.
pub fn execute(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let arguments = pointers(arguments);
    let environment = pointers(environment);
    // SAFETY: the program is a C string, both lists end with a null and point to C strings, and all of them
    // outlive the call; it returns only if it did nothing.
    // JUSTIFICATION: `Command::exec` runs a shell on files without a header and cannot be told not to.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_why_a_program_cannot_start() {
        assert_eq!(execute(c"/nonexistent", &[], &[]).raw_os_error(), Some(libc::ENOENT));
        assert_eq!(execute(c"/", &[], &[]).raw_os_error(), Some(libc::EACCES));
    }
}
