//! What the machine must have for a test, and what happens where it has not.
//!
//! A test that cannot run says which need is not met and is listed as skipped. With `CI` set nothing may be
//! skipped: the test fails instead.

use std::io::Write as _;
use std::process::Command;

use crate::actor::{USER, am_root};
use crate::base::Base;

/// The file that every skipped test adds its line to; `cargo xtask ci` prints it at the end.
pub const SKIPPED_LIST: &str = "ZOEA_TESTS_SKIPPED";

/// Something that a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To run as root.
    Root,
    /// A program in the search path.
    Program(&'static str),
    /// An ordinary user with subordinate ids, and the programs that map them.
    SubordinateIds,
    /// A base image; all but one are made from the machine's package source when they are not there.
    Base(Base),
    /// A kernel that lets a user namespace have emulators of its own (Linux 6.7).
    OwnEmulators,
}

impl Need {
    /// Says why it is not met, if it is not.
    fn lack(self) -> Option<String> {
        match self {
            Self::Root => (!am_root()).then(|| "needs root".to_owned()),
            Self::Program(name) => (!has_program(name)).then(|| format!("needs the program `{name}`")),
            Self::SubordinateIds => lacks_subordinate_ids(),
            Self::Base(Base::Busybox) => Self::Program("busybox").lack(),
            Self::Base(base @ (Base::Debian | Base::Arm64Busybox)) => {
                base.tar().err().map(|error| format!("needs the base `{}`: {error:#}", base.name()))
            }
            Self::OwnEmulators => {
                let command = crate::emulator::without_emulators();
                let tried =
                    Command::new("unshare").args(command.get(1..).unwrap_or_default()).arg("true").output();
                let works = tried.is_ok_and(|output| output.status.success());
                (!works).then(|| "needs a kernel with binfmt_misc in user namespaces".to_owned())
            }
        }
    }
}

/// Says whether every need of `test` is met, and why not.
///
/// # Panics
/// A need is not met and `CI` is set.
#[expect(clippy::panic, reason = "where nothing may be skipped, a test that cannot run has failed")]
#[expect(clippy::print_stderr, reason = "the test runner shows why a test did nothing")]
pub fn ready(test: &str, needs: &[Need]) -> bool {
    let lacks: Vec<_> = needs.iter().filter_map(|need| need.lack()).collect();
    if lacks.is_empty() {
        return true;
    }
    let line = format!("skipped {test}: {}", lacks.join("; "));
    if std::env::var_os("CI").is_some_and(|value| value != "false" && !value.is_empty()) {
        panic!("nothing may be skipped with `CI` set: {line}");
    }
    eprintln!("{line}");
    if let Some(list) = std::env::var_os(SKIPPED_LIST) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
            eprintln!("The list of skipped tests cannot be written: {error}");
        }
    }
    false
}

/// Says whether the search path has a program called `name`.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Says why the ordinary user has no subordinate ids, if so.
fn lacks_subordinate_ids() -> Option<String> {
    if !has_program("newuidmap") || !has_program("newgidmap") {
        return Some("needs `newuidmap` and `newgidmap` (package uidmap)".to_owned());
    }
    let id = if am_root() { USER.to_string() } else { output("id", &["-u"]) };
    let account = output("getent", &["passwd", &id]);
    let Some((name, _)) = account.split_once(':') else {
        return Some(format!("needs an account with uid {id}"));
    };
    let lacking = ["/etc/subuid", "/etc/subgid"].into_iter().find(|file| {
        let lines = std::fs::read_to_string(file).unwrap_or_default();
        !lines.lines().filter_map(|line| line.split(':').next()).any(|owner| owner == name || owner == id)
    })?;
    Some(format!("needs subordinate ids for `{name}` in {lacking}"))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told() {
        let lack = Need::Program("no-such-program-at-all").lack().unwrap();
        assert!(lack.contains("no-such-program-at-all"));
        assert_eq!(Need::Program("sh").lack(), None);
    }
}
