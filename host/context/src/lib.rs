//! Build contexts: every kind of them becomes one read-only tree with its ignore rules applied.
//!
//! Owns addresses of contexts, the `.dockerignore` language, reading local directories, and fetching from web
//! servers and git repositories. Knows nothing of
//! images, layers and copying. Gives out no path and follows no symbolic link, so that a context cannot make the
//! builder read what lies outside of it.
#![forbid(unsafe_code)]

mod context;
mod error;
mod fetch_error;
mod fetch_settings;
mod fetcher;
mod git_fetch;
mod git_program;
mod git_remote;
mod git_tree;
mod http_fetch;
mod http_request;
mod ignore_file;
mod ignore_rules;
mod location;
mod remotes;
mod xattr;

pub use context::Context;
pub use error::ContextError;
pub use fetch_error::FetchError;
pub use fetch_settings::{FetchSettings, LARGEST_FILE};
pub use fetcher::Fetcher;
pub use git_program::GitProgram;
pub use ignore_rules::IgnoreRules;
pub use location::Location;
pub use remotes::{Fetched, NoRemotes, Remotes};
