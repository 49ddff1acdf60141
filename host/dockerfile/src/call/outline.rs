//! `--call=outline`: what a target can be given.

use crate::ast::Dockerfile;
use crate::check::{Findings, Settings};
use crate::error_list::DockerfileErrors;
use crate::lower::{Extent, Outcome, lower_stages};
use crate::request::{Known, Request};

use super::Answer;
use super::arguments::{Arguments, DescribedArgument};
use super::description::description;
use super::mounts::{Mounted, NamedCache, NamedNeed};
use super::reading_order::reading_order;

/// What a target can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageOutline {
    /// The target's name; empty if it has none.
    pub name: String,
    /// What a comment says of it.
    pub description: String,
    /// The arguments that it or what it needs declares, in the order of the file.
    pub arguments: Vec<DescribedArgument>,
    /// The secrets that its steps see.
    pub secrets: Vec<NamedNeed>,
    /// The SSH agents that its steps see.
    pub ssh: Vec<NamedNeed>,
    /// The caches that its steps share with other builds.
    pub caches: Vec<NamedCache>,
}

/// Describes what the target of `request` can be given.
///
/// # Errors
/// Fails where the target cannot be built: the value of an argument may depend on anything before it.
pub fn describe_target(
    dockerfile: &Dockerfile,
    request: &Request,
    known: &Known,
) -> Result<Answer<StageOutline>, DockerfileErrors> {
    let findings = Findings::new(Settings::new(&dockerfile.directives, request)?);
    let finished = match lower_stages(dockerfile, request, known, Extent::Target, &findings)? {
        Outcome::Finished(finished) => finished,
        Outcome::Needs(needs) => return Ok(Answer::Needs(needs)),
    };
    let stages = reading_order(&finished.plan);
    let target = finished.stages.iter().find(|(_, facts)| facts.id == finished.plan.target);
    let from = target.and_then(|(index, _)| dockerfile.stages.get(*index)).map(|block| &block.from);
    let name = from.and_then(|from| from.name.as_ref()).map(|name| name.text.clone()).unwrap_or_default();
    let arguments = Arguments { dockerfile, request, finished: &finished }.collect(&stages)?;
    let Mounted { secrets, ssh, caches } = Mounted::new(&stages, request);
    let description = from.map(|from| description(&from.heading, &name)).unwrap_or_default();
    Ok(Answer::Known(StageOutline { name, description, arguments, secrets, ssh, caches }))
}
