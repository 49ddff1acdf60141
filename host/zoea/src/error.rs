//! The one error of a build, with its kind and a hint.

use std::io;

use zoea_build::BuildError;
use zoea_context::ContextError;
use zoea_dockerfile::DockerfileErrors;
use zoea_image::ImageError;
use zoea_launch::StepStatus;
use zoea_model::{SourceSpan, StepName};
use zoea_rootfs::RootfsError;

use crate::{RequestError, ResolveError};

/// Whose fault a failure is. A command line turns it into an exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is not well-formed.
    Usage,
    /// The Dockerfile, or what it asks of the context, is wrong.
    Dockerfile,
    /// The machine does not allow or hold what is needed.
    Environment,
    /// Another machine failed or refused.
    Remote,
    /// zoea is wrong.
    Internal,
    /// The process of a RUN instruction failed with this status.
    Step(u8),
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum ZoeaError {
    /// The parts of the request do not go together.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The Dockerfile cannot be built. The text shows the place, the line and a hint.
    #[error("{rendered}")]
    Dockerfile {
        /// The message with its place in the file and a hint.
        rendered: String,
    },
    /// An image that the Dockerfile names cannot be used.
    #[error("{file}:{}:{}: Failed to resolve image `{name}`", span.line, span.column)]
    Resolve {
        /// The Dockerfile's name.
        file: String,
        /// Where the image is named.
        span: SourceSpan,
        /// Its name.
        name: String,
        /// A stage with a name like it.
        similar_stage: Option<String>,
        /// Why.
        #[source]
        source: Box<ResolveError>,
    },
    /// What the build's date comes from cannot be fetched.
    #[error("Failed to find the date of the build")]
    SourceDate(#[source] Box<ContextError>),
    /// A context that was fetched is an archive, and cannot be unpacked.
    #[error("Failed to unpack the context `{address}`")]
    UnpackContext {
        /// Where it is; what may be a secret in it is blotted out.
        address: String,
        /// Why.
        #[source]
        source: Box<BuildError>,
    },
    /// A step failed.
    #[error("{file}:{}:{}: Failed to build {}: `{}`", span.line, span.column, step.place(), step.text)]
    Step {
        /// The Dockerfile's name.
        file: String,
        /// Where the instruction stands.
        span: SourceSpan,
        /// The step.
        step: Box<StepName>,
        /// Why.
        #[source]
        source: Box<BuildError>,
    },
    /// The build failed outside any step.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// The state directory cannot be used.
    #[error("Failed to use the state directory")]
    State(#[source] Box<RootfsError>),
    /// The image cannot be written or pushed.
    #[error("Failed to write the image to {destination}")]
    ExportImage {
        /// Where to.
        destination: String,
        /// Why.
        #[source]
        source: Box<ImageError>,
    },
    /// The files cannot be written.
    #[error("Failed to write the files to {destination}")]
    ExportFiles {
        /// Where to.
        destination: String,
        /// Why.
        #[source]
        source: Box<RootfsError>,
    },
    /// A file cannot be written.
    #[error("Failed to write {destination}")]
    Write {
        /// Where to.
        destination: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ZoeaError {
    /// Says whose fault it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Request(_) => Kind::Usage,
            Self::Dockerfile { .. } => Kind::Dockerfile,
            Self::Resolve { source, .. } => match source.as_ref() {
                ResolveError::Reference(_) => Kind::Dockerfile,
                // Asked itself: a transparent error's source is already the one below it.
                ResolveError::Image(error) => foreign_kind(error.as_ref()),
                ResolveError::Open { .. } => Kind::Environment,
            },
            Self::ExportImage { source, .. } => foreign_kind(source.as_ref()),
            Self::SourceDate(source) => context_kind(source),
            Self::Step { source, .. } => build_kind(source),
            Self::Build(source) | Self::UnpackContext { source, .. } => build_kind(source),
            Self::State(_) | Self::ExportFiles { .. } | Self::Write { .. } => Kind::Environment,
        }
    }

    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Request(source) => source.hint().map(str::to_owned),
            // The rendered text ends with it.
            Self::Dockerfile { .. } => None,
            Self::Resolve { similar_stage: Some(stage), .. } => {
                Some(format!("did you mean the stage `{stage}`?"))
            }
            Self::Resolve { source, .. } => source.hint(),
            Self::ExportImage { source, .. } => source.hint(),
            Self::SourceDate(source) => source.hint(),
            Self::Step { source, .. } => source.hint(),
            Self::Build(source) => source.hint(),
            // The archive's own advice is for an instruction.
            Self::UnpackContext { source, .. } => source.hint().filter(|_| !is_damaged_archive(source)),
            Self::State(source) | Self::ExportFiles { source, .. } => source.hint().map(str::to_owned),
            Self::Write { source, .. } => disk_full(source),
        }
    }

    /// Places a Dockerfile error in its file.
    pub(crate) fn dockerfile(errors: &DockerfileErrors, name: &str, text: &[u8]) -> Self {
        Self::Dockerfile { rendered: errors.render(name, text) }
    }

    /// Places a build error at its step.
    pub(crate) fn build(error: BuildError, file: &str) -> Self {
        if let BuildError::InStep { step, span, source } = error {
            return Self::Step { file: file.to_owned(), span, step, source };
        }
        Self::Build(Box::new(error))
    }
}

