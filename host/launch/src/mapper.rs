//! The helper that maps subordinate ids.
//!
//! Owns a child of the same binary that stays in the parent user namespace, where `newuidmap` and `newgidmap` have
//! power over it, and calls them once the builder has made its own namespace. Without a word from the builder it
//! ends and does nothing.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::subordinate::{Range, Subordinate};

/// The name under which the binary is started for this.
pub(crate) const ROLE: &str = "zoea-map";

/// Separates the arguments of `newuidmap` from those of `newgidmap`.
const SEPARATOR: &str = "--";

/// How much of the helper's explanation is kept: a few lines.
const REASON_LIMIT: u64 = 4096;

/// The waiting helper.
#[derive(Debug)]
pub(crate) struct Mapper(Child);

impl Mapper {
    /// Starts the helper for this process, whose user is `uid` and group `gid`.
    pub(crate) fn start(uid: u32, gid: u32, subordinate: &Subordinate) -> io::Result<Self> {
        let child = Command::new("/proc/self/exe")
            .arg0(ROLE)
            .arg(std::process::id().to_string())
            .args(extents(uid, &subordinate.users))
            .arg(SEPARATOR)
            .args(extents(gid, &subordinate.groups))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// Has the ids of this process's new namespace mapped, or returns why that failed.
    pub(crate) fn map(mut self) -> io::Result<Result<(), String>> {
        if let Some(mut stdin) = self.0.stdin.take() {
            stdin.write_all(b"1")?;
        }
        let mut reason = String::new();
        if let Some(stdout) = self.0.stdout.take() {
            stdout.take(REASON_LIMIT).read_to_string(&mut reason)?;
        }
        let status = self.0.wait()?;
        Ok(if status.success() { Ok(()) } else { Err(reason) })
    }

    /// Sends the helper away.
    pub(crate) fn dismiss(mut self) -> io::Result<()> {
        drop(self.0.stdin.take());
        self.0.wait().map(|_| ())
    }
}

/// Returns the triples of inner id, outer id and count: the user's own id as 0, then all ranges from 1 on.
fn extents(own: u32, ranges: &[Range]) -> Vec<String> {
    let mut numbers = vec![0, own, 1];
    let mut next: u32 = 1;
    for range in ranges {
        let Some(after) = next.checked_add(range.count) else { break };
        numbers.extend([next, range.first, range.count]);
        next = after;
    }
    numbers.iter().map(ToString::to_string).collect()
}

/// The helper's main function; `arguments` are those of [`Mapper::start`].
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut word = [0];
    match io::stdin().read(&mut word) {
        Ok(1) => {}
        Ok(_) | Err(_) => return ExitCode::SUCCESS,
    }
    match call_helpers(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // The exit status alone tells of a failure if the builder no longer listens.
            match io::stdout().write_all(reason.as_bytes()) {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Calls `newgidmap` and `newuidmap`.
fn call_helpers(mut arguments: impl Iterator<Item = OsString>) -> Result<(), String> {
    let process = arguments.next().ok_or("no process is named")?;
    let users: Vec<OsString> = arguments.by_ref().take_while(|argument| argument != SEPARATOR).collect();
    let groups: Vec<OsString> = arguments.collect();
    for (program, extents) in [("newgidmap", groups), ("newuidmap", users)] {
        let output = Command::new(program)
            .arg(&process)
            .args(extents)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{program}: {}", reason.trim()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_id_comes_first_and_ranges_follow_without_gap() {
        let ranges = [Range { first: 100_000, count: 10 }, Range { first: 500, count: 5 }];
        assert_eq!(extents(1000, &ranges), ["0", "1000", "1", "1", "100000", "10", "11", "500", "5"]);
        let huge = [Range { first: 0, count: u32::MAX }];
        assert_eq!(extents(1000, &huge), ["0", "1000", "1"]);
    }
}
