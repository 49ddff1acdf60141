//! One process that a RUN step starts.

use std::fmt;

use crate::{InlineFile, TreePath};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Looked up in the step's `PATH` unless it holds a slash.
    pub program: String,
    /// What follows the program's name.
    pub arguments: Vec<String>,
}

/// `USER`, `--chown`: `user[:group]`, each a name or a number, resolved in the tree when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// Name or number of the user.
    pub user: String,
    /// Name or number of the group; the user's own group by default.
    pub group: Option<String>,
}

impl UserSpec {
    /// Splits `user[:group]`; an empty user means `0`.
    pub fn new(text: &str) -> Self {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, (!group.is_empty()).then(|| group.to_owned())),
            None => (text, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        Self { user: user.to_owned(), group }
    }
}

impl fmt::Display for UserSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

/// What a step reaches of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What the builder was told to give; the host's unless told otherwise.
    #[default]
    Default,
    /// Nothing but its own loopback device.
    None,
    /// The host's.
    Host,
}

/// How a step is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Security {
    /// As any container.
    #[default]
    Sandbox,
    /// With every privilege that the builder has.
    Insecure,
}

/// One process to run in one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What is started.
    pub command: CommandLine,
    /// The whole environment, in order, each name once.
    pub environment: Vec<(String, String)>,
    /// The working directory, which is in the tree already.
    pub working_directory: TreePath,
    /// Whom it runs as.
    pub user: UserSpec,
    /// What it reaches of the network.
    pub network: Network,
    /// Scripts in `/dev/pipes`, mode 0755.
    pub scripts: Vec<InlineFile>,
}
