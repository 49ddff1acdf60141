//! What `ADD` and build contexts fetch from elsewhere: files from web servers, trees from git repositories.

use std::fmt;

use crate::{Digest, SafeUrl, Timestamp, TreePath};

/// Something that must be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// A file.
    Http(HttpSource),
    /// A tree.
    Git(GitSource),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(source) => source.url.fmt(f),
            Self::Git(source) => source.fmt(f),
        }
    }
}

/// A file of a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSource {
    /// Where it is.
    pub url: SafeUrl,
    /// The name that it gets in a destination directory: the last component of the URL's path, or `__unnamed__`.
    pub file_name: String,
    /// The digest that its content must have.
    pub checksum: Option<Digest>,
}

/// Whether a fetched tree keeps the repository's `.git`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GitDirectory {
    /// It does not.
    #[default]
    Drop,
    /// It does.
    Keep,
}

/// Whether the repositories that a repository refers to are fetched too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Submodules {
    /// They are, at every depth.
    #[default]
    Fetch,
    /// They are not.
    Skip,
}

/// The times of files in a fetched tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GitTimes {
    /// When they were written by the checkout.
    #[default]
    Checkout,
    /// When the commit was made.
    Commit,
}

/// A tree of a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSource {
    /// The repository, as `git fetch` takes it.
    pub remote: SafeUrl,
    /// A branch, a tag, a whole reference or a commit; the remote's `HEAD` by default.
    pub reference: Option<String>,
    /// The directory of the tree that counts; the root by default.
    pub subdirectory: TreePath,
    /// The commit that `reference` must lead to, in full or its beginning.
    pub checksum: Option<String>,
    /// What becomes of `.git`.
    pub git_directory: GitDirectory,
    /// What becomes of submodules.
    pub submodules: Submodules,
    /// The times of its files.
    pub times: GitTimes,
}

impl fmt::Display for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)?;
        if self.reference.is_some() || !self.subdirectory.is_root() {
            write!(f, "#{}", self.reference.as_deref().unwrap_or_default())?;
        }
        match self.subdirectory.is_root() {
            true => Ok(()),
            false => write!(f, ":{}", self.subdirectory),
        }
    }
}

/// Where the date of a build comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceDate {
    /// It is given.
    Given(Timestamp),
    /// It is that of a build context: the time of a git commit, of a file of a web server, or of the newest file in
    /// a fetched archive. A local directory has none.
    Context(ContextName),
    /// It is that of something fetched.
    Remote(Remote),
}

/// Names a build context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContextName {
    /// The one that the build is started with.
    Main,
    /// One given with `--build-context`.
    Named(String),
}
