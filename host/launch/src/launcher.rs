//! The one way in which a build runs a process.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use zoea_model::{OutputStream, Platform, Process};
use zoea_rootfs::{Identity, Rootfs, Touched};

use crate::LaunchError;

/// How a step's main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// By itself, with this exit status.
    Exited(u8),
    /// By a signal with this number.
    Signalled(i32),
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What a step did.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: StepStatus,
    /// Where its changes are to be looked for.
    pub touched: Touched,
}

/// Runs processes in trees.
pub trait Launcher: Send + Sync {
    /// Returns the name by which users know it.
    fn name(&self) -> &'static str;

    /// Finds out whether programs for `platform` run here. `scratch` is a directory that nobody else uses.
    ///
    /// # Errors
    /// [`LaunchError::Foreign`] says why not; others, why nothing runs.
    fn try_platform(&self, platform: &Platform, scratch: &Path) -> Result<(), LaunchError>;

    /// Runs `process` in `rootfs` as `identity` and hands its output on while it runs.
    ///
    /// Blocks until the process and everything it started have ended. A program that cannot be found or executed
    /// is a status of 127 or 126 with a line on standard error, as with a shell.
    ///
    /// # Errors
    /// Only what keeps the process from running; how it ends is in the [`Outcome`].
    fn run(
        &self,
        rootfs: &Rootfs,
        process: &Process,
        identity: &Identity,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> Result<Outcome, LaunchError>;
}
