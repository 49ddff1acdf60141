//! Instructions that only change the image's configuration, and `WORKDIR`.

use serde_json::Map;
use zoea_model::{Operation, SourceSpan, TreePath, UserSpec, Warning, WorkdirStep};

use crate::ast::{ArgumentDeclaration, Command, Invocation, Pair, Word};
use crate::build_arguments::expand_split;
use crate::check::check_port;
use crate::error::{DockerfileError, Problem};
use crate::history;
use crate::ports;
use crate::signal::is_signal;

use super::Shared;
use super::checks::check_secret;
use super::copy::normal;
use super::stage::{CommandOrigin, StageState};

/// Arguments that no word and no step sees (BuildKit, `nonEnvArgs`).
pub(super) const FOR_THE_BUILDER: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// What one port costs of a plan's budget.
const BYTES_PER_PORT: usize = 128;

impl StageState {
    /// Applies an instruction and returns its history text.
    pub(super) fn metadata(
        &mut self,
        shared: &Shared<'_>,
        command: &Command,
        span: SourceSpan,
    ) -> Result<String, DockerfileError> {
        Ok(match command {
            Command::Arg(declarations) => self.arguments(shared, declarations)?,
            Command::Cmd(command) => self.command(command),
            Command::Entrypoint(command) => self.entrypoint(command),
            Command::Env(pairs) => self.env(shared, pairs)?,
            Command::Expose(words) => self.expose(shared, words)?,
            Command::Healthcheck(healthcheck) => {
                self.config.config.healthcheck = Some(healthcheck.clone());
                history::healthcheck(healthcheck)
            }
            Command::Label(pairs) => self.label(shared, pairs)?,
            Command::Maintainer(name) => {
                self.config.author = Some(name.clone());
                format!("MAINTAINER {name}")
            }
            Command::Shell(shell) => {
                self.config.config.shell = Some(shell.clone());
                history::listed("SHELL", shell)
            }
            Command::StopSignal(word) => self.stop_signal(shared, word)?,
            Command::User(word) => self.user(shared, word)?,
            Command::Volume(words) => self.volume(shared, words)?,
            Command::Copy(_) | Command::OnBuild(_) | Command::Run(_) | Command::Workdir(_) => {
                let what = "This instruction as metadata".to_owned();
                return Err(Problem::NotBuilt { what, instead: "it changes the tree" }.at(span));
            }
        })
    }

