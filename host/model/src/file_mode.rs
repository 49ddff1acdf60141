//! Permission bits, and how `--chmod` changes them.

use std::fmt;

use crate::SymbolicMode;

/// Permission bits, `0..=0o7777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// What `--chmod` does to the mode of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeChange {
    /// Sets it.
    Exact(FileMode),
    /// Changes it: `u=rwX,go=rX`.
    Symbolic(SymbolicMode),
}

impl ModeChange {
    /// Returns the mode of an entry that has `mode`, `0..=0o7777`.
    pub fn apply(&self, mode: u32, kind: ModeTarget) -> u32 {
        match self {
            Self::Exact(FileMode(exact)) => *exact,
            Self::Symbolic(symbolic) => symbolic.apply(mode, kind),
        }
    }
}

impl fmt::Display for ModeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(mode) => mode.fmt(f),
            Self::Symbolic(symbolic) => symbolic.fmt(f),
        }
    }
}

/// What a mode belongs to: `X` means something else for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeTarget {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}
