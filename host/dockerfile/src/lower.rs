//! A [`Dockerfile`] with build arguments and known images to a [`Plan`], or to what must be known first.
//!
//! Owns the order: global arguments, date, outline, stages, result. What one instruction does is in the files below.
//! An error does not hide those behind it: whatever still makes sense is lowered, and all errors are said together,
//! before anything is asked for.

mod checks;
mod copy;
mod document;
mod metadata;
mod mounts;
mod run;
mod stage;

use std::collections::BTreeMap;

use zoea_model::{Base, ContextName, CopySource, PinnedImage, Plan, Platform, SourceSpan, StageId, Warning};

use crate::ast::{Dockerfile, Instruction};
use crate::budget::Budget;
use crate::build_arguments::{globals, proxies, unused};
use crate::check::{Findings, Settings, check_bases, check_file};
use crate::complaints::Complaints;
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::error_list::DockerfileErrors;
use crate::frontend::frontend_warning;
use crate::outline::{Content, Origin, Outline, OutlineStage, Reading};
use crate::reach::Reached;
use crate::request::{ImageRequest, Known, KnownImage, Lowered, Needs, Request};
use crate::source_date::{self, Dated, Settled};
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
    findings: &'a Findings,
}

/// What a lowering has made so far.
#[derive(Default)]
struct Progress {
    stages: Vec<zoea_model::Stage>,
    /// The finished stages by their index in the file.
    finished: BTreeMap<usize, (StageId, StageState)>,
    warnings: Vec<Warning>,
    complaints: Complaints,
}

/// Plans the build of `dockerfile`.
///
/// Stages that the target does not need are not looked at beyond their names. Image names are passed on as
/// written, their variables replaced; whoever resolves them decides what they mean.
///
/// # Errors
/// Fails where the file means nothing, or something that this version does not build, with the places.
pub fn lower(dockerfile: &Dockerfile, request: &Request, known: &Known) -> Result<Lowered, DockerfileErrors> {
    let findings = Findings::new(Settings::new(&dockerfile.directives, request)?);
    let outcome = lower_stages(dockerfile, request, known, Extent::Target, &findings);
    findings.conclude(outcome)
}

/// Which stages are lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What the target needs.
    Target,
    /// Every one.
    AllStages,
}

/// What a lowering comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A plan.
    Finished(Finished),
    /// It goes on when more is known.
    Needs(Needs),
}

/// A lowering that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What is built.
    pub(crate) plan: Plan,
    /// What the user should know.
    pub(crate) warnings: Vec<Warning>,
    /// What was found out about the stages, by their index in the file.
    pub(crate) stages: BTreeMap<usize, StageFacts>,
    /// The variables that a `FROM` sees.
    pub(crate) globals: Environment,
}

/// What was found out about a stage beside its plan.
#[derive(Debug)]
pub(crate) struct StageFacts {
    /// Its number in the plan.
    pub(crate) id: StageId,
    /// The triggers that ran first.
    pub(crate) triggers: Vec<Instruction>,
    /// What its `ARG` instructions declare, triggers first, with the values that they gave.
    pub(crate) arguments: Vec<(String, Option<String>)>,
}

/// Lowers stages, and reports what build checks complain of on the way.
pub(crate) fn lower_stages(
    dockerfile: &Dockerfile,
    request: &Request,
    known: &Known,
    extent: Extent,
    findings: &Findings,
) -> Result<Outcome, DockerfileErrors> {
    check_file(dockerfile, findings);
    let budget = Budget::default();
    let globals = globals(dockerfile, request, &budget)?;
    check_bases(dockerfile, request, &globals, findings);
    let Dated { request, globals, date } =
        match source_date::settle(dockerfile, request, &globals, &budget, known.source_date)? {
            Settled::Dated(dated) => *dated,
            Settled::Asked(asked) => {
                return Ok(Outcome::Needs(Needs { images: Vec::new(), source_date: Some(asked) }));
            }
        };
    let mut complaints = Complaints::default();
    let outline = Outline::new(dockerfile, &request, &globals, &budget, &mut complaints);
    let Reached { stages: reached, needs } = outline.reach(extent, known, &budget, &mut complaints);
    let escape = dockerfile.directives.escape;
    let shared = Shared {
        request: &request,
        known,
        globals: &globals,
        outline: &outline,
        escape,
        proxies: proxies(&request),
        budget: &budget,
        findings,
    };
    let mut progress = Progress { complaints, ..Progress::default() };
    for (index, triggers) in &reached {
        if let Some(stage) = outline.stages.get(*index) {
            progress.add(&shared, *index, stage, triggers);
        }
    }
    let Progress { mut stages, finished, mut warnings, complaints } = progress;
    let consequence = complaints.finish()?;
    if !needs.is_empty() {
        return Ok(Outcome::Needs(Needs { images: needs, source_date: None }));
    }
    if let Some(error) = consequence {
        return Err(error.into());
    }
    warnings.extend(frontend_warning(&dockerfile.directives));
    let triggers = finished.values().flat_map(|(_, state)| &state.triggers);
    warnings.extend(unused(dockerfile, &request, &globals, triggers));
    let target = finished.get(&outline.target).map_or(StageId(0), |(id, _)| *id);
    if let Some(stage) = stages.get_mut(target.0) {
        finish_result(stage, &request);
    }
    let plan = Plan { stages, target, source_date: date };
    Ok(Outcome::Finished(Finished { plan, warnings, stages: facts(finished), globals }))
}

