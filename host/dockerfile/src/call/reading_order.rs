//! The stages of a plan in the order in which BuildKit comes upon them.

use std::collections::BTreeSet;

use zoea_model::{Base, CopySource, Mount, Operation, Plan, Stage, StageId, Step};

/// Returns the target, then what it starts from, then what its steps read, each stage once.
pub(super) fn reading_order(plan: &Plan) -> Vec<(StageId, &Stage)> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![plan.target];
    while let Some(id) = open.pop() {
        let Some(stage) = plan.stages.get(id.0).filter(|_| seen.insert(id.0)) else { continue };
        order.push((id, stage));
        let read: Vec<StageId> = stage.steps.iter().flat_map(read_stages).collect();
        open.extend(read.into_iter().rev());
        if let Base::Stage(base) = &stage.base {
            open.push(*base);
        }
    }
    order
}

/// Returns the stages that a step reads.
fn read_stages(step: &Step) -> Vec<StageId> {
    let sources: Vec<&CopySource> = match &step.operation {
        Operation::Copy(copy) => vec![&copy.from],
        Operation::Run(run) => run.mounts.iter().filter_map(source).collect(),
        Operation::Metadata | Operation::Workdir(_) => Vec::new(),
    };
    let stage = |source: &CopySource| match source {
        CopySource::Stage(id) => Some(*id),
        CopySource::Context(_) | CopySource::Image(_) => None,
    };
    sources.into_iter().filter_map(stage).collect()
}

fn source(mount: &Mount) -> Option<&CopySource> {
    match mount {
        Mount::Bind(bind) => Some(&bind.from),
        Mount::Cache(cache) => cache.from.as_ref(),
        Mount::Tmpfs(_) | Mount::Secret(_) | Mount::Ssh(_) => None,
    }
}
