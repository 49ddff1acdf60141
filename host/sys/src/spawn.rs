//! Starting a program in new namespaces from a process with any number of threads.
//!
//! Owns the short time between `clone` and `execveat`, in which the child shares its parent's memory and may only
//! make system calls with data that was prepared before. Invariant: the new program gets exactly the descriptors
//! it was given, numbered from 0, and a parent that is told of success has a child that is past its `execveat`.

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use libc::c_char;
use rustix::process::{Resource, Signal, WaitId, WaitIdOptions};

use crate::Namespace;
use crate::execute::pointers;
use crate::signal::Blocked;

/// The child's stack until it is another program; `execveat` and `close_range` need a few hundred bytes.
const STACK_SIZE: usize = 64 * 1024;

/// A program to start.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// The program's file, a binary.
    pub program: BorrowedFd<'a>,
    /// Its arguments, its own name first.
    pub arguments: &'a [CString],
    /// Its whole environment, `NAME=value`.
    pub environment: &'a [CString],
    /// Its descriptors, from 0.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// The new namespaces that it starts in; never [`Namespace::User`] from a process with several threads.
    pub namespaces: &'a [Namespace],
}

/// A child, known by a descriptor that no other process can come to stand for.
#[derive(Debug)]
pub struct Child(OwnedFd);