fn facts(finished: BTreeMap<usize, (StageId, StageState)>) -> BTreeMap<usize, StageFacts> {
    let facts = |(id, state): (StageId, StageState)| StageFacts {
        id,
        triggers: state.triggers,
        arguments: state.arguments,
    };
    finished.into_iter().map(|(index, stage)| (index, facts(stage))).collect()
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
    fn add(&mut self, shared: &Shared<'_>, index: usize, stage: &OutlineStage<'_>, triggers: &[Instruction]) {
        if self.complaints.is_final() {
            return;
        }
        shared.findings.enter(&stage.block.from.heading);
        let begun = self.begin(shared, stage);
        let Some((base, mut state)) = self.complaints.keep(begun) else { return };
        self.warnings.extend(stage::platform_warning(stage));
        let span = stage.block.from.heading.span;
        for trigger in triggers {
            let text = trigger.text.trim_start_matches("ONBUILD ");
            let applied = self.apply(shared, &mut state, trigger);
            self.note(&mut state, trigger, applied.map_err(|error| error.in_trigger(text, span)));
        }
        for instruction in stage.instructions() {
            if self.complaints.is_final() {
                return;
            }
            let applied = self.apply(shared, &mut state, instruction);
            self.note(&mut state, instruction, applied);
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
    }

    /// Returns what a stage starts from, and its state before its first instruction.
    fn begin(
        &self,
        shared: &Shared<'_>,
        stage: &OutlineStage<'_>,
    ) -> Result<(Base, StageState), DockerfileError> {
        let span = stage.block.from.heading.span;
        stage::check_platform(&stage.platform, span)?;
        let (base, state) = match &stage.base {
            Origin::Scratch => (Base::Scratch, StageState::scratch(&stage.platform)),
            Origin::Unknown => (Base::Scratch, StageState::unknown(&stage.platform)),
            Origin::Context(name) => {
                let state = match stage.content {
                    Content::Instructions => StageState::scratch(&stage.platform),
                    Content::Context => StageState::files(&stage.platform),
                };
                (Base::Context(name.clone()), state)
            }
            Origin::Image(request) => match shared.known.images.get(&request.key()) {
                Some(known) => {
                    checks::check_base_platform(shared, request, &known.config);
                    // Whatever was asked for: the shell, paths and the result are those of the image.
                    stage::check_platform(&known.config.platform(), span)?;
                    let state = match stage.content {
                        Content::Instructions => StageState::image(&known.config).with_path(),
                        Content::Context => StageState::image(&known.config),
                    };
                    (Base::Image(pin(request, known)), state)
                }
                // What can be said of the instructions is said before the image is asked for.
                None => (Base::Scratch, StageState::unknown(&stage.platform)),
            },
            Origin::Stage(origin) => match self.finished.get(origin) {
                Some((id, state)) => (Base::Stage(*id), state.child()),
                None => (Base::Scratch, StageState::unknown(&stage.platform)),
            },
        };
        shared.budget.spend(state.size(), span)?;
        Ok((base, state))
    }

    /// Keeps the error of an instruction, unless it may come of another one.
    fn note(
        &mut self,
        state: &mut StageState,
        instruction: &Instruction,
        applied: Result<(), DockerfileError>,
    ) {
        match applied {
            Ok(()) => {}
            Err(error) if state.is_news(instruction) => self.complaints.push(error),
            Err(error) => self.complaints.leave_out(error),
        }
    }

    /// Returns where files are read from.
    fn copy_source(&self, shared: &Shared<'_>, reading: Reading<'_>) -> Result<Source, DockerfileError> {
        Ok(match shared.outline.source(reading)? {
            Origin::Scratch => Source::Nothing,
            Origin::Stage(index) => {
                Source::Files(CopySource::Stage(self.finished_stage(shared, index, reading.span)?))
            }
            Origin::Image(request) => {
                let known = known_image(shared, &request)?;
                checks::check_base_platform(shared, &request, &known.config);
                Source::Files(CopySource::Image(pin(&request, known)))
            }
            Origin::Context(name) => Source::Files(CopySource::Context(name)),
            Origin::Unknown => Source::Nothing,
        })
    }

    fn finished_stage(
        &self,
        shared: &Shared<'_>,
        index: usize,
        span: SourceSpan,
    ) -> Result<StageId, DockerfileError> {
        // That it stands too late is said where the stages are ordered, and why else it is missing where it stands.
        let missing = || Problem::ImageNotKnown { name: shared.outline.name_of(index) }.at(span);
        self.finished.get(&index).map(|(id, _)| *id).ok_or_else(missing)
    }
}

/// Where files are read from.
enum Source {
    /// The empty image.
    Nothing,
    /// Anything else.
    Files(CopySource),
}

impl Source {
    /// The build context.
    fn main() -> CopySource {
        CopySource::Context(ContextName::Main)
    }
}

fn known_image<'a>(shared: &Shared<'a>, request: &ImageRequest) -> Result<&'a KnownImage, DockerfileError> {
    let missing = || Problem::ImageNotKnown { name: request.name.clone() }.at(request.span);
    shared.known.images.get(&request.key()).ok_or_else(missing)
}

fn pin(request: &ImageRequest, known: &KnownImage) -> PinnedImage {
    PinnedImage { name: request.name.clone(), platform: request.platform.clone(), digest: known.digest }
}
