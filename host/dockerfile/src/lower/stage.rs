//! The state of a stage while its instructions are applied.
//!
//! Owns what a stage begins with, and which variables words and steps see: `config` is what the image keeps,
//! `scope` adds the values of `ARG`. Whichever of `ENV` and `ARG` comes later gives a name its value.

use zoea_model::{HistoryEntry, ImageConfig, Operation, Platform, RootFs, SourceSpan, Step, Warning};

use crate::ast::{Command, Instruction, Word};
use crate::budget::BYTES_PER_TEXT;
use crate::build_arguments::expand_with_names;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::outline::{Origin, OutlineStage};
use crate::safe_text::safe;

use super::checks::Seen;
use super::copy::normal;
use super::{Progress, Shared};

/// The search path of an image that sets none (BuildKit, `util/system`).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether `CMD` was given in this stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandOrigin {
    Inherited,
    Own,
}

/// Whether the variables of a stage have the values that they will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    /// They have.
    Known,
    /// The base is not known yet, or an instruction that sets some is wrong.
    Uncertain,
}

/// A stage in the making.
#[derive(Debug, Clone)]
pub(super) struct StageState {
    /// The configuration, but for its environment.
    pub(super) config: ImageConfig,
    /// The environment of the configuration.
    pub(super) variables: Environment,
    /// What words and steps see: the environment and the values of arguments.
    pub(super) scope: Environment,
    /// The declared arguments, in order, with the values that they have where `scope` has none.
    pub(super) declared: Environment,
    /// Whether these are certain.
    pub(super) certainty: Variables,
    /// What the `ARG` instructions of this stage declare, with the values that they gave.
    pub(super) arguments: Vec<(String, Option<String>)>,
    /// What build checks remember.
    pub(super) seen: Seen,
    /// Where the configuration's `CMD` comes from.
    pub(super) command: CommandOrigin,
    /// The steps so far.
    pub(super) steps: Vec<Step>,
    /// The triggers that ran first.
    pub(super) triggers: Vec<Instruction>,
}

impl StageState {
    /// Begins from nothing.
    pub(super) fn scratch(platform: &Platform) -> Self {
        let mut state = Self::files(platform).with_path();
        state.config.config.working_dir = "/".to_owned();
        state
    }

    /// Begins from files without a configuration.
    pub(super) fn files(platform: &Platform) -> Self {
        Self::new(ImageConfig {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            ..ImageConfig::default()
        })
    }

    /// Begins from something that is not known yet.
    pub(super) fn unknown(platform: &Platform) -> Self {
        Self { certainty: Variables::Uncertain, ..Self::scratch(platform) }
    }

    /// Begins from an image; its triggers are not inherited.
    pub(super) fn image(base: &ImageConfig) -> Self {
        let mut config = base.clone();
        config.created = None;
        config.history = Vec::new();
        config.rootfs = RootFs::default();
        config.config.on_build = Vec::new();
        Self::new(config)
    }

