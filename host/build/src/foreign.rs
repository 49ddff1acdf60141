//! Steps that run programs for another platform than the builder's.
//!
//! Owns the rule that such a build fails before anything runs, if it must fail.

use std::collections::{BTreeMap, BTreeSet};

use zoea_image::Image;
use zoea_model::{Base, Digest, Operation, Plan, Platform, Stage, StageId, Step};

use crate::BuildError;
use crate::capabilities::Capabilities;

/// Refuses a plan with a RUN whose programs do not run here.
///
/// Nothing is tried for platforms without a RUN. Where no process can be run at all, the first RUN tells.
///
/// # Errors
/// [`BuildError::InStep`] names the first such step.
pub(crate) fn check_platforms(plan: &Plan, capabilities: &Capabilities<'_>) -> Result<(), BuildError> {
    let Some(launcher) = capabilities.launcher else { return Ok(()) };
    let native = Platform::host();
    let mut runs = BTreeSet::from([(native.os, native.architecture)]);
    let platforms = program_platforms(plan, capabilities.images);
    for (stage, platform) in plan.stages.iter().zip(platforms) {
        let is_run = |(_, step): &(usize, &Step)| matches!(step.operation, Operation::Run(_));
        let Some((index, step)) = stage.steps.iter().enumerate().find(is_run) else { continue };
        if !runs.insert((platform.os.clone(), platform.architecture.clone())) {
            continue;
        }
        let scratch = capabilities.workspace.directory()?;
        launcher.try_platform(&platform, &scratch).map_err(|source| BuildError::InStep {
            step: Box::new(capabilities.naming.name(stage, index)),
            span: step.span,
            source: Box::new(BuildError::Launch(source)),
        })?;
    }
    Ok(())
}

/// Returns what each stage's programs are for: the platform of its base image, whatever was asked for.
fn program_platforms(plan: &Plan, images: &BTreeMap<Digest, Image>) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for stage in &plan.stages {
        platforms.push(program_platform(stage, &platforms, images));
    }
    platforms
}

fn program_platform(stage: &Stage, before: &[Platform], images: &BTreeMap<Digest, Image>) -> Platform {
    let base = match &stage.base {
        Base::Image(pinned) => images.get(&pinned.digest).map(Image::platform),
        Base::Stage(StageId(index)) => before.get(*index).cloned(),
        Base::Scratch | Base::Context(_) => None,
    };
    // An old image may not say what it is for.
    base.filter(|platform| !platform.architecture.is_empty()).unwrap_or_else(|| stage.platform.clone())
}

#[cfg(test)]
mod tests {
    use zoea_model::ImageConfig;

    use super::*;

    fn stage(base: Base, platform: &str) -> Stage {
        Stage {
            name: String::new(),
            base,
            platform: platform.parse().unwrap(),
            steps: Vec::new(),
            config: ImageConfig::default(),
        }
    }

    #[test]
    fn programs_are_for_what_the_stage_below_is_for() {
        let plan = Plan {
            stages: vec![
                stage(Base::Scratch, "linux/s390x"),
                stage(Base::Stage(StageId(0)), "linux/amd64"),
                stage(Base::Scratch, "linux/amd64"),
            ],
            target: StageId(2),
            source_date: None,
        };
        let platforms = program_platforms(&plan, &BTreeMap::new());
        let expected = ["linux/s390x", "linux/s390x", "linux/amd64"];
        assert_eq!(platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }
}
