//! The zoea program.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else, and before any thread: this process may have been started as a step's helper.
    match zoea::intercept() {
        Some(code) => code,
        None => zoea_cli::run(std::env::args_os().collect()),
    }
}