    fn new(config: ImageConfig) -> Self {
        let variables = Environment::from_entries(&config.config.env);
        Self {
            config,
            scope: variables.clone(),
            variables,
            declared: Environment::default(),
            certainty: Variables::Known,
            arguments: Vec::new(),
            seen: Seen::default(),
            command: CommandOrigin::Inherited,
            steps: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// Gives the stage what its instructions rely on: a search path, and an absolute working directory.
    pub(super) fn with_path(mut self) -> Self {
        if self.variables.get("PATH").is_none() {
            self.variables.set("PATH", DEFAULT_PATH);
            self.scope.set("PATH", DEFAULT_PATH);
        }
        let directory = &mut self.config.config.working_dir;
        if !directory.is_empty() && !directory.starts_with('/') {
            // BuildKit joins such a directory with itself.
            *directory = normal(&format!("{directory}/{directory}"));
        }
        self
    }

    /// Begins from this stage's result: arguments stay declared, triggers are not inherited.
    pub(super) fn child(&self) -> Self {
        let mut child = self.clone();
        child.config.config.on_build = Vec::new();
        child.command = CommandOrigin::Inherited;
        child.arguments = Vec::new();
        child.seen = self.seen.inherited();
        child.triggers = Vec::new();
        child.with_path()
    }

    /// Says whether an error in `instruction` is one of its own; what behind it may come of it is none.
    pub(super) fn is_news(&mut self, instruction: &Instruction) -> bool {
        let sets_variables = matches!(instruction.command, Command::Arg(_) | Command::Env(_));
        let before = self.certainty;
        if sets_variables {
            self.certainty = Variables::Uncertain;
        }
        before == Variables::Known || !has_variables(instruction)
    }

    /// Returns what a copy of this state costs, in bytes.
    pub(super) fn size(&self) -> usize {
        // A configuration that cannot be written is dearer than any budget; none is known to exist.
        let config = serde_json::to_vec(&self.config).map_or(usize::MAX, |bytes| document_size(&bytes));
        config.saturating_add(3 * self.scope.size() + self.declared.size())
    }

    /// Returns the configuration with its environment.
    pub(super) fn finished_config(&self) -> ImageConfig {
        let mut config = self.config.clone();
        config.config.env = self.variables.entries();
        config
    }

    /// Returns the shell for commands in shell form.
    pub(super) fn shell(&self) -> Vec<String> {
        match &self.config.config.shell {
            Some(shell) if !shell.is_empty() => shell.clone(),
            Some(_) | None => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        }
    }

    /// Returns the working directory.
    pub(super) fn directory(&self) -> &str {
        match self.config.config.working_dir.as_str() {
            "" => "/",
            directory => directory,
        }
    }

    /// Replaces the variables of a word.
    pub(super) fn expand(&self, shared: &Shared<'_>, word: &Word) -> Result<String, DockerfileError> {
        let expansion = expand_with_names(word, shared.escape, &self.scope, shared.budget)?;
        self.check_names(shared, &expansion.names);
        Ok(expansion.result)
    }
}

impl Progress {
    /// Applies one instruction to a stage.
    pub(super) fn apply(
        &mut self,
        shared: &Shared<'_>,
        state: &mut StageState,
        instruction: &Instruction,
    ) -> Result<(), DockerfileError> {
        let span = instruction.heading.span;
        shared.findings.enter(&instruction.heading);
        state.check_form(shared, instruction);
        let config = &state.config.config;
        shared.budget.spend(instruction.text.len() + config.working_dir.len() + config.user.len(), span)?;
        let (operation, created_by) = match &instruction.command {
            Command::Run(run) => {
                shared.budget.spend(state.scope.size() + state.declared.size(), span)?;
                let (step, created_by) = self.run(shared, state, instruction, run)?;
                (Operation::Run(step), created_by)
            }
            Command::Copy(copy) => {
                let (step, created_by) = self.copy(shared, state, instruction, copy)?;
                self.warnings.extend(super::copy::destination_warning(&step, span));
                (Operation::Copy(step), created_by)
            }
            Command::Workdir(path) => state.workdir(shared, path)?,
            Command::OnBuild(trigger) => {
                // BuildKit writes no history row for a trigger, so there is no step either.
                shared.budget.spend(trigger.text.len(), span)?;
                state.config.config.on_build.push(trigger.text.clone());
                return Ok(());
            }
            Command::User(word) => {
                let created_by = state.user(shared, word)?;
                self.warnings.extend(super::metadata::user_warning(state, word));
                (Operation::Metadata, created_by)
            }
            Command::Arg(_)
            | Command::Cmd(_)
            | Command::Entrypoint(_)
            | Command::Env(_)
            | Command::Expose(_)
            | Command::Healthcheck(_)
            | Command::Label(_)
            | Command::Maintainer(_)
            | Command::Shell(_)
            | Command::StopSignal(_)
            | Command::Volume(_) => {
                (Operation::Metadata, state.metadata(shared, &instruction.command, span)?)
            }
        };
        shared.budget.spend(2 * created_by.len(), span)?;
        let history = HistoryEntry { created_by, empty_layer: !operation.makes_layer() };
        let text = safe(&instruction.text, &operation).into_owned();
        state.steps.push(Step { span, text, operation, history });
        Ok(())
    }
}

/// Returns what the values of a JSON document cost: the state holds them, and the plan does.
fn document_size(document: &[u8]) -> usize {
    // A value ends at a comma or closes the one around it; each is a name, a value, and its place in a map.
    let values = document.iter().filter(|byte| **byte == b',').count();
    2 * (document.len() + values * 4 * BYTES_PER_TEXT)
}

/// Says whether what an instruction means depends on variables.
fn has_variables(instruction: &Instruction) -> bool {
    let documents = match &instruction.command {
        Command::Copy(copy) => copy.documents.as_slice(),
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::OnBuild(_)
        | Command::Run(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => &[],
    };
    instruction.text.contains('$') || documents.iter().any(|document| document.content.contains('$'))
}

/// Refuses platforms whose images are made in another way.
pub(super) fn check_platform(platform: &Platform, span: SourceSpan) -> Result<(), DockerfileError> {
    if platform.os == "windows" {
        let what = "An image for Windows".to_owned();
        return Err(Problem::NotBuilt { what, instead: "build for `linux/…`" }.at(span));
    }
    Ok(())
}

/// Warns of a `--platform` that has no effect, as in BuildKit.
pub(super) fn platform_warning(stage: &OutlineStage<'_>) -> Option<Warning> {
    let word = stage.block.from.platform.as_ref()?;
    let because = match &stage.base {
        Origin::Image(_) | Origin::Context(_) | Origin::Unknown => return None,
        Origin::Scratch => "an empty image is made for the platform of the build",
        Origin::Stage(_) => "a stage keeps the platform of the stage that it starts from",
    };
    let message = format!("`--platform={}` has no effect: {because}", word.text);
    Some(Warning { span: Some(word.span), message, rule: None, hint: None })
}
