//! The other roles of the builder's binary.
//!
//! Owns the decision which role a process has; the roles themselves are `mapper` and `step`.

use std::process::ExitCode;

use crate::{mapper, step};

/// Does the work of a process that this crate started, and returns its exit status.
///
/// Must be the first statement of `main`. Returns nothing in every other process.
pub fn intercept() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let role = arguments.next()?;
    match role.to_str()? {
        mapper::ROLE => Some(mapper::main(arguments)),
        step::ROLE => Some(step::main()),
        _ => None,
    }
}
