//! The step's program.
//!
//! Owns the search for it in the tree and what is said when it cannot be started, with the exit statuses that
//! POSIX gives shells for that ("Shell Command Language", 2.8.2).

use std::ffi::CString;
use std::io::{self, Write as _};

use rustix::fs::Access;
use rustix::io::Errno;

use crate::message::StepRequest;

/// The status of a program that was not found.
const NOT_FOUND: u8 = 127;

/// The status of a program that was found and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Becomes the program, or says why not on standard error and returns the exit status.
pub(super) fn execute(request: &StepRequest) -> u8 {
    let program = request.arguments.first().map_or("", String::as_str);
    let Failed { status, reason } = search(program, request);
    let message = format!("zoea: cannot start `{program}`: {reason}\n");
    // Without a standard error there is nobody to tell, and the status says it too.
    match io::stderr().write_all(message.as_bytes()) {
        Ok(()) | Err(_) => status,
    }
}

/// Why a program could not be started.
struct Failed {
    status: u8,
    reason: String,
}

/// Tries every place where the program may be; returns only if none worked.
fn search(program: &str, request: &StepRequest) -> Failed {
    if program.is_empty() {
        return Failed { status: NOT_FOUND, reason: "its name is empty".to_owned() };
    }
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.to_owned()]
    } else {
        // An empty directory means the working directory (POSIX, "Environment Variables", PATH).
        request.search_path.split(':').map(|directory| join(directory, program)).collect()
    };
    let mut denied = None;
    for candidate in candidates {
        let error = try_one(&candidate, request);
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR) => {
                if rustix::fs::access(candidate.as_str(), Access::EXISTS).is_ok() {
                    let reason = format!("`{candidate}` is there, but its interpreter is not");
                    return Failed { status: NOT_FOUND, reason };
                }
            }
            // A later directory may have one that can be executed.
            Some(Errno::ACCESS) => denied = Some((candidate, error)),
            _ => {
                let reason = format!("`{candidate}`: {}", explain(&error));
                return Failed { status: NOT_EXECUTABLE, reason };
            }
        }
    }
    match denied {
        Some((candidate, error)) => {
            Failed { status: NOT_EXECUTABLE, reason: format!("`{candidate}`: {}", explain(&error)) }
        }
        None if program.contains('/') => Failed { status: NOT_FOUND, reason: "no such file".to_owned() },
        None => Failed { status: NOT_FOUND, reason: format!("not found in PATH ({})", request.search_path) },
    }
}

/// Executes one file, or returns why that failed.
fn try_one(path: &str, request: &StepRequest) -> io::Error {
    let strings = |texts: &[String]| texts.iter().map(|text| CString::new(text.as_str())).collect();
    let arguments: Result<Vec<CString>, _> = strings(&request.arguments);
    let environment: Result<Vec<CString>, _> = strings(&request.environment);
    match (CString::new(path), arguments, environment) {
        (Ok(path), Ok(arguments), Ok(environment)) => zoea_sys::execute(&path, &arguments, &environment),
        _ => io::ErrorKind::InvalidInput.into(),
    }
}

/// Joins a directory of `PATH` and a name.
fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { format!("./{name}") } else { format!("{directory}/{name}") }
}

/// Adds to an error what usually causes it.
fn explain(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOEXEC) => {
            format!("{error} (a script without `#!` line, or a program for another kind of processor)")
        }
        _ => error.to_string(),
    }
}
