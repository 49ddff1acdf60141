//! Obeys a [`zoea_model::Plan`]: runs its stages and steps and composes the image they make.
//!
//! Decides nothing about syntax, network or sandbox: what it may use comes in [`Capabilities`], what it must do
//! stands in the plan. A tree is made only for a stage that has a step which needs one.
#![forbid(unsafe_code)]

mod bases;
mod capabilities;
mod context_archive;
mod context_tree;
mod contexts;
mod copy_step;
mod error;
mod foreign;
mod made_layer;
mod naming;
mod need;
mod refusal;
mod run;
mod stage;
mod step;

pub use capabilities::{BaseBlobs, Capabilities, Clock, Options, TreeNeed};
pub use context_archive::unpack_context;
pub use context_tree::ContextTree;
pub use contexts::{ContextSource, Contexts, GivenContexts};
pub use error::BuildError;
pub use naming::StepNaming;
pub use refusal::check;
pub use run::{Built, build};
