//! Who runs a program: root, or an ordinary user with subordinate ids.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// The user id of the ordinary user.
pub const USER: u32 = 1000;

/// The user id of the stranger: of no account.
const STRANGER: u32 = 54_321;

/// Somebody who runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// uid 0 with every capability that the tests themselves have.
    Root,
    /// uid 1000 without any capability; where the tests run as an ordinary user themselves, that user.
    User,
    /// Another ordinary user, who has no subordinate ids. Only root can be this one.
    Stranger,
}

impl Actor {
    /// Both, for tests in which everything must be the same for both.
    pub const BOTH: [Self; 2] = [Self::Root, Self::User];

    /// Makes a command that runs `program` as this actor.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let Some(id) = self.other_id() else { return Command::new(program) };
        let id = id.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--inh-caps=-all", "--"]);
        command.arg(program);
        command
    }

    /// Gives `path` to this actor.
    ///
    /// # Errors
    /// The owner cannot be changed.
    pub fn own(self, path: &Path) -> Result<()> {
        let Some(id) = self.other_id() else { return Ok(()) };
        chown(path, Some(id), Some(id)).with_context(|| format!("Failed to give {} away", path.display()))
    }

    /// Returns this actor's id, where it is not that of the tests.
    fn other_id(self) -> Option<u32> {
        let id = match self {
            Self::Root => return None,
            Self::User => USER,
            Self::Stranger => STRANGER,
        };
        am_root().then_some(id)
    }
}

/// Says whether the tests themselves run as root.
pub fn am_root() -> bool {
    // `/proc/self` belongs to the effective user of the process that looks at it.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
