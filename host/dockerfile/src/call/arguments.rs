//! The arguments that a target or what it needs declares.

use std::collections::{BTreeMap, BTreeSet};

use zoea_model::{SourceSpan, Stage, StageId};

use crate::ast::{ArgumentDeclaration, Dockerfile, Heading, Instruction};
use crate::budget::Budget;
use crate::build_arguments::{expand_with_names, visit_globals};
use crate::error::DockerfileError;
use crate::lower::{Finished, StageFacts};
use crate::request::Request;

use super::description::description;

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedArgument {
    /// Its name.
    pub name: String,
    /// What a comment says of it.
    pub description: String,
    /// Its value in this build: the given one, or its default; empty if it has neither.
    pub value: String,
    /// Where it is declared.
    pub span: SourceSpan,
}

/// One declaration.
#[derive(Debug, Clone)]
struct Declared {
    argument: DescribedArgument,
    /// The arguments that its default is made of.
    parts: BTreeSet<String>,
}

/// Collects the arguments of stages.
pub(super) struct Arguments<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) request: &'a Request,
    pub(super) finished: &'a Finished,
}

impl Arguments<'_> {
    /// Returns the arguments of `stages`, in the order of the file; of one name, that of the first stage that has it.
    pub(super) fn collect(
        &self,
        stages: &[(StageId, &Stage)],
    ) -> Result<Vec<DescribedArgument>, DockerfileError> {
        let globals = self.globals()?;
        let indexes: BTreeMap<usize, (usize, &StageFacts)> =
            self.finished.stages.iter().map(|(index, facts)| (facts.id.0, (*index, facts))).collect();
        let mut found: BTreeMap<String, DescribedArgument> = BTreeMap::new();
        for (index, facts) in stages.iter().filter_map(|(id, _)| indexes.get(&id.0)) {
            let mut own = BTreeMap::new();
            let mut used = self.used_by_from(*index)?;
            for (name, argument) in self.declared_in(*index, facts) {
                used.insert(name.clone());
                own.extend(argument.map(|argument| (name, Declared { argument, parts: BTreeSet::new() })));
            }
            let declared = |name: &str| own.get(name).or_else(|| globals.get(name));
            for name in with_parts(used, declared) {
                if let Some(Declared { argument, .. }) = declared(&name) {
                    found.entry(name).or_insert_with(|| argument.clone());
                }
            }
        }
        let mut arguments: Vec<DescribedArgument> = found.into_values().collect();
        arguments.sort_by_key(|argument| argument.span);
        Ok(arguments)
    }

    /// Returns what is declared before the first `FROM`, the last declaration of each name.
    fn globals(&self) -> Result<BTreeMap<String, Declared>, DockerfileError> {
        let mut headings = self
            .dockerfile
            .global_arguments
            .iter()
            .flat_map(|arguments| arguments.declarations.iter().map(|_| &arguments.heading));
        let mut globals: BTreeMap<String, Declared> = BTreeMap::new();
        visit_globals(self.dockerfile, self.request, &Budget::default(), |declaration, value, names| {
            let name = &declaration.name.text;
            let Some(heading) = headings.next() else { return };
            let mut parts = names.set;
            if parts.remove(name) {
                parts.extend(globals.get(name).into_iter().flat_map(|old| old.parts.clone()));
            }
            let argument = described(heading, name, value);
            globals.insert(name.clone(), Declared { argument, parts });
        })?;
        Ok(globals)
    }

    /// Returns the names that a `FROM` looks up.
    fn used_by_from(&self, index: usize) -> Result<BTreeSet<String>, DockerfileError> {
        let from = self.dockerfile.stages.get(index).map(|stage| &stage.from);
        let words = from.into_iter().flat_map(|from| std::iter::once(&from.image).chain(&from.platform));
        let mut used = BTreeSet::new();
        for word in words {
            let escape = self.dockerfile.directives.escape;
            let globals = &self.finished.globals;
            used.extend(expand_with_names(word, escape, globals, &Budget::default())?.names.set);
        }
        Ok(used)
    }

    /// Returns the names that a stage declares; nothing more of those that take their value from before the first
    /// `FROM`.
    fn declared_in(&self, index: usize, facts: &StageFacts) -> Vec<(String, Option<DescribedArgument>)> {
        let block = self.dockerfile.stages.get(index).into_iter();
        let instructions = facts.triggers.iter().chain(block.flat_map(|block| &block.instructions));
        let mut own = Vec::new();
        for ((heading, declaration), (name, value)) in
            instructions.flat_map(declarations).zip(&facts.arguments)
        {
            let inherits = declaration.default.is_none()
                && !self.request.build_args.contains_key(name)
                && self.finished.globals.get(name).is_some();
            own.push((name.clone(), (!inherits).then(|| described(heading, name, value.as_deref()))));
        }
        own
    }
}

fn described(heading: &Heading, name: &str, value: Option<&str>) -> DescribedArgument {
    DescribedArgument {
        name: name.to_owned(),
        description: description(heading, name),
        value: value.unwrap_or_default().to_owned(),
        span: heading.span,
    }
}

fn declarations(instruction: &Instruction) -> impl Iterator<Item = (&Heading, &ArgumentDeclaration)> {
    instruction.command.declarations().iter().map(|declaration| (&instruction.heading, declaration))
}

/// Adds the arguments that the defaults of others are made of.
fn with_parts<'a>(
    used: BTreeSet<String>,
    declared: impl Fn(&str) -> Option<&'a Declared>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Vec<String> = used.into_iter().collect();
    while let Some(name) = open.pop() {
        if all.contains(&name) {
            continue;
        }
        open.extend(declared(&name).into_iter().flat_map(|declared| declared.parts.clone()));
        all.insert(name);
    }
    all
}
