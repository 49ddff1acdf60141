//! `RUN`: its command line, environment and history.

use zoea_model::{CommandLine, RunStep, UserSpec};

use crate::ast::{Invocation, Run};
use crate::environment::Environment;
use crate::error::Problem;
use crate::history;

use super::Shared;
use super::stage::StageState;

impl StageState {
    /// Returns the step and its history text.
    pub(super) fn run(&self, shared: &Shared<'_>, run: &Run) -> (Result<RunStep, Problem>, String) {
        let words = self.command_words(&run.command);
        let mut declared = Environment::default();
        for (name, _) in self.declared.variables() {
            declared.set(name, self.scope.get(name).unwrap_or_default());
        }
        let created_by = history::run(&words, &declared);
        (self.run_step(shared, run, words), created_by)
    }

    fn run_step(&self, shared: &Shared<'_>, run: &Run, words: Vec<String>) -> Result<RunStep, Problem> {
        let mut words = words.into_iter();
        let needed = "a command";
        let program = words.next().ok_or(Problem::Arguments { instruction: "RUN", needed })?;
        let mut environment = self.scope.clone();
        for (name, value) in &shared.proxies {
            environment.set(name, value);
        }
        Ok(RunStep {
            command: CommandLine { program, arguments: words.collect() },
            environment: environment.variables().to_vec(),
            working_directory: self.below_directory(self.directory())?,
            user: UserSpec::new(&self.config.config.user),
            network: run.network,
            security: run.security,
            mounts: Vec::new(),
            scripts: Vec::new(),
        })
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
