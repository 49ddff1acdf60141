//! A [`Dockerfile`] with build arguments and known images to a [`Plan`], or to the images still needed.
//!
//! Owns the order: global arguments, outline, stages, result. What one instruction does is in the files below.

mod copy;
mod metadata;
mod run;
mod stage;

use std::collections::BTreeMap;

use zoea_model::{Base, ContextName, CopySource, PinnedImage, Plan, Platform, SourceSpan, StageId, Warning};

use crate::ast::{Dockerfile, Instruction, Word};
use crate::budget::Budget;
use crate::build_arguments::{globals, proxies, unused};
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::error_list::DockerfileErrors;
use crate::outline::{Origin, Outline, OutlineStage, Reached};
use crate::request::{ImageRequest, Known, KnownImage, Lowered, Needs, Request};
use stage::StageState;

/// What all stages of one lowering share.
struct Shared<'a> {
    request: &'a Request,
    known: &'a Known,
    globals: &'a Environment,
    outline: &'a Outline<'a>,
    escape: Escape,
    proxies: Vec<(String, String)>,
    budget: &'a Budget,
}

/// What a lowering has made so far.
#[derive(Default)]
struct Progress {
    stages: Vec<zoea_model::Stage>,
    /// The finished stages by their index in the file.
    finished: BTreeMap<usize, (StageId, StageState)>,
    warnings: Vec<Warning>,
}

/// Plans the build of `dockerfile`.
///
/// Stages that the target does not need are not looked at beyond their names. Image names are passed on as
/// written, their variables replaced; whoever resolves them decides what they mean.
///
/// # Errors
/// Fails where the file means nothing, or something that this version does not build, with the place.
pub fn lower(dockerfile: &Dockerfile, request: &Request, known: &Known) -> Result<Lowered, DockerfileErrors> {
    let budget = Budget::default();
    let globals = globals(dockerfile, request, &budget)?;
    let outline = Outline::new(dockerfile, request, &globals, &budget)?;
    let Reached { stages, needs } = outline.reach(known)?;
    if !needs.is_empty() {
        return Ok(Lowered::Needs(Needs { images: needs, source_date: None }));
    }
    let escape = dockerfile.directives.escape;
    let shared = Shared {
        request,
        known,
        globals: &globals,
        outline: &outline,
        escape,
        proxies: proxies(request),
        budget: &budget,
    };
    let mut progress = Progress { ..Progress::default() };
    for (index, triggers) in &stages {
        if let Some(stage) = outline.stages.get(*index) {
            progress.add(&shared, *index, stage, triggers)?;
        }
    }
    let Progress { mut stages, finished, mut warnings, .. } = progress;
    warnings.extend(unused(
        dockerfile,
        request,
        &globals,
        finished.values().flat_map(|(_, state)| &state.triggers),
    ));
    let target = finished.get(&outline.target).map_or(StageId(0), |(id, _)| *id);
    if let Some(stage) = stages.get_mut(target.0) {
        finish_result(stage, request);
    }
    Ok(Lowered::Plan { plan: Plan { stages, target, source_date: None }, warnings })
}

/// Applies what is asked of the result alone: labels, and the platform of a build for another one.
fn finish_result(stage: &mut zoea_model::Stage, request: &Request) {
    let config = &mut stage.config;
    config.config.labels.extend(request.labels.clone());
    // A build for its own platform keeps what the base image says of itself: it may be a `--platform` of the file.
    if request.platform == request.build_platform {
        return;
    }
    let Platform { os, architecture, variant } = &request.platform;
    let same = config.os == *os && config.architecture == *architecture;
    config.os.clone_from(os);
    config.architecture.clone_from(architecture);
    if variant.is_some() || !same {
        config.variant.clone_from(variant);
    }
}

impl Progress {
    fn add(
        &mut self,
        shared: &Shared<'_>,
        index: usize,
        stage: &OutlineStage<'_>,
        triggers: &[Instruction],
    ) -> Result<(), DockerfileError> {
        let span = stage.block.from.heading.span;
        let (base, mut state) = match &stage.base {
            Origin::Scratch => (Base::Scratch, StageState::scratch(&stage.platform)),
            Origin::Image(request) => {
                let known = known_image(shared, request)?;
                (Base::Image(pin(request, known)), StageState::image(&known.config))
            }
            Origin::Stage(origin) => {
                let (id, state) = self.finished_stage(shared, *origin, span)?;
                (Base::Stage(*id), state.child())
            }
        };
        self.warnings.extend(stage::platform_warning(stage));
        stage::check_platform(&stage.platform, span)?;
        shared.budget.spend(state.size(), span)?;
        for trigger in triggers {
            let text = trigger.text.trim_start_matches("ONBUILD ");
            self.apply(shared, &mut state, trigger).map_err(|error| error.in_trigger(text, span))?;
        }
        for instruction in &stage.block.instructions {
            self.apply(shared, &mut state, instruction)?;
        }
        let id = StageId(self.stages.len());
        self.stages.push(zoea_model::Stage {
            name: stage.name.clone(),
            base,
            platform: stage.platform.clone(),
            steps: std::mem::take(&mut state.steps),
            config: state.finished_config(),
        });
        state.triggers = triggers.to_vec();
        self.finished.insert(index, (id, state));
        Ok(())
    }

    /// Returns where the files of `COPY --from` come from.
    fn copy_source(&self, shared: &Shared<'_>, from: Option<&Word>) -> Result<CopySource, DockerfileError> {
        let Some(from) = from else { return Ok(CopySource::Context(ContextName::Main)) };
        Ok(match shared.outline.source(from)? {
            Origin::Scratch => return Err(Problem::FromScratch.at(from.span)),
            Origin::Stage(index) => CopySource::Stage(self.finished_stage(shared, index, from.span)?.0),
            Origin::Image(request) => CopySource::Image(pin(&request, known_image(shared, &request)?)),
        })
    }

    fn finished_stage(
        &self,
        shared: &Shared<'_>,
        index: usize,
        span: SourceSpan,
    ) -> Result<&(StageId, StageState), DockerfileError> {
        self.finished.get(&index).ok_or_else(|| {
            let name = shared.outline.stages.get(index).map(|stage| stage.name.clone()).unwrap_or_default();
            Problem::ForwardReference { name }.at(span)
        })
    }
}

fn known_image<'a>(shared: &Shared<'a>, request: &ImageRequest) -> Result<&'a KnownImage, DockerfileError> {
    let missing = || Problem::ImageNotKnown { name: request.name.clone() }.at(request.span);
    shared.known.images.get(&request.key()).ok_or_else(missing)
}

fn pin(request: &ImageRequest, known: &KnownImage) -> PinnedImage {
    PinnedImage { name: request.name.clone(), platform: request.platform.clone(), digest: known.digest }
}