    /// Declares arguments: the given value, else the default, else the value from before the first `FROM`.
    fn arguments(
        &mut self,
        shared: &Shared<'_>,
        declarations: &[ArgumentDeclaration],
    ) -> Result<String, DockerfileError> {
        let mut shown = Vec::with_capacity(declarations.len());
        for ArgumentDeclaration { name, default } in declarations {
            check_secret(shared, "ARG", &name.text);
            let value = match (shared.request.build_args.get(&name.text), default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(self.expand(shared, default)?),
                (None, None) => shared.globals.get(&name.text).map(str::to_owned),
            };
            if let Some(value) = value.as_ref().filter(|_| !FOR_THE_BUILDER.contains(&name.text.as_str())) {
                self.scope.set(&name.text, value);
            }
            self.declared.set(&name.text, value.as_deref().unwrap_or_default());
            shown.push((name.text.as_str(), value));
        }
        self.arguments.extend(shown.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Ok(history::pairs("ARG", shown.iter().map(|(name, value)| (*name, value.as_deref()))))
    }

    fn command(&mut self, command: &Invocation) -> String {
        let words = self.command_words(command);
        let text = history::quoted("CMD", &words);
        self.config.config.cmd = (!words.is_empty()).then_some(words);
        self.config.config.args_escaped = true;
        self.command = CommandOrigin::Own;
        text
    }

    fn entrypoint(&mut self, command: &Invocation) -> String {
        let words = self.command_words(command);
        let text = history::quoted("ENTRYPOINT", &words);
        self.config.config.entrypoint = (!words.is_empty()).then_some(words);
        match self.command {
            CommandOrigin::Own => {}
            CommandOrigin::Inherited => self.config.config.cmd = None,
        }
        text
    }

    /// Expands pairs; all of them see the variables as they were before the instruction.
    fn expand_pairs(
        &self,
        shared: &Shared<'_>,
        pairs: &[Pair],
        instruction: &'static str,
    ) -> Result<Vec<(String, String)>, DockerfileError> {
        let expand = |pair: &Pair| {
            let key = self.expand(shared, &pair.key)?;
            if key.is_empty() {
                return Err(Problem::BlankName { instruction }.at(pair.key.span));
            }
            Ok((key, self.expand(shared, &pair.value)?))
        };
        pairs.iter().map(expand).collect()
    }

    fn env(&mut self, shared: &Shared<'_>, pairs: &[Pair]) -> Result<String, DockerfileError> {
        let pairs = self.expand_pairs(shared, pairs, "ENV")?;
        for (name, value) in &pairs {
            check_secret(shared, "ENV", name);
            self.variables.set(name, value);
            self.scope.set(name, value);
        }
        Ok(history::pairs("ENV", pairs.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())))))
    }

    fn label(&mut self, shared: &Shared<'_>, pairs: &[Pair]) -> Result<String, DockerfileError> {
        let pairs = self.expand_pairs(shared, pairs, "LABEL")?;
        let text =
            history::pairs("LABEL", pairs.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
        self.config.config.labels.extend(pairs);
        Ok(text)
    }

    /// Adds ports. The words are sorted as written before their variables are replaced, as in BuildKit.
    fn expose(&mut self, shared: &Shared<'_>, words: &[Word]) -> Result<String, DockerfileError> {
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_by(|left, right| left.text.cmp(&right.text));
        let mut exposed = Vec::new();
        for word in words {
            for text in expand_split(word, shared.escape, &self.scope, shared.budget)? {
                let ports = ports::parse(&text).map_err(|problem| problem.at(word.span))?;
                check_port(&text, shared.findings);
                shared.budget.spend(ports.len() * BYTES_PER_PORT, word.span)?;
                exposed.extend(ports);
            }
        }
        let text = history::listed("EXPOSE", &exposed);
        self.config.config.exposed_ports.extend(exposed.into_iter().map(|port| (port, Map::new())));
        Ok(text)
    }

    fn volume(&mut self, shared: &Shared<'_>, words: &[Word]) -> Result<String, DockerfileError> {
        let mut paths = Vec::with_capacity(words.len());
        for word in words {
            let path = self.expand(shared, &Word { text: word.text.trim().to_owned(), ..word.clone() })?;
            if path.is_empty() {
                return Err(Problem::BlankVolume.at(word.span));
            }
            paths.push(path);
        }
        let text = history::listed("VOLUME", &paths);
        self.config.config.volumes.extend(paths.into_iter().map(|path| (path, Map::new())));
        Ok(text)
    }

    fn stop_signal(&mut self, shared: &Shared<'_>, word: &Word) -> Result<String, DockerfileError> {
        let signal = self.expand(shared, word)?;
        if !is_signal(&signal) {
            return Err(Problem::Signal { text: signal }.at(word.span));
        }
        let text = format!("STOPSIGNAL {signal}");
        self.config.config.stop_signal = signal;
        Ok(text)
    }

    /// Sets the user of later steps and of the image.
    pub(super) fn user(&mut self, shared: &Shared<'_>, word: &Word) -> Result<String, DockerfileError> {
        self.config.config.user = self.expand(shared, word)?;
        Ok(format!("USER {}", self.config.config.user))
    }

    /// Sets the working directory. An absolute path is kept as written, a relative one is joined and cleaned.
    pub(super) fn workdir(
        &mut self,
        shared: &Shared<'_>,
        word: &Word,
    ) -> Result<(Operation, String), DockerfileError> {
        let path = self.expand(shared, word)?;
        self.check_directory(shared, &path);
        let place: TreePath = self.below_directory(&path).map_err(|problem| problem.at(word.span))?;
        let directory = match path.as_str() {
            "" => self.directory().to_owned(),
            absolute if absolute.starts_with('/') => path,
            relative => normal(&format!("{}/{relative}", self.directory())),
        };
        let created_by = format!("WORKDIR {directory}");
        self.config.config.working_dir = directory;
        let operation = match place.is_root() {
            true => Operation::Metadata,
            false => {
                let owner = UserSpec::new(&self.config.config.user);
                Operation::Workdir(WorkdirStep { path: place, owner })
            }
        };
        Ok((operation, created_by))
    }
}

/// Warns where a `USER` that was to lower privilege does not, because its variable is empty.
pub(super) fn user_warning(state: &StageState, word: &Word) -> Option<Warning> {
    state.config.config.user.is_empty().then(|| Warning {
        span: Some(word.span),
        message: format!("`USER {}` is empty once its variables are replaced, which means root", word.text),
        rule: None,
        hint: Some("declare the variable with `ARG` in this stage".to_owned()),
    })
}
