//! Why the command failed, by whose fault, and with which exit status.

use std::path::PathBuf;

use zoea::model::ModelError;
use zoea::{ContextError, Kind};

/// Everything that can end the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A flag's value is not acceptable.
    #[error("Invalid value `{value}` for `{flag}`: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What is wrong, with what would be right.
        reason: String,
    },
    /// Flags do not go together, or one is missing.
    #[error("{0}")]
    Usage(&'static str),
    /// A name or platform in a flag is malformed.
    #[error("Invalid value for `{flag}`")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// A file or directory that the user named cannot be used.
    #[error("Failed to {action} `{}`", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No directory for the state can be written.
    #[error("Failed to find a writable state directory; tried {tried}")]
    StateDirectory {
        /// The directories that were tried, with the reason for each.
        tried: String,
    },
    /// The program's threads cannot be started.
    #[error("Failed to start threads")]
    Start(#[source] std::io::Error),
    /// The build context cannot be used.
    #[error("Failed to use the build context")]
    Context(#[source] zoea::ContextError),
    /// The state directory cannot be used.
    #[error("Failed to use the state directory")]
    State(#[source] zoea::RootfsError),
    /// The images or blobs of the state directory, or the credentials, cannot be used.
    #[error("Failed to use the stored images or credentials")]
    Images(#[source] zoea::ImageError),
    /// The program's namespaces cannot be made.
    #[error("Failed to enter namespaces")]
    Namespaces(#[source] zoea::LaunchError),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] zoea::ZoeaError),
}

impl CliError {
    /// Says whose fault it is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Flag { .. } | Self::Usage(_) | Self::Value { .. } => Kind::Usage,
            Self::Context(
                ContextError::UnsupportedLocation { .. }
                | ContextError::InvalidLocation { .. }
                | ContextError::GitLocation { .. },
            ) => Kind::Usage,
            Self::Context(error) => zoea::context_kind(error),
            Self::File { .. }
            | Self::StateDirectory { .. }
            | Self::Start(_)
            | Self::State(_)
            | Self::Images(_)
            | Self::Namespaces(_) => Kind::Environment,
            Self::Build(error) => error.kind(),
        }
    }

    /// Returns advice on what to do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::StateDirectory { .. } => {
                Some("name a writable directory with `--state-dir` or `ZOEA_STATE_DIR`".to_owned())
            }
            Self::Build(error) => error.hint(),
            Self::Context(error) => error.hint(),
            Self::State(error) => error.hint().map(str::to_owned),
            Self::Images(error) => error.hint(),
            Self::Namespaces(error) => error.hint().map(str::to_owned),
            Self::Flag { .. } | Self::Usage(_) | Self::Value { .. } | Self::File { .. } | Self::Start(_) => {
                None
            }
        }
    }
}
