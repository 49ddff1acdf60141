//! The whole build: stages in the plan's order, then the image of the target.

use std::collections::BTreeMap;

use zoea_image::{Image, ImageDraft, compose};
use zoea_model::{Base, Event, HistoryRow, Plan, StageId, Timestamp};
use zoea_rootfs::Tree;

use crate::BuildError;
use crate::bases::Bases;
use crate::capabilities::{Capabilities, Options, TreeNeed};
use crate::made_layer::MadeLayer;
use crate::need::trees_needed;
use crate::refusal::refuse_unbuildable;
use crate::stage::{StageResult, build_stage};

/// What a build made.
#[derive(Debug)]
pub struct Built {
    /// The target's image; new blobs are in the blob store, base layers wherever the base is.
    pub image: Image,
    /// The target's files, where something asked for them.
    pub tree: Option<Tree>,
    /// The date that the build had, where one was given or the plan has one.
    pub source_date: Option<Timestamp>,
}

/// Results of the stages built so far.
pub(crate) type StageResults = BTreeMap<StageId, StageResult>;

/// Obeys `plan`.
///
/// # Errors
/// The first failure stops the build. Nothing is published before the whole image is composed.
pub fn build(plan: &Plan, capabilities: &Capabilities<'_>, options: &Options) -> Result<Built, BuildError> {
    refuse_unbuildable(plan, &capabilities.naming)?;
    let source_date = options.source_date_epoch.or(plan.source_date);
    let options = &Options { source_date_epoch: source_date, ..options.clone() };
    let needed = trees_needed(plan, options.target_tree);
    let mut bases = Bases::new(capabilities, options);
    let mut results = StageResults::new();
    for (index, stage) in plan.stages.iter().enumerate() {
        let id = StageId(index);
        let need = needed.get(index).copied().unwrap_or(TreeNeed::Needed);
        if need == TreeNeed::Unneeded && matches!(stage.base, Base::Image(_)) {
            capabilities.events.emit(Event::UnpackSkipped { stage: stage.name.clone() });
        }
        let mut session = Session { capabilities, options, bases: &mut bases, results: &results };
        let result = build_stage(stage, need, &mut session)?;
        results.insert(id, result);
    }
    let result = results.remove(&plan.target).ok_or(BuildError::UnknownStage(plan.target))?;
    let image = assemble(plan, result.clone(), capabilities, options)?;
    capabilities.events.emit(Event::ImageBuilt { digest: image.digest() });
    Ok(Built { image, tree: result.tree, source_date })
}

/// What one stage works with.
pub(crate) struct Session<'a, 'b> {
    pub(crate) capabilities: &'a Capabilities<'a>,
    pub(crate) options: &'a Options,
    pub(crate) bases: &'b mut Bases<'a>,
    pub(crate) results: &'b StageResults,
}

impl Session<'_, '_> {
    /// Returns the time that the build itself writes: the source date where one is given.
    pub(crate) fn now(&self) -> Timestamp {
        self.options.source_date_epoch.unwrap_or_else(|| self.capabilities.clock.now())
    }
}

fn assemble(
    plan: &Plan,
    result: StageResult,
    capabilities: &Capabilities<'_>,
    options: &Options,
) -> Result<Image, BuildError> {
    let now = options.source_date_epoch.unwrap_or_else(|| capabilities.clock.now());
    let StageId(index) = plan.target;
    let stage = plan.stages.get(index).ok_or(BuildError::UnknownStage(plan.target))?;
    let missing = rows_of_layers_without(&result.layers, &result.history, now);
    let draft = ImageDraft {
        base: result.base.as_ref(),
        layers: result.layers.into_iter().map(|made| made.layer).collect(),
        config: stage.config.clone(),
        history: result.history.into_iter().chain(missing).collect(),
        created: now.to_rfc3339(),
        annotations: options.annotations.clone(),
        format: options.format,
    };
    Ok(compose(draft, capabilities.blobs)?)
}

/// Makes the history row of a step.
pub(crate) fn history_row(step: &zoea_model::Step, now: Timestamp) -> HistoryRow {
    HistoryRow {
        created: Some(now.to_rfc3339()),
        created_by: Some(step.history.created_by.clone()),
        author: None,
        comment: Some("buildkit.dockerfile.v0".to_owned()),
        empty_layer: step.history.empty_layer,
    }
}

/// Makes the rows of layers that no instruction made, as BuildKit's exporter does: one for each that is missing, after
/// all others, saying what is known of the topmost layers.
fn rows_of_layers_without(layers: &[MadeLayer], history: &[HistoryRow], now: Timestamp) -> Vec<HistoryRow> {
    let rows = history.iter().filter(|row| !row.empty_layer).count();
    let row = |made: &MadeLayer| HistoryRow {
        created: Some(now.to_rfc3339()),
        created_by: Some(made.description.clone()),
        author: None,
        comment: Some("buildkit.exporter.image.v0".to_owned()),
        empty_layer: false,
    };
    layers.iter().skip(rows).map(row).collect()
}