impl Child {
    /// Kills it at once, whatever it does.
    ///
    /// # Errors
    /// `ESRCH` when it was waited for already.
    pub fn kill(&self) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.0, Signal::KILL)?)
    }

    /// Waits until it has ended and lets the kernel forget it.
    ///
    /// # Errors
    /// None that matters: a child that something else waited for counts as ended.
    pub fn wait(&self) -> io::Result<()> {
        match rustix::process::waitid(WaitId::PidFd(self.0.as_fd()), WaitIdOptions::EXITED) {
            Ok(_) | Err(rustix::io::Errno::CHILD) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Readable when the child has ended.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What the child needs, all of it made before.
struct Orders<'a> {
    /// The program, at a number above all that the child is to have.
    program: RawFd,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    /// Descriptors at numbers above all that the child is to have.
    descriptors: &'a [RawFd],
    /// The first number at which nothing is open.
    limit: c_int,
    /// The error number of what failed; 0 while nothing did.
    error: AtomicI32,
}

/// Starts a program in a child process.
///
/// The call returns when the child executes the program. Its working directory, root, umask and signal
/// dispositions are the parent's; every signal is blocked in it.
///
/// # Errors
/// What `clone(2)` and `execveat(2)` say.
pub fn spawn(request: &Spawn<'_>) -> io::Result<Child> {
    let first_free = i32::try_from(request.descriptors.len()).map_err(io::Error::other)?;
    let duplicate = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, first_free + 1);
    let program = duplicate(request.program)?;
    let owned = request.descriptors.iter().map(|fd| duplicate(*fd)).collect::<Result<Vec<_>, _>>()?;
    let descriptors: Vec<RawFd> = owned.iter().map(|fd| fd.as_raw_fd()).collect();
    let (arguments, environment) = (pointers(request.arguments), pointers(request.environment));
    let limit = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let orders = Orders {
        program: program.as_raw_fd(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        descriptors: &descriptors,
        limit: c_int::try_from(limit).unwrap_or(c_int::MAX),
        error: AtomicI32::new(0),
    };
    let child = Child(clone(&orders, request.namespaces)?);
    match orders.error.load(Ordering::Acquire) {
        0 => Ok(child),
        error => {
            child.wait()?;
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

/// Makes the child, returns when it has executed its program or ended, and returns its descriptor.
fn clone(orders: &Orders<'_>, namespaces: &[Namespace]) -> io::Result<OwnedFd> {
    // VM and VFORK: no page table is copied, however large the builder, and the parent's thread waits.
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    for namespace in namespaces {
        flags |= namespace.flag().bits().cast_signed();
    }
    let mut stack: Vec<u128> = vec![0; STACK_SIZE / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let mut descriptor: c_int = -1;
    let argument: *const Orders<'_> = orders;
    // A handler that ran in the child would run on this process's memory.
    let blocked = Blocked::new()?;
    // SAFETY: the stack is alive, aligned and large enough, the function only makes system calls and reads `orders`,
    // which outlives it because VFORK lets this thread go on only after the child has left this memory, and the
    // descriptor is written where CLONE_PIDFD is to write it.
    // JUSTIFICATION: `Command` cannot make namespaces without copying a process that has threads.
    let id = unsafe {
        libc::clone(child, top.cast(), flags, argument.cast_mut().cast::<c_void>(), &raw mut descriptor)
    };
    let error = io::Error::last_os_error();
    drop(blocked);
    if id == -1 {
        return Err(error);
    }
    // SAFETY: the call succeeded, so the number is a new descriptor that nobody else owns.
    // JUSTIFICATION: the kernel hands it out as a number.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The child between `clone` and `execveat`. Must not allocate, lock or panic.
extern "C" fn child(argument: *mut c_void) -> c_int {
    // SAFETY: `clone` passes its own `orders`, which outlive this function; they are shared, not exclusive.
    // JUSTIFICATION: the C interface passes an untyped pointer.
    let orders: &Orders<'_> = unsafe { &*argument.cast_const().cast::<Orders<'_>>() };
    let error = become_program(orders);
    orders.error.store(error, Ordering::Release);
    127
}

/// Arranges the descriptors and executes the program, or returns the error number.
fn become_program(orders: &Orders<'_>) -> i32 {
    let mut next: c_int = 0;
    for descriptor in orders.descriptors {
        // SAFETY: the child has its own descriptor table (no CLONE_FILES), so nothing of the parent's is closed.
        // JUSTIFICATION: rustix's dup2 needs an owner of the number that is replaced; here there is none.
        if unsafe { libc::dup2(*descriptor, next) } == -1 {
            return error_number();
        }
        next += 1;
    }
    // SAFETY: as above.
    // JUSTIFICATION: as above. The flag closes the program's descriptor in the very act of executing it.
    if unsafe { libc::dup3(orders.program, next, libc::O_CLOEXEC) } == -1 {
        return error_number();
    }
    close_above(next, orders.limit);
    // SAFETY: the path is a C string, the lists end with a null and point to C strings, and the parent keeps all of
    // them alive until this call has succeeded.
    // JUSTIFICATION: no safe call executes a file by descriptor.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            next,
            c"".as_ptr(),
            orders.arguments,
            orders.environment,
            libc::AT_EMPTY_PATH,
        )
    };
    error_number()
}

/// Closes every descriptor above `last`.
fn close_above(last: c_int, limit: c_int) {
    // SAFETY: the child has its own descriptor table, and none of its code owns a descriptor.
    // JUSTIFICATION: closing what other code of the parent may have left inheritable has no safe form.
    if unsafe { libc::syscall(libc::SYS_close_range, last + 1, c_int::MAX, 0) } == 0 {
        return;
    }
    // Linux before 5.9.
    for number in last + 1..limit {
        // SAFETY: as above; a number that is not open is an error without effect.
        // JUSTIFICATION: as above.
        unsafe { libc::close(number) };
    }
}

/// Returns the error number of the last call; allocates nothing.
fn error_number() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;

    use super::*;

    /// Runs `script` with `/bin/sh`, which writes to its descriptor 3, and returns what it wrote.
    fn shell(script: &str, namespaces: &[Namespace]) -> io::Result<String> {
        let program = File::open("/bin/sh")?;
        let null = File::open("/dev/null")?;
        let (mut reader, writer) = io::pipe()?;
        let arguments = [c"sh".to_owned(), c"-c".to_owned(), CString::new(script)?];
        let descriptors = [null.as_fd(), null.as_fd(), null.as_fd(), writer.as_fd()];
        let child = spawn(&Spawn {
            program: program.as_fd(),
            arguments: &arguments,
            environment: &[c"A=1".to_owned()],
            descriptors: &descriptors,
            namespaces,
        })?;
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        child.wait()?;
        child.wait()?;
        Ok(text)
    }

    #[test]
    fn gives_exactly_the_named_descriptors_and_environment() {
        let leaked = rustix::io::dup(File::open("/dev/null").unwrap()).unwrap();
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
        let text = shell("cd /proc/self/fd; echo /proc/$$/fd/* $A $PPID >&3", &[]).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        let numbers: Vec<&str> =
            words.iter().filter_map(|word| word.rsplit_once("/fd/")).map(|(_, number)| number).collect();
        // The shell saves nothing and opens only the directory that it lists.
        assert!(numbers.starts_with(&["0", "1", "2", "3"]), "{text}");
        assert!(numbers.len() <= 5, "{text}");
        assert_eq!(words.get(words.len() - 2), Some(&"1"));
    }

    #[test]
    fn reports_a_program_that_cannot_start() {
        let file = File::open("/etc/passwd").unwrap();
        let error = spawn(&Spawn {
            program: file.as_fd(),
            arguments: &[],
            environment: &[],
            descriptors: &[],
            namespaces: &[],
        })
        .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn starts_in_a_process_namespace() {
        match shell("echo $$ >&3", &[Namespace::Process]) {
            Ok(text) => assert_eq!(text, "1\n"),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}"),
        }
    }

    #[test]
    fn kills() {
        let program = File::open("/bin/sh").unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        let (blocking, _keep) = io::pipe().unwrap();
        let child = spawn(&Spawn {
            program: program.as_fd(),
            arguments: &[c"sh".to_owned()],
            environment: &[],
            descriptors: &[blocking.as_fd(), writer.as_fd(), writer.as_fd()],
            namespaces: &[],
        })
        .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
