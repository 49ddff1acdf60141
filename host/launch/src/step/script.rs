//! Scripts that the Dockerfile itself holds.
//!
//! Owns their place in the step's own `/dev`, which no layer ever holds. Whoever made the request has checked that
//! each name is one component.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::Preparation;
use crate::message::{During as _, Failure};
use crate::policy::DEV;

/// The directory of scripts, in `/dev`: where BuildKit has it.
const DIRECTORY: &str = "pipes";

/// Everybody may read and execute them, and the directory.
const MODE: Mode = Mode::from_raw_mode(0o755);

/// Writes `scripts` below the new `/dev`, if there are any.
pub(super) fn fill(dev: BorrowedFd<'_>, scripts: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    if scripts.is_empty() {
        return Ok(());
    }
    let place = |name: &str| Preparation::WriteScript(format!("{DEV}/{DIRECTORY}/{name}"));
    rustix::fs::mkdirat(dev, DIRECTORY, MODE).during(|| place(""))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory: OwnedFd = rustix::fs::openat(dev, DIRECTORY, flags, Mode::empty()).during(|| place(""))?;
    for (name, content) in scripts {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, name, flags, MODE).during(|| place(name))?;
        File::from(file).write_all(content).during(|| place(name))?;
    }
    Ok(())
}
