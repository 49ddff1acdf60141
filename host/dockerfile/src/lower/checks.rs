//! Build checks that need what an instruction means: variables, directories, sources.
//!
//! Owns what a stage remembers for them. They never change what is built.

use zoea_model::{ImageConfig, Platform, SourceSpan};

use crate::ast::{Command, CopyKind, Instruction, Invocation, Pair, Separator};
use crate::check::{Finding, names_secret};
use crate::request::ImageRequest;
use crate::suggest::closest;
use crate::words::Names;

use super::Shared;
use super::copy::below_root;
use super::metadata::FOR_THE_BUILDER;
use super::stage::{StageState, Variables};

/// What a stage remembers of its instructions.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Where the last instruction of those stands of which one counts.
    command: Option<SourceSpan>,
    entrypoint: Option<SourceSpan>,
    healthcheck: Option<SourceSpan>,
    directory: Directory,
}

/// Who set the working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Directory {
    /// The base image, or nobody.
    #[default]
    Image,
    /// A `WORKDIR` of the file.
    File,
}

impl Seen {
    /// Returns what a stage knows that starts from this one.
    pub(super) fn inherited(&self) -> Self {
        Self { directory: self.directory, ..Self::default() }
    }
}

impl StageState {
    /// Checks how an instruction is written.
    pub(super) fn check_form(&mut self, shared: &Shared<'_>, instruction: &Instruction) {
        let heading = &instruction.heading;
        let name = || heading.name.text.clone();
        let has_shell = self.config.config.shell.as_ref().is_some_and(|shell| !shell.is_empty());
        let (earlier, command) = match &instruction.command {
            Command::Cmd(command) => (&mut self.seen.command, Some(command)),
            Command::Entrypoint(command) => (&mut self.seen.entrypoint, Some(command)),
            Command::Healthcheck(_) => (&mut self.seen.healthcheck, None),
            Command::Env(pairs) | Command::Label(pairs) => {
                if pairs.iter().any(is_legacy) {
                    shared.findings.report(&Finding::LegacyPair { instruction: name() });
                }
                return;
            }
            Command::Arg(_)
            | Command::Copy(_)
            | Command::Expose(_)
            | Command::Maintainer(_)
            | Command::OnBuild(_)
            | Command::Run(_)
            | Command::Shell(_)
            | Command::StopSignal(_)
            | Command::User(_)
            | Command::Volume(_)
            | Command::Workdir(_) => return,
        };
        if let Some(earlier) = earlier.replace(heading.span) {
            shared.findings.report_at(earlier, &Finding::Repeated { instruction: name() });
        }
        let knows_shell = self.certainty == Variables::Known;
        if matches!(command, Some(Invocation::Shell(_))) && !has_shell && knows_shell {
            shared.findings.report(&Finding::ShellForm { instruction: name() });
        }
    }

    /// Complains of variables that a word looks for in vain.
    pub(super) fn check_names(&self, shared: &Shared<'_>, names: &Names) {
        // What an unknown base sets, or a wrong instruction was to set, cannot be missed.
        if self.certainty == Variables::Uncertain {
            return;
        }
        for name in &names.unset {
            if shared.findings.is_full() {
                return;
            }
            if self.declared.get(name).is_some() || FOR_THE_BUILDER.contains(&name.as_str()) {
                continue;
            }
            let closest = closest(name, self.scope.names());
            shared.findings.report(&Finding::UndefinedVariable { name: name.clone(), closest });
        }
    }

    /// Complains of the first `WORKDIR` of a stage and those before it, if it is relative.
    pub(super) fn check_directory(&mut self, shared: &Shared<'_>, path: &str) {
        if self.seen.directory == Directory::Image && !path.starts_with('/') {
            shared.findings.report(&Finding::RelativeDirectory { path: path.to_owned() });
        }
        self.seen.directory = Directory::File;
    }
}

fn is_legacy(pair: &Pair) -> bool {
    match pair.separator {
        Separator::Blank => true,
        Separator::Equals => false,
    }
}

/// Complains of names that promise a secret.
pub(super) fn check_secret(shared: &Shared<'_>, instruction: &'static str, name: &str) {
    if names_secret(name) {
        shared.findings.report(&Finding::Secret { instruction, name: name.to_owned() });
    }
}

/// Complains of sources in the build context that are left out of it.
pub(super) fn check_source(shared: &Shared<'_>, kind: CopyKind, source: &str) {
    // As in BuildKit, nothing is said of `/file`, though it is the same as `file`.
    if source.starts_with('/') && below_root(source) != "." {
        return;
    }
    let path = below_root(source);
    if shared.known.ignored.contains(&path) {
        shared.findings.report(&Finding::IgnoredFile { instruction: kind.name(), source: path });
    }
}

/// Complains of a base image that is for another platform than it was asked for.
pub(super) fn check_base_platform(shared: &Shared<'_>, request: &ImageRequest, config: &ImageConfig) {
    let wanted = &request.platform;
    if wanted.os == config.os && wanted.architecture == config.architecture {
        return;
    }
    let actual = Platform {
        os: config.os.clone(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
    };
    let (image, wanted, actual) = (request.name.clone(), wanted.to_string(), actual.to_string());
    shared.findings.report_of_file(shared.findings.place(), &Finding::BasePlatform { image, wanted, actual });
}
