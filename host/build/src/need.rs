//! Which stages must have a file tree. Pure.

use zoea_model::{Base, CopySource, Operation, Plan, StageId};

use crate::capabilities::TreeNeed;

/// For every stage of `plan`: whether its tree must be made.
///
/// A stage needs a tree when one of its own steps makes a layer, when another stage copies from it, or when a
/// stage based on it needs one. All other stages are described by their base's layers alone, so nothing of
/// their base is fetched.
pub(crate) fn trees_needed(plan: &Plan, target: TreeNeed) -> Vec<TreeNeed> {
    let mut needs = vec![TreeNeed::Unneeded; plan.stages.len()];
    let mut mark = |StageId(index): StageId| {
        if let Some(need) = needs.get_mut(index) {
            *need = TreeNeed::Needed;
        }
    };
    if target == TreeNeed::Needed {
        mark(plan.target);
    }
    for (index, stage) in plan.stages.iter().enumerate() {
        for step in &stage.steps {
            if step.operation.makes_layer() {
                mark(StageId(index));
            }
            if let Operation::Copy(copy) = &step.operation
                && let CopySource::Stage(source) = copy.from
            {
                mark(source);
            }
        }
    }
    // A stage reads only stages before it, so one pass from the end reaches every base.
    for (index, stage) in plan.stages.iter().enumerate().rev() {
        if let Base::Stage(StageId(base)) = stage.base
            && needs.get(index) == Some(&TreeNeed::Needed)
            && let Some(need) = needs.get_mut(base)
        {
            *need = TreeNeed::Needed;
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use TreeNeed::{Needed, Unneeded};
    use zoea_model::{
        HistoryEntry, ImageConfig, Platform, SourceSpan, Stage, Step, TreePath, UserSpec, WorkdirStep,
    };

    use super::*;

    fn step(operation: Operation) -> Step {
        let history = HistoryEntry { created_by: String::new(), empty_layer: !operation.makes_layer() };
        Step { span: SourceSpan::default(), text: String::new(), operation, history }
    }

    fn stage(base: Base, operations: Vec<Operation>) -> Stage {
        Stage {
            name: String::new(),
            base,
            platform: Platform::host(),
            steps: operations.into_iter().map(step).collect(),
            config: ImageConfig::default(),
        }
    }

    fn workdir() -> Operation {
        Operation::Workdir(WorkdirStep { path: TreePath::root(), owner: UserSpec::new("0") })
    }

    #[test]
    fn metadata_alone_needs_no_tree() {
        let plan = Plan {
            stages: vec![stage(Base::Scratch, vec![Operation::Metadata])],
            target: StageId(0),
            source_date: None,
        };
        assert_eq!(trees_needed(&plan, Unneeded), [Unneeded]);
        assert_eq!(trees_needed(&plan, Needed), [Needed]);
    }

    #[test]
    fn bases_of_needed_stages_are_needed() {
        let plan = Plan {
            stages: vec![
                stage(Base::Scratch, vec![]),
                stage(Base::Stage(StageId(0)), vec![]),
                stage(Base::Stage(StageId(1)), vec![workdir()]),
                stage(Base::Scratch, vec![]),
            ],
            target: StageId(2),
            source_date: None,
        };
        assert_eq!(trees_needed(&plan, Unneeded), [Needed, Needed, Needed, Unneeded]);
    }
}
