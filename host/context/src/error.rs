//! What can go wrong with build contexts.

use std::io;
use std::path::PathBuf;

use crate::FetchError;

/// A context that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The address is of a kind that this version does not fetch.
    #[error("Failed to use the context `{address}`: {kind} are not built by this version")]
    UnsupportedLocation {
        /// The address as written; what may be a secret in it is blotted out.
        address: String,
        /// What it is.
        kind: &'static str,
    },
    /// The address is of a git repository, but malformed.
    #[error("Failed to use the context")]
    GitLocation {
        /// What is wrong with it.
        #[source]
        source: zoea_model::ModelError,
    },
    /// The address is none.
    #[error("Failed to use the context `{address}`: {reason}")]
    InvalidLocation {
        /// The address as written; what may be a secret in it is blotted out.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The build has no context of that name.
    #[error("No build context is named `{}`", name.escape_debug())]
    UnknownContext {
        /// The name.
        name: String,
    },
    /// Whoever asked for the build gave it no way to fetch anything.
    #[error("Failed to fetch `{address}`: nothing here fetches from elsewhere")]
    NoRemotes {
        /// The address; what may be a secret in it is blotted out.
        address: String,
    },
    /// Something could not be fetched.
    #[error("Failed to fetch `{address}`")]
    Fetch {
        /// Where it is; what may be a secret in it is blotted out.
        address: String,
        /// Why.
        #[source]
        source: Box<FetchError>,
    },
    /// The context's directory could not be looked at.
    #[error("Failed to open the context")]
    Open {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The ignore file could not be read.
    #[error("Failed to read the ignore file `{}`", file.display())]
    ReadIgnoreFile {
        /// The file, from the directory that it was looked for in.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line of the ignore file is no pattern.
    #[error("Failed to read line {line} of the ignore file `{}`: the pattern `{}` is malformed", file.display(), pattern.escape_debug())]
    IgnorePattern {
        /// The file, from the directory that it was looked for in.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// The line.
        pattern: String,
    },
}

impl ContextError {
    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fetch { source, .. } => source.hint(),
            Self::UnsupportedLocation { .. } => {
                Some("fetch it into a directory first and give that directory".to_owned())
            }
            Self::UnknownContext { name } => Some(format!("give it with `--build-context {name}=DIRECTORY`")),
            Self::IgnorePattern { .. } => {
                Some("a `[` needs its `]`, and a `\\` or `!` something behind it".to_owned())
            }
            Self::InvalidLocation { .. }
            | Self::GitLocation { .. }
            | Self::NoRemotes { .. }
            | Self::Open { .. }
            | Self::ReadIgnoreFile { .. } => None,
        }
    }
}
