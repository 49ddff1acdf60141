//! The words of `FROM`: arguments that nobody declares, and platforms that are fixed.

use std::collections::BTreeSet;

use zoea_model::{ImageRef, Platform};

use crate::ast::{Dockerfile, StageBlock, Word};
use crate::budget::Budget;
use crate::build_arguments::{declarations, default_globals, expand_with_names};
use crate::environment::Environment;
use crate::request::Request;
use crate::suggest::closest;
use crate::words::{Expansion, Names};

use super::{Finding, Findings};

/// The argument whose value is the platform that is built for.
const TARGET_PLATFORM: &str = "TARGETPLATFORM";

/// Checks the words of every `FROM`, reached or not, which see `arguments`.
///
/// Ends at the first that cannot be expanded: the lowering says why.
pub(crate) fn check_bases(
    dockerfile: &Dockerfile,
    request: &Request,
    arguments: &Environment,
    findings: &Findings,
) {
    // The lowering pays for these words again, so that this budget does not run out before that one.
    let budget = Budget::default();
    let known = known_names(dockerfile, arguments);
    let defaults = Defaults::new(dockerfile, request, &budget);
    let bases = Bases { dockerfile, arguments, defaults, known, findings, budget: &budget };
    for stage in &dockerfile.stages {
        findings.enter(&stage.from.heading);
        if bases.image(stage).and_then(|()| bases.platform(stage)).is_none() {
            return;
        }
    }
}

/// What the arguments are when none is given.
enum Defaults {
    /// What they are anyway.
    AsGiven,
    /// Something else.
    Others(Environment),
    /// They cannot be told.
    Unknown,
}

impl Defaults {
    fn new(dockerfile: &Dockerfile, request: &Request, budget: &Budget) -> Self {
        let given = |name: &str| request.build_args.contains_key(name);
        if !declarations(dockerfile).any(|declaration| given(&declaration.name.text)) {
            return Self::AsGiven;
        }
        default_globals(dockerfile, request, budget).map_or(Self::Unknown, Self::Others)
    }
}

struct Bases<'a> {
    dockerfile: &'a Dockerfile,
    arguments: &'a Environment,
    defaults: Defaults,
    /// The names that are declared, with a value or without.
    known: BTreeSet<&'a str>,
    findings: &'a Findings,
    budget: &'a Budget,
}

fn known_names<'a>(dockerfile: &'a Dockerfile, arguments: &'a Environment) -> BTreeSet<&'a str> {
    declarations(dockerfile)
        .map(|declaration| declaration.name.text.as_str())
        .chain(arguments.names())
        .collect()
}

impl Bases<'_> {
    fn image(&self, stage: &StageBlock) -> Option<()> {
        let word = &stage.from.image;
        let Expansion { result, names, .. } = self.expand(word, self.arguments)?;
        self.undeclared(&names);
        let default = match &self.defaults {
            Defaults::AsGiven => result,
            Defaults::Others(defaults) => self.expand(word, defaults)?.result,
            Defaults::Unknown => return Some(()),
        };
        if default.parse::<ImageRef>().is_err() {
            let finding = Finding::DefaultBase { image: word.text.clone() };
            self.findings.report_of_file(stage.from.heading.span, &finding);
        }
        Some(())
    }

    fn platform(&self, stage: &StageBlock) -> Option<()> {
        let Some(word) = &stage.from.platform else { return Some(()) };
        let Expansion { result, names, .. } = self.expand(word, self.arguments)?;
        self.undeclared(&names);
        let only_target = names.set.iter().eq([TARGET_PLATFORM]) && names.unset.is_empty();
        if only_target && self.arguments.get(TARGET_PLATFORM) == Some(&result) {
            self.findings.report(&Finding::TargetPlatform { word: word.text.clone() });
        }
        let is_constant = names.set.is_empty() && names.unset.is_empty();
        if let (true, Ok(platform)) = (is_constant, result.parse::<Platform>()) {
            let name = stage.from.name.as_ref().map_or("", |name| name.text.as_str());
            if !name.contains(&platform.os) && !name.contains(&platform.architecture) {
                self.findings.report(&Finding::ConstantPlatform { platform: result });
            }
        }
        Some(())
    }

    /// Complains of names that neither an `ARG` nor BuildKit declares.
    fn undeclared(&self, names: &Names) {
        for name in names.unset.iter().filter(|name| !self.known.contains(name.as_str())) {
            if self.findings.is_full() {
                return;
            }
            let closest = closest(name, self.known.iter().copied());
            self.findings.report(&Finding::UndefinedArgument { name: name.clone(), closest });
        }
    }

    fn expand(&self, word: &Word, environment: &Environment) -> Option<Expansion<String>> {
        expand_with_names(word, self.dockerfile.directives.escape, environment, self.budget).ok()
    }
}
