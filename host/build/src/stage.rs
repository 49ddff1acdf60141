//! One stage: its base, then its steps, each giving at most one layer.

use std::time::Instant;

use zoea_image::Image;
use zoea_model::{Base, Event, HistoryRow, Stage, Step, StepName};
use zoea_rootfs::{StageTree, Tree};

use crate::BuildError;
use crate::capabilities::TreeNeed;
use crate::made_layer::MadeLayer;
use crate::run::{Session, history_row};
use crate::step::{context_layer, perform};

/// What a stage made.
#[derive(Debug, Clone)]
pub(crate) struct StageResult {
    /// The image at the bottom, if there is one.
    pub(crate) base: Option<Image>,
    /// The layers above it, the lowest first.
    pub(crate) layers: Vec<MadeLayer>,
    /// The history rows above the base's.
    pub(crate) history: Vec<HistoryRow>,
    /// The files, where they were needed.
    pub(crate) tree: Option<Tree>,
}

/// Builds one stage.
pub(crate) fn build_stage(
    stage: &Stage,
    need: TreeNeed,
    session: &mut Session<'_, '_>,
) -> Result<StageResult, BuildError> {
    let mut result = start(stage, need, session)?;
    let mut tree = match result.tree.take() {
        Some(base) => Some(session.capabilities.workspace.start_stage(&base)?),
        None => None,
    };
    for (index, step) in stage.steps.iter().enumerate() {
        let name = session.capabilities.naming.name(stage, index);
        let layer = build_step(step, &name, tree.as_mut(), session).map_err(|source| BuildError::InStep {
            step: Box::new(name),
            span: step.span,
            source: Box::new(source),
        })?;
        result.layers.extend(layer);
        result.history.push(history_row(step, session.now()));
    }
    result.tree = tree.map(StageTree::finish).transpose()?;
    Ok(result)
}

/// Makes the state that the stage's first step finds.
fn start(stage: &Stage, need: TreeNeed, session: &mut Session<'_, '_>) -> Result<StageResult, BuildError> {
    let needed = need == TreeNeed::Needed;
    let empty = |base, tree| StageResult { base, layers: Vec::new(), history: Vec::new(), tree };
    match &stage.base {
        Base::Image(pinned) => {
            let image = session.bases.image(pinned)?.clone();
            let tree = if needed { Some(session.bases.tree(pinned)?) } else { None };
            Ok(empty(Some(image), tree))
        }
        Base::Scratch => Ok(empty(None, needed.then(|| session.capabilities.workspace.scratch()))),
        Base::Context(name) => {
            let (layer, tree) = context_layer(name, session)?;
            Ok(StageResult { layers: vec![layer], ..empty(None, needed.then_some(tree)) })
        }
        Base::Stage(id) => session.results.get(id).cloned().ok_or(BuildError::UnknownStage(*id)),
    }
}

fn build_step(
    step: &Step,
    name: &StepName,
    tree: Option<&mut StageTree>,
    session: &mut Session<'_, '_>,
) -> Result<Option<MadeLayer>, BuildError> {
    let events = session.capabilities.events;
    let start = Instant::now();
    events.emit(Event::StepStarted(name.clone()));
    // A stage without a tree has metadata instructions only.
    let layer = match tree {
        Some(tree) => perform(&step.operation, name, tree, session)?,
        None => None,
    };
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    events.emit(Event::StepFinished { step: name.clone(), milliseconds });
    Ok(layer)
}