fn disk_full(error: &io::Error) -> Option<String> {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        .then(|| "the disk is full: free some space there, or name another place".to_owned())
}

/// Says whether another machine is to blame: whether an error of a registry is among the causes.
fn foreign_kind(error: &(dyn std::error::Error + 'static)) -> Kind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let image_error = match wrapped {
            Some(wrapped) => wrapped.downcast_ref::<ImageError>(),
            None => error.downcast_ref::<ImageError>(),
        };
        if image_error.is_some_and(ImageError::is_remote) {
            return Kind::Remote;
        }
        cause = error.source();
    }
    Kind::Environment
}

/// Says whose fault it is that a context, or something fetched, cannot be had.
pub fn context_kind(error: &ContextError) -> Kind {
    if matches!(error, ContextError::UnknownContext { .. }) {
        return Kind::Dockerfile;
    }
    if matches!(error, ContextError::Fetch { source, .. } if source.is_remote()) {
        return Kind::Remote;
    }
    Kind::Environment
}

fn build_kind(error: &BuildError) -> Kind {
    match error {
        BuildError::InStep { source, .. } => build_kind(source),
        BuildError::Failed { status: StepStatus::Exited(code), .. } => Kind::Step(*code),
        // As a shell reports a command that a signal ended.
        BuildError::Failed { status: StepStatus::Signalled(signal), .. } => {
            Kind::Step(u8::try_from(128 + signal).unwrap_or(u8::MAX))
        }
        BuildError::Rootfs(error) if is_dockerfiles_fault(error) => Kind::Dockerfile,
        BuildError::Rootfs(error) => foreign_kind(error),
        BuildError::Image(error) => foreign_kind(error),
        BuildError::Excludes(_) | BuildError::NotCarriedOut { .. } | BuildError::LinkedOwner { .. } => {
            Kind::Dockerfile
        }
        BuildError::Context(error) => context_kind(error),
        BuildError::Launch(_) => Kind::Environment,
        BuildError::UnknownImage(_) | BuildError::UnknownStage(_) => Kind::Internal,
    }
}

fn is_damaged_archive(error: &BuildError) -> bool {
    matches!(error, BuildError::Rootfs(RootfsError::ReadArchive { .. }))
}

/// Says whether an instruction asks for what its context, tree or source does not have.
fn is_dockerfiles_fault(error: &RootfsError) -> bool {
    matches!(
        error,
        RootfsError::TooManyLinks { .. }
            | RootfsError::NotFound { .. }
            | RootfsError::AlreadyThere { .. }
            | RootfsError::NotADirectory { .. }
            | RootfsError::IsADirectory { .. }
            | RootfsError::NotAFile { .. }
            | RootfsError::SourceMissing { .. }
            | RootfsError::SourceIgnored { .. }
            | RootfsError::MalformedPattern { .. }
            | RootfsError::SeveralSources { .. }
            | RootfsError::ReadArchive { .. }
            | RootfsError::ArchiveEntry { .. }
            | RootfsError::UnknownUser { .. }
            | RootfsError::UnknownGroup { .. }
    )
}
