//! Why something could not be fetched.

use std::io;

use zoea_http::HttpError;
use zoea_model::Digest;

/// Why something could not be fetched; which thing it was, [`ContextError::Fetch`](crate::ContextError) says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address is malformed.
    #[error("The address is malformed: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no HTTP client.
    #[error(transparent)]
    SetUp(#[from] HttpError),
    /// No answer came.
    #[error("Failed to reach the server")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is none that brings a file.
    #[error("The server answered with status {status}")]
    Refused {
        /// The status, with its words.
        status: reqwest::StatusCode,
    },
    /// The server sends from one place to the next without end.
    #[error("The server redirected more than {most} times")]
    Redirects {
        /// How often it may.
        most: usize,
    },
    /// The server redirects to what is no web server.
    #[error("The server redirected to a malformed address, or one that is neither HTTP nor HTTPS")]
    RedirectTarget,
    /// The connection broke.
    #[error("The transfer broke off")]
    Transfer(#[source] reqwest::Error),
    /// Too little came.
    #[error("The server sent fewer than {least} bytes in {seconds} seconds")]
    Stalled {
        /// How many bytes it must send.
        least: u64,
        /// In this time.
        seconds: u64,
    },
    /// There is more than is taken.
    #[error("It is larger than {limit} bytes, the most that is fetched")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The content is not what was asked for.
    #[error("Its content has the digest {found}, expected was {expected}")]
    Checksum {
        /// What the content should have.
        expected: Digest,
        /// What it has.
        found: Digest,
    },
    /// A secret cannot be sent.
    #[error("The secret `{name}` holds characters that no HTTP header may have")]
    Secret {
        /// Its name.
        name: String,
    },
    /// There is no git to fetch with.
    #[error("There is no git program")]
    NoGit,
    /// The git program does not start.
    #[error("Failed to start git")]
    GitProgram {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The git program failed.
    #[error("`git {operation}` failed: {text}")]
    Git {
        /// What it was to do.
        operation: String,
        /// What it said.
        text: String,
    },
    /// The repository does not have the reference.
    #[error("The repository has no branch, tag or commit `{reference}`")]
    NoReference {
        /// The reference.
        reference: String,
    },
    /// The reference leads elsewhere.
    #[error("The reference leads to commit {found}, expected was {expected}")]
    Commit {
        /// What it should lead to, in full or its beginning.
        expected: String,
        /// What it leads to.
        found: String,
    },
    /// The repository does not have the directory.
    #[error("The repository has no directory `{path}`")]
    NoDirectory {
        /// The directory.
        path: String,
    },
    /// The repository's tree cannot be one of files.
    #[error("Failed to write `{path}` of the repository: {reason}")]
    GitTree {
        /// Which of its entries.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A repository that the repository refers to could not be fetched.
    #[error("Failed to fetch the submodule `{path}`")]
    Submodule {
        /// Where it is in the repository.
        path: String,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// The repository refers to one without saying where it is.
    #[error("`.gitmodules` does not say where it is")]
    NoModule,
    /// Repositories refer to each other without end.
    #[error("There are more than {most} submodules, or they are nested too deeply")]
    Submodules {
        /// How many there may be.
        most: usize,
    },
    /// The disk refused.
    #[error("Failed to store it")]
    Store(#[source] io::Error),
}

impl FetchError {
    /// Says whether another machine is to blame.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Refused { .. }
            | Self::Redirects { .. }
            | Self::RedirectTarget
            | Self::Transfer(_)
            | Self::Stalled { .. }
            | Self::TooLarge { .. }
            | Self::Checksum { .. }
            | Self::Git { .. }
            | Self::NoReference { .. }
            | Self::Commit { .. }
            | Self::NoDirectory { .. }
            | Self::GitTree { .. }
            | Self::NoModule
            | Self::Submodules { .. } => true,
            Self::Submodule { source, .. } => source.is_remote(),
            Self::Address { .. }
            | Self::SetUp(_)
            | Self::Secret { .. }
            | Self::Store(_)
            | Self::NoGit
            | Self::GitProgram { .. } => false,
        }
    }

    /// Returns advice on what to do, where there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { status } if matches!(status.as_u16(), 401 | 403) => {
                Some("give a secret `HTTP_AUTH_TOKEN_<host>` or `HTTP_AUTH_HEADER_<host>`".to_owned())
            }
            Self::Checksum { found, .. } => {
                Some(format!("if the new content is right, write `--checksum={found}`"))
            }
            Self::Store(source)
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Some("the disk is full: free some space there, or name another state directory".to_owned())
            }
            Self::NoGit | Self::GitProgram { .. } => {
                Some("install git (Debian: `apt-get install git`)".to_owned())
            }
            Self::Submodule { source, .. } => source.hint(),
            Self::Git { .. }
            | Self::NoReference { .. }
            | Self::Commit { .. }
            | Self::NoDirectory { .. }
            | Self::GitTree { .. }
            | Self::NoModule
            | Self::Submodules { .. }
            | Self::Address { .. }
            | Self::SetUp(_)
            | Self::Unreachable(_)
            | Self::Refused { .. }
            | Self::Redirects { .. }
            | Self::RedirectTarget
            | Self::Transfer(_)
            | Self::Stalled { .. }
            | Self::TooLarge { .. }
            | Self::Secret { .. }
            | Self::Store(_) => None,
        }
    }
}
