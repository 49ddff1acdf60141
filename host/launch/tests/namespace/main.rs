//! The namespace launcher on this machine, as root, with subordinate ids and with one id.
//!
//! Namespaces must be entered before a process has threads, so every test is a process of its own: this binary starts
//! itself for it, once more as another user where the way demands that. All mounts are made in private mount
//! namespaces; the machine's own stay as they are.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test without the standard harness, which fails by panicking"
)]

mod bench;
mod ending;
mod entry;
mod foreign;
mod isolation;
mod mounts;
mod output;
mod overlay;
mod stage;
mod start;
mod way;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::bench::Bench;
use crate::way::Way;

/// The rows of one file's tests: name, ways, test.
type Cases = &'static [(&'static str, &'static [Way], fn(&Bench))];

/// One test: its name, the ways in which it makes sense, and what it does in its own process.
struct Case {
    name: &'static str,
    ways: &'static [Way],
    run: fn(&Bench),
}

/// All tests.
fn cases() -> Vec<Case> {
    [
        foreign::CASES,
        start::CASES,
        output::CASES,
        isolation::CASES,
        mounts::CASES,
        overlay::CASES,
        ending::CASES,
        stage::CASES,
    ]
    .into_iter()
    .flat_map(|cases| cases.iter().map(|(name, ways, run)| Case { name, ways, run: *run }))
    .collect()
}

fn main() -> ExitCode {
    if let Some(status) = zoea_launch::intercept() {
        return status;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--as", way, case, directory] => way::become_user(way, case, directory),
        ["--case", way, case, directory] => {
            if let Some((_, _, run)) = entry::CASES.iter().find(|(name, _, _)| name == case) {
                run(directory.as_ref());
                return ExitCode::SUCCESS;
            }
            let run = cases().into_iter().find(|other| other.name == *case).expect("a known case").run;
            run(&Bench::enter(way, directory.as_ref()));
            ExitCode::SUCCESS
        }
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

/// Every case in every way.
fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let entries = entry::CASES.iter().map(|(name, way, _)| (*name, *way));
    let cases = cases();
    let steps = cases.iter().flat_map(|case| case.ways.iter().map(|way| (case.name, *way)));
    for (name, way) in entries.chain(steps) {
        let trial = Trial::test(format!("{}::{name}", way.name()), move || {
            way::run_case(way, name).map_err(Failed::from)
        });
        trials.push(trial.with_ignored_flag(way.obstacle().is_some()));
    }
    if let Some(obstacle) = Way::Root.obstacle() {
        eprintln!("skipped: {obstacle}");
    }
    trials
}
