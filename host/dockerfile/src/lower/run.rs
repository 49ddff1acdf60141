//! `RUN`: its command line, environment and history.

use zoea_model::{CommandLine, InlineFile, RunStep, UserSpec};

use crate::ast::{Instruction, Invocation, Run};
use crate::budget::BYTES_PER_TEXT;
use crate::device;
use crate::environment::Environment;
use crate::error::{DockerfileError, Problem};
use crate::history;

use super::document::{Text, text_of};
use super::stage::StageState;
use super::{Progress, Shared};

/// Where scripts that a Dockerfile holds are.
const SCRIPTS: &str = "/dev/pipes";

impl Progress {
    /// Returns the step and its history text.
    pub(super) fn run(
        &self,
        shared: &Shared<'_>,
        state: &StageState,
        instruction: &Instruction,
        run: &Run,
    ) -> Result<(RunStep, String), DockerfileError> {
        let span = instruction.heading.span;
        let size = |document: &crate::ast::HereDocument| document.written.len() + document.content.len();
        shared.budget.spend(run.documents.iter().map(size).sum(), span)?;
        let (words, scripts) = state.run_words(run)?;
        shared.budget.spend(words.iter().map(|word| BYTES_PER_TEXT + word.len()).sum(), span)?;
        let created_by = history::run(&words, &state.declared_values());
        let mut words = words.into_iter();
        let needed = "a command";
        let program =
            words.next().ok_or_else(|| Problem::Arguments { instruction: "RUN", needed }.at(span))?;
        let mut environment = state.scope.clone();
        for (name, value) in &shared.proxies {
            environment.set(name, value);
        }
        refuse_devices(run)?;
        let step = RunStep {
            command: CommandLine { program, arguments: words.collect() },
            environment: environment.variables().to_vec(),
            working_directory: state
                .below_directory(state.directory())
                .map_err(|problem| problem.at(span))?,
            user: UserSpec::new(&state.config.config.user),
            network: run.network,
            security: run.security,
            mounts: self.mounts(shared, state, &run.mounts)?,
            scripts,
        };
        Ok((step, created_by))
    }
}

impl StageState {
    fn run_words(&self, run: &Run) -> Result<(Vec<String>, Vec<InlineFile>), DockerfileError> {
        let Invocation::Shell(command) = &run.command else {
            return Ok((self.command_words(&run.command), Vec::new()));
        };
        Ok(match text_of(command, run)? {
            Text::Shell(text) => (self.command_words(&Invocation::Shell(text)), Vec::new()),
            Text::Script(script) => {
                let path = format!("{SCRIPTS}/{}", script.name);
                (self.command_words(&Invocation::Shell(path)), vec![script])
            }
        })
    }

    /// Returns the declared arguments with the values that a step sees.
    fn declared_values(&self) -> Environment {
        let mut values = Environment::default();
        for (name, value) in self.declared.variables() {
            values.set(name, self.scope.get(name).unwrap_or(value));
        }
        values
    }

    /// Returns a command with the shell in front of it where it is in shell form.
    pub(super) fn command_words(&self, command: &Invocation) -> Vec<String> {
        match command {
            Invocation::Exec(words) => words.clone(),
            Invocation::Shell(text) => {
                let mut words = self.shell();
                words.push(text.clone());
                words
            }
        }
    }
}

fn refuse_devices(run: &Run) -> Result<(), DockerfileError> {
    run.devices.iter().try_for_each(device::check)?;
    let Some(word) = run.devices.first() else { return Ok(()) };
    let what = format!("The device `{}` in a `RUN` step", word.text);
    Err(Problem::NotBuilt { what, instead: "run what needs it in a container of the image" }.at(word.span))
}
