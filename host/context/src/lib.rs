//! Build contexts: every kind of them becomes one read-only tree with its ignore rules applied.
//!
//! Owns addresses of contexts, the `.dockerignore` language and reading local directories. Knows nothing of
//! images, layers and copying. Gives out no path and follows no symbolic link, so that a context cannot make the
//! builder read what lies outside of it.
#![forbid(unsafe_code)]

mod context;
mod contexts;
mod error;
mod ignore_file;
mod ignore_rules;
mod location;
mod remotes;
mod xattr;

pub use context::Context;
pub use contexts::{Contexts, MainContext};
pub use error::ContextError;
pub use ignore_rules::IgnoreRules;
pub use location::Location;
pub use remotes::{Fetched, NoRemotes, Remotes};
