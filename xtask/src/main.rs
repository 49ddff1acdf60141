//! The project's automation, `cargo xtask NAME`: one table from a name to a function.
//!
//! Owns the checks that no compiler does (arrows between crates, shape of files, where libraries work), the list
//! of steps that is continuous integration, and the benchmark. Builds no part of the product and is used by none.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to its caller")]

mod bench;
mod ci;
mod finding;
mod fuzz;
mod layers;
mod packages;
mod shape;
mod source;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

/// One task: its name, what it does in a line, and its function.
type Task = (&'static str, &'static str, fn() -> Result<()>);

/// Every task there is.
const TASKS: &[Task] = &[
    ("ci", "everything that continuous integration checks, the tests included", ci::run),
    ("layers", "imports between crates go one way only; unsafe code is in `sys` only", layers::run),
    ("shape", "files are small, say what they own, and have nouns for names", shape::run),
    ("packages", "docs/ARCHITECTURE.md names the crates where the main libraries work", packages::run),
    (
        "fuzz",
        "searches for inputs that break the readers of foreign text: fuzz [TARGET [SECONDS]]",
        fuzz::run,
    ),
    ("bench", "measures zoea beside the builders that are installed and prints tables", bench::run),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, _, task)) = TASKS.iter().find(|(task, _, _)| *task == name) else {
        eprintln!("Usage: cargo xtask NAME, where NAME is one of");
        for (task, purpose, _) in TASKS {
            eprintln!("  {task:<10} {purpose}");
        }
        return ExitCode::from(2);
    };
    match task() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
