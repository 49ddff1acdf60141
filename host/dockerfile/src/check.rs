//! Build checks: what a Dockerfile may say, and better would not.
//!
//! Owns BuildKit's rules, which of them complain, and those that need no more than the file: the others are
//! reported where the lowering comes upon them. A finding is a warning; it never changes what is built.

mod bases;
mod casing;
mod description;
mod finding;
mod findings;
mod layout;
mod names;
mod ports;
mod rule;
mod secrets;
mod settings;

use crate::ast::Dockerfile;

pub use rule::{Maturity, Rule};

pub(crate) use bases::check_bases;
pub(crate) use finding::Finding;
pub(crate) use findings::Findings;
pub(crate) use ports::check_port;
pub(crate) use secrets::names_secret;
pub(crate) use settings::{CHECK_ARGUMENT, Settings};

/// Applies the rules that need no more than the file, to all of it.
pub(crate) fn check_file(dockerfile: &Dockerfile, findings: &Findings) {
    layout::check_continuations(dockerfile, findings);
    names::check_stage_names(dockerfile, findings);
    casing::check_casing(dockerfile, findings);
    description::check_descriptions(dockerfile, findings);
}
