//! The one error type of this crate: a value that is not well-formed.

/// A text or document that does not have the form its type demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The text is no `sha256:` digest with 64 lower-case hexadecimal digits.
    #[error("Invalid digest `{0}`: expected `sha256:` and 64 lower-case hexadecimal digits")]
    Digest(String),
    /// The text is no image reference.
    #[error("Invalid image reference `{text}`: {reason}")]
    Reference {
        /// The reference as written.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is no platform.
    #[error("Invalid platform `{0}`: expected `os/architecture` or `os/architecture/variant`")]
    Platform(String),
    /// The path leaves the tree, or holds a NUL byte.
    #[error("Invalid path `{path}` in a tree: {reason}")]
    TreePath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The timestamp is no whole number of seconds.
    #[error("Invalid timestamp `{0}`: expected seconds since 1970-01-01T00:00:00Z, in the years 0 to 9999")]
    Timestamp(String),
    /// The text names a git repository in a way that means nothing.
    #[error("Invalid git repository `{text}`: {reason}")]
    GitReference {
        /// The text as written; what may be a secret in it is blotted out.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pattern is malformed.
    #[error("Invalid pattern `{}`: a `[` needs its `]`, and a `\\` or `!` something behind it", .0.escape_debug())]
    PathPattern(String),
    /// The text is no change of permissions.
    #[error("Invalid mode `{0}`: expected clauses such as `u=rwX,go=rX`")]
    SymbolicMode(String),
}
