//! What can be wrong with a source of `ADD` that must be fetched, or with the date that one gives.

use zoea_model::ModelError;

/// One thing that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteProblem {
    /// The address of a git repository says something wrong.
    #[error("The address of the git repository is wrong: {reason}")]
    Git {
        /// What.
        reason: String,
    },
    /// The commit is given twice, differently.
    #[error("`--checksum` is `{flag}`, but the address of the git repository says `{query}`")]
    CommitTwice {
        /// The flag's value.
        flag: String,
        /// What the address says.
        query: String,
    },
    /// The checksum of a repository is no commit.
    #[error("`{text}` is no commit")]
    Commit {
        /// The text.
        text: String,
    },
    /// A flag says one thing, the query another.
    #[error("`--keep-git-dir` and `keep-git-dir` in the query of a git repository say different things")]
    KeepGitDirectory,
    /// A checksum is given for several sources.
    #[error("`--checksum` is for a single source")]
    ChecksumOfSeveral,
    /// A checksum is given for something that is not fetched.
    #[error("`--checksum` is for a file of a web server or a git repository")]
    ChecksumOfLocal,
    /// The checksum is no digest.
    #[error("`{text}` is no sha256 digest")]
    Checksum {
        /// The text.
        text: String,
    },
    /// The file of a URL has a name that no file can have.
    #[error("The URL gives the file the name `{name}`, which no file can have")]
    FileName {
        /// The name.
        name: String,
    },
    /// `SOURCE_DATE_EPOCH` is nothing that has a date.
    #[error("`SOURCE_DATE_EPOCH` is `{value}`, which is no number of seconds, no build context and no stage")]
    SourceDate {
        /// The value.
        value: String,
    },
    /// The date is one that an image cannot tell of.
    #[error("`SOURCE_DATE_EPOCH` comes to {seconds} seconds, which is in no year from 0 to 9999")]
    SourceDateRange {
        /// The date.
        seconds: i64,
    },
    /// The stage that `SOURCE_DATE_EPOCH` names is more than a single source.
    #[error(
        "`SOURCE_DATE_EPOCH` is the stage `{stage}`, which must be `FROM scratch` with one `ADD` of one URL or git repository"
    )]
    SourceDateStage {
        /// The stage.
        stage: String,
    },
}

impl RemoteProblem {
    /// Says what is wrong with the address of a git repository, without the address, whose place is shown.
    pub(crate) fn of_git(cause: ModelError) -> Self {
        let ModelError::GitReference { reason, .. } = cause else {
            return Self::Git { reason: cause.to_string() };
        };
        Self::Git { reason }
    }

    /// Returns what to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Checksum { .. } => Some("write `sha256:` and 64 hexadecimal digits".to_owned()),
            Self::FileName { .. } => Some("`RUN` a program that fetches it under another name".to_owned()),
            Self::SourceDate { .. } => {
                Some("write seconds since 1970, `context`, or the name of a context or a stage".to_owned())
            }
            Self::Commit { .. } => Some("write its hexadecimal digits, or the first of them".to_owned()),
            Self::Git { .. }
            | Self::CommitTwice { .. }
            | Self::KeepGitDirectory
            | Self::ChecksumOfSeveral
            | Self::ChecksumOfLocal
            | Self::SourceDateRange { .. }
            | Self::SourceDateStage { .. } => None,
        }
    }
}
