//! What can be asked of a Dockerfile besides an image: `docker build --call=…`.
//!
//! Owns the answers as plain values, and their text and JSON forms as `docker buildx build --call` writes them.

mod arguments;
mod check;
mod description;
mod excerpt;
mod json;
mod mounts;
mod outline;
mod outline_forms;
mod reading_order;
mod table;
mod targets;

use crate::request::Needs;

pub use arguments::DescribedArgument;
pub use check::{CheckReport, run_checks};
pub use mounts::{NamedCache, NamedNeed};
pub use outline::{StageOutline, describe_target};
pub use targets::{DescribedStage, Standing, Targets, list_targets};

/// An answer, or what must be known first.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer<T> {
    /// The answer.
    Known(T),
    /// More must be known.
    Needs(Needs),
}
