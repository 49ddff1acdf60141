//! The build contexts of a build, as its steps see them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zoea_context::{Context, ContextError, Fetched, Remotes};
use zoea_model::{ContextName, Remote};
use zoea_rootfs::TreeView;

use crate::ContextTree;

/// Gives the contexts that a plan names. Getting one twice in one build gives the same files.
pub trait Contexts: Sync {
    /// Returns a context; one from elsewhere is fetched when it is asked for first.
    ///
    /// # Errors
    /// Reports a name that was not given, and what stopped it from opening or fetching.
    fn get(&self, name: &ContextName) -> Result<ContextTree, ContextError>;

    /// Returns what was fetched for a context; nothing is for a local directory.
    ///
    /// # Errors
    /// As [`Contexts::get`].
    fn fetched(&self, name: &ContextName) -> Result<Option<Arc<Fetched>>, ContextError>;
}

impl fmt::Debug for dyn Contexts + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contexts")
    }
}

/// Where the files of a context are.
#[derive(Debug, Clone)]
pub enum ContextSource {
    /// In a directory of this machine.
    Local(Arc<Context>),
    /// Elsewhere.
    Remote(Remote),
    /// In an archive that was fetched.
    Archive {
        /// What was fetched.
        archive: Arc<Fetched>,
        /// Its files.
        tree: Arc<TreeView>,
    },
}

/// The contexts that a build is given. One from elsewhere is fetched when the first step reads it.
#[derive(Debug)]
pub struct GivenContexts<'a> {
    /// The one that the build is started with.
    pub main: ContextSource,
    /// The others.
    pub named: BTreeMap<String, ContextSource>,
    /// What fetches them.
    pub remotes: &'a dyn Remotes,
}

impl GivenContexts<'_> {
    fn source(&self, name: &ContextName) -> Result<&ContextSource, ContextError> {
        match name {
            ContextName::Main => Ok(&self.main),
            ContextName::Named(name) => {
                self.named.get(name).ok_or_else(|| ContextError::UnknownContext { name: name.clone() })
            }
        }
    }
}

impl Contexts for GivenContexts<'_> {
    fn get(&self, name: &ContextName) -> Result<ContextTree, ContextError> {
        Ok(match self.source(name)? {
            ContextSource::Local(context) => ContextTree::Local(Arc::clone(context)),
            ContextSource::Remote(remote) => ContextTree::Fetched(self.remotes.fetch(remote)?),
            ContextSource::Archive { tree, .. } => ContextTree::Unpacked(Arc::clone(tree)),
        })
    }

    fn fetched(&self, name: &ContextName) -> Result<Option<Arc<Fetched>>, ContextError> {
        match self.source(name)? {
            ContextSource::Local(_) => Ok(None),
            ContextSource::Remote(remote) => self.remotes.fetch(remote).map(Some),
            ContextSource::Archive { archive, .. } => Ok(Some(Arc::clone(archive))),
        }
    }
}
