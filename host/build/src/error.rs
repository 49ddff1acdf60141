//! Why a build stopped.

use zoea_context::ContextError;
use zoea_image::ImageError;
use zoea_launch::{LaunchError, NamespaceKind, StepStatus};
use zoea_model::{Digest, ModelError, SourceSpan, StageId, StepName};
use zoea_rootfs::RootfsError;

/// What to think of when a command fails where only one id exists.
const ONE_ID_HINT: &str = "steps have user 0 and group 0 only here, so commands that change owners or users (`chown`, \
     `adduser`, `apt-get`) fail; for more ids install newuidmap and newgidmap (Debian: `apt-get install uidmap`) and \
     give the user a line `NAME:100000:65536` in both /etc/subuid and /etc/subgid";

/// Why a build stopped. [`BuildError::InStep`] names the instruction, the others the part that failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An instruction failed.
    #[error("Failed to build {}: `{}`", step.place(), step.text)]
    InStep {
        /// The step.
        step: Box<StepName>,
        /// Where it stands in the Dockerfile.
        span: SourceSpan,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// The process of a RUN instruction ended with a failure.
    #[error("The command ended with {status}")]
    Failed {
        /// How it ended.
        status: StepStatus,
        /// What it was run in.
        kind: NamespaceKind,
    },
    /// A process could not be run.
    #[error("Failed to run the command")]
    Launch(#[source] LaunchError),
    /// A tree, a layer or a copy failed.
    #[error("Failed to change the file tree")]
    Rootfs(#[from] RootfsError),
    /// An image could not be read or composed.
    #[error("Failed to read or write an image")]
    Image(#[from] ImageError),
    /// A build context, or what `ADD` names, could not be had.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The step asks for something that this version does not do.
    #[error("This version does not build {what}")]
    NotCarriedOut {
        /// What it is.
        what: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// A layer that is made by itself has no users to look a name up in.
    #[error(
        "Failed to find the owner `{owner}`: with --link, there is no tree that could have users and groups"
    )]
    LinkedOwner {
        /// The owner as written.
        owner: String,
    },
    /// A pattern of `--exclude` is malformed.
    #[error("Failed to read the patterns of --exclude")]
    Excludes(#[source] ModelError),
    /// The plan names an image that was not resolved: a fault of zoea.
    #[error("The plan names image `{0}`, which was not resolved")]
    UnknownImage(Digest),
    /// The plan names a stage that is not built before its reader: a fault of zoea.
    #[error("The plan reads stage {} before it is built", .0.0)]
    UnknownStage(StageId),
}

impl BuildError {
    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InStep { source, .. } => source.hint(),
            Self::Launch(source) => source.hint().map(str::to_owned),
            Self::Rootfs(source) => source.hint().map(str::to_owned),
            Self::Image(source) => source.hint(),
            Self::Context(source) => source.hint(),
            Self::Failed { kind: NamespaceKind::OneId, .. } => Some(ONE_ID_HINT.to_owned()),
            Self::NotCarriedOut { hint, .. } => Some((*hint).to_owned()),
            Self::LinkedOwner { .. } => Some("write numbers in --chown, or leave --link out".to_owned()),
            Self::Failed { .. } | Self::Excludes(_) | Self::UnknownImage(_) | Self::UnknownStage(_) => None,
        }
    }
}
