//! What is fetched from elsewhere, as the rest of a build sees it: a read-only tree like any other context.

use std::fmt;
use std::sync::Arc;

use zoea_model::{Remote, Timestamp, TreePath};

use crate::{Context, ContextError};

/// Something fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its files: of a web server one file below its [`file_name`](zoea_model::HttpSource::file_name), with mode 0600
    /// and the time that the server gave, or 1970; of a git repository the wanted tree.
    pub context: Arc<Context>,
    /// The file of a web server.
    pub file: Option<TreePath>,
    /// When it was changed last: what the server says, or the time of the commit.
    pub modified: Option<Timestamp>,
    /// What tells this version from another: the server's `ETag` or `Last-Modified`, or the commit.
    pub validator: Option<String>,
}

/// Fetches what a Dockerfile names. Fetching the same thing twice in one build gives the same files.
pub trait Remotes: Sync {
    /// Fetches `remote`, or returns what was fetched before.
    ///
    /// # Errors
    /// Reports what stopped it, without the secrets of an address.
    fn fetch(&self, remote: &Remote) -> Result<Arc<Fetched>, ContextError>;
}

impl fmt::Debug for dyn Remotes + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remotes")
    }
}

/// Fetches nothing.
#[derive(Debug)]
pub struct NoRemotes;

impl Remotes for NoRemotes {
    fn fetch(&self, remote: &Remote) -> Result<Arc<Fetched>, ContextError> {
        Err(ContextError::NoRemotes { address: remote.to_string() })
    }
}
