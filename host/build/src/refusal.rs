//! What a plan may say and cannot be carried out: by this version, or on this machine.
//!
//! Looked for before anything is unpacked or run: a build that cannot end well should not begin.

use zoea_model::{CopyStep, Linking, Mount, Operation, Plan, RunStep, Security, UserSpec};

use crate::BuildError;
use crate::capabilities::Capabilities;
use crate::foreign::check_platforms;
use crate::naming::StepNaming;

/// Refuses a plan with a step that cannot be carried out here.
///
/// # Errors
/// [`BuildError::InStep`] names the first such step.
pub fn check(plan: &Plan, capabilities: &Capabilities<'_>) -> Result<(), BuildError> {
    refuse_unbuildable(plan, &capabilities.naming)?;
    check_platforms(plan, capabilities)
}

/// Refuses a plan with a step that can be carried out nowhere. Pure.
pub(crate) fn refuse_unbuildable(plan: &Plan, naming: &StepNaming) -> Result<(), BuildError> {
    for stage in &plan.stages {
        for (index, step) in stage.steps.iter().enumerate() {
            let checked = match &step.operation {
                Operation::Run(run) => check_run(run),
                Operation::Copy(copy) => check_copy(copy),
                Operation::Metadata | Operation::Workdir(_) => Ok(()),
            };
            checked.map_err(|source| BuildError::InStep {
                step: Box::new(naming.name(stage, index)),
                span: step.span,
                source: Box::new(source),
            })?;
        }
    }
    Ok(())
}

fn check_run(run: &RunStep) -> Result<(), BuildError> {
    if let Some(mount) = run.mounts.first() {
        return Err(unbuildable_mount(mount));
    }
    match run.security {
        Security::Sandbox => Ok(()),
        Security::Insecure => Err(BuildError::NotCarriedOut {
            what: "RUN --security=insecure",
            hint: "leave it out, if the command works without more privileges than any container has",
        }),
    }
}

fn unbuildable_mount(mount: &Mount) -> BuildError {
    let (what, hint) = match mount {
        Mount::Cache(_) => {
            ("RUN --mount=type=cache", "leave the flag out: the step takes longer, and gives the same")
        }
        Mount::Bind(_) => (
            "RUN --mount=type=bind",
            "copy what the command needs with COPY, in a stage of its own if it is not to stay in the image",
        ),
        Mount::Tmpfs(_) => ("RUN --mount=type=tmpfs", "remove what is not to stay at the end of the command"),
        Mount::Secret(_) => (
            "RUN --mount=type=secret",
            "fetch what needs the secret before the build; a build argument would be kept in the image's history",
        ),
        Mount::Ssh(_) => ("RUN --mount=type=ssh", "fetch what needs the agent before the build"),
    };
    BuildError::NotCarriedOut { what, hint }
}

fn check_copy(copy: &CopyStep) -> Result<(), BuildError> {
    match (copy.linking, &copy.owner) {
        (Linking::Independent, Some(owner)) if has_name(owner) => {
            Err(BuildError::LinkedOwner { owner: owner.to_string() })
        }
        (Linking::Independent | Linking::Tree, _) => Ok(()),
    }
}

/// Says whether the owner has to be looked up.
fn has_name(owner: &UserSpec) -> bool {
    let is_name = |text: &str| text.parse::<u32>().is_err();
    is_name(&owner.user) || owner.group.as_deref().is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use zoea_model::{
        AddArchive, Base, CommandLine, ContextName, CopySource, HistoryEntry, ImageConfig, Network, Platform,
        SourceSpan, Stage, StageId, Step, TmpfsMount, TreePath,
    };

    use super::*;

    fn refusal(operation: Operation) -> Option<BuildError> {
        let history = HistoryEntry { created_by: String::new(), empty_layer: !operation.makes_layer() };
        let span = SourceSpan { line: 3, column: 5, end_line: 3 };
        let stage = Stage {
            name: "app".into(),
            base: Base::Scratch,
            platform: Platform::host(),
            steps: vec![Step { span, text: "STEP".into(), operation, history }],
            config: ImageConfig::default(),
        };
        let plan = Plan { stages: vec![stage], target: StageId(0), source_date: None };
        refuse_unbuildable(&plan, &StepNaming::Plain).err()
    }

    fn run() -> RunStep {
        RunStep {
            command: CommandLine { program: "true".into(), arguments: Vec::new() },
            environment: Vec::new(),
            working_directory: TreePath::root(),
            user: UserSpec::new("0"),
            network: Network::Default,
            security: Security::Sandbox,
            mounts: Vec::new(),
            scripts: Vec::new(),
        }
    }

    fn copy(linking: Linking, owner: &str) -> Operation {
        Operation::Copy(CopyStep {
            from: CopySource::Context(ContextName::Main),
            items: Vec::new(),
            destination: TreePath::root(),
            into_directory: true,
            owner: Some(UserSpec::new(owner)),
            mode: None,
            excludes: Vec::new(),
            linking,
            archives: AddArchive::Keep,
            remote_archives: AddArchive::Keep,
        })
    }

    #[test]
    fn what_cannot_be_carried_out_is_named_with_its_place() {
        let mount = Mount::Tmpfs(TmpfsMount { target: TreePath::root(), size: None });
        for (operation, what) in [
            (Operation::Run(RunStep { mounts: vec![mount], ..run() }), "RUN --mount=type=tmpfs"),
            (Operation::Run(RunStep { security: Security::Insecure, ..run() }), "RUN --security=insecure"),
            (copy(Linking::Independent, "app"), "`app`"),
            (copy(Linking::Independent, "1:app"), "`1:app`"),
        ] {
            let Some(BuildError::InStep { step, span, source }) = refusal(operation) else {
                panic!("{what} is not refused");
            };
            assert_eq!((step.stage.as_str(), step.number, span.line), ("app", 1, 3));
            assert!(source.to_string().contains(what) && source.hint().is_some(), "{source}");
        }
    }

    #[test]
    fn everything_else_is_built() {
        for operation in [
            Operation::Run(run()),
            copy(Linking::Independent, "5:6"),
            copy(Linking::Independent, "5"),
            copy(Linking::Tree, "app:app"),
        ] {
            assert!(refusal(operation).is_none());
        }
    }
}
