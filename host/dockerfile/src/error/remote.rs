//! What can be wrong with a source of `ADD` that must be fetched, or with the date that one gives.

/// One thing that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteProblem {
    /// The query of a git reference has an unknown key.
    #[error("Unknown key `{key}` in the query of a git repository")]
    QueryKey {
        /// The key.
        key: String,
        /// What may be meant.
        closest: Option<String>,
    },
    /// The query of a git reference has a key without a value.
    #[error("`{key}` in the query of a git repository has no value")]
    QueryWithoutValue {
        /// The key.
        key: String,
    },
    /// The query of a git reference has a key twice.
    #[error("`{key}` in the query of a git repository has several values")]
    QueryTwice {
        /// The key.
        key: String,
    },
    /// The query of a git reference has a value that its key does not take.
    #[error("`{key}` in the query of a git repository cannot be `{value}`")]
    QueryValue {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it can be.
        choices: &'static str,
    },
    /// Something about a git repository is said twice, differently.
    #[error("The {what} of a git repository is both `{first}` and `{second}`")]
    Conflict {
        /// What is said twice.
        what: &'static str,
        /// What is said first.
        first: String,
        /// What is said then.
        second: String,
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
    /// Returns what to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::QueryKey { closest: Some(key), .. } => Some(format!("did you mean `{key}`?")),
            Self::QueryKey { closest: None, .. } => Some(
                "known keys are `ref`, `tag`, `branch`, `subdir`, `checksum`, `commit`, `keep-git-dir`, \
                 `submodules` and `mtime`"
                    .to_owned(),
            ),
            Self::QueryValue { choices, .. } => Some(format!("it can be {choices}")),
            Self::Checksum { .. } => Some("write `sha256:` and 64 hexadecimal digits".to_owned()),
            Self::FileName { .. } => Some("`RUN` a program that fetches it under another name".to_owned()),
            Self::SourceDate { .. } => {
                Some("write seconds since 1970, `context`, or the name of a context or a stage".to_owned())
            }
            Self::QueryWithoutValue { .. }
            | Self::QueryTwice { .. }
            | Self::Conflict { .. }
            | Self::KeepGitDirectory
            | Self::ChecksumOfSeveral
            | Self::ChecksumOfLocal
            | Self::SourceDateStage { .. } => None,
        }
    }
}
