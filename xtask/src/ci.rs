//! Continuous integration: the steps in order, each a command that anybody can run alone.
//!
//! Stops at the first step that fails. Downloads nothing but crates, and what `tests/prepare` installs where it may.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use zoea_tests::{cache, machine};

use crate::{layers, packages, shape};

/// Runs every step.
pub(crate) fn run() -> Result<()> {
    step("tests/prepare", "bash", &["tests/prepare"])?;
    cargo("fmt", &["--all", "--check"])?;
    cargo("clippy", &["--workspace", "--all-targets", "--", "-D", "warnings"])?;
    layers::run()?;
    shape::run()?;
    packages::run()?;
    licences()?;
    documentation()?;
    tests()
}

/// Checks the licences and sources of all dependencies where cargo-deny is installed, and says where it is not.
fn licences() -> Result<()> {
    if machine::has_program("cargo-deny") {
        cargo("deny", &["--offline", "check", "bans", "licenses", "sources"])
    } else {
        println!("deny: not checked, because cargo-deny is not installed; deny.toml is its configuration");
        Ok(())
    }
}

/// Builds the documentation of every crate.
fn documentation() -> Result<()> {
    let mut command = command("cargo", &["doc", "--workspace", "--no-deps", "--quiet"]);
    finish("doc", command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Builds the program, runs every test, and lists what was skipped.
fn tests() -> Result<()> {
    cargo("build", &["--quiet", "--package", "zoea-cli"])?;
    let (_, program) = cache::program()?;
    let list = tempfile::NamedTempFile::new()?;
    let runner: &[&str] = if machine::has_program("cargo-nextest") {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        println!("test: cargo-nextest is not installed, so `cargo test` runs the tests");
        &["test", "--workspace", "--no-fail-fast"]
    };
    let mut command = command("cargo", runner);
    command.env(cache::PROGRAM, program).env(machine::SKIPPED_LIST, list.path());
    let outcome = finish("test", &mut command);
    let skipped = std::fs::read_to_string(list.path())?;
    print!("{skipped}");
    println!("test: {} skipped for want of something on this machine", skipped.lines().count());
    outcome
}

fn cargo(name: &str, arguments: &[&str]) -> Result<()> {
    step(name, "cargo", &[&[name], arguments].concat())
}

fn step(name: &str, program: &str, arguments: &[&str]) -> Result<()> {
    finish(name, &mut command(program, arguments))
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

/// Runs one step and says how long it took.
fn finish(name: &str, command: &mut Command) -> Result<()> {
    println!("== {name}");
    let start = std::time::Instant::now();
    let status = command.status().with_context(|| format!("Failed to start {command:?}"))?;
    println!("== {name}: {status}, {:.1} s", start.elapsed().as_secs_f64());
    ensure!(status.success(), "{name} failed: {command:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_stops_everything() {
        assert!(step("true", "true", &[]).is_ok());
        assert!(step("false", "false", &[]).unwrap_err().to_string().contains("false failed"));
    }
}
