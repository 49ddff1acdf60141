//! The build contexts of a build, as its steps see them.

use std::fmt;
use std::sync::Arc;

use zoea_model::ContextName;

use crate::{Context, ContextError};

/// Gives the contexts that a plan names. Getting one twice in one build gives the same files.
pub trait Contexts: Sync {
    /// Returns a context; one from elsewhere is fetched when it is asked for first.
    ///
    /// # Errors
    /// Reports a name that was not given, and what stopped it from opening or fetching.
    fn get(&self, name: &ContextName) -> Result<Arc<Context>, ContextError>;
}

impl fmt::Debug for dyn Contexts + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contexts")
    }
}

/// A build with no context but the one that it is started with.
#[derive(Debug)]
pub struct MainContext(pub Arc<Context>);

impl Contexts for MainContext {
    fn get(&self, name: &ContextName) -> Result<Arc<Context>, ContextError> {
        match name {
            ContextName::Main => Ok(Arc::clone(&self.0)),
            ContextName::Named(name) => Err(ContextError::UnknownContext { name: name.clone() }),
        }
    }
}
