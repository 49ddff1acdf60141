//! What this machine allows, and why it refuses the rest.
//!
//! Owns the answer only; `enter` finds it out by doing.

use std::fmt;

/// The way in which steps get namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceKind {
    /// As root, without a user namespace: steps have all ids.
    HostRoot,
    /// In a user namespace with the user's subordinate ids.
    SubordinateIds,
    /// In a user namespace with one id: steps run as user 0 and group 0 only.
    OneId,
    /// Not at all.
    None,
}

impl fmt::Display for NamespaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostRoot => "namespaces as root",
            Self::SubordinateIds => "a user namespace with subordinate ids",
            Self::OneId => "a user namespace with one id",
            Self::None => "no namespaces",
        })
    }
}

/// One way that does not work here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was tried.
    pub what: String,
    /// Why it does not work.
    pub why: String,
}

impl Refusal {
    /// Notes that `what` failed with `why`.
    pub(crate) fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Which way works here, and why those before it do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The way that works.
    pub kind: NamespaceKind,
    /// The better ways that do not, in the order in which they were tried.
    pub refusals: Vec<Refusal>,
}

impl fmt::Display for Probe {
    /// Writes all refusals on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, refusal) in self.refusals.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{refusal}")?;
        }
        Ok(())
    }
}
