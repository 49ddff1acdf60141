//! Arguments that come from outside: `--build-arg`, automatic platform arguments, proxies.
//!
//! Owns which names are set without an `ARG`, what the `ARG`s before the first `FROM` give, and which given
//! arguments nothing takes.

use std::collections::BTreeSet;

use zoea_model::{SourceSpan, Warning};

use crate::ast::{ArgumentDeclaration, Dockerfile, HereDocument, Instruction, Word};
use crate::budget::Budget;
use crate::check::CHECK_ARGUMENT;
use crate::directives::Escape;
use crate::environment::Environment;
use crate::error::DockerfileError;
use crate::request::Request;
use crate::suggest::closest;
use crate::words::{self, Expansion, Names, WordError, expand, expand_words};

/// The proxy variables that reach every `RUN` without a declaration, in the order in which BuildKit sets them.
const PROXIES: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/// The argument that fixes the date of a build.
const SOURCE_DATE: &str = "SOURCE_DATE_EPOCH";

/// Says whether a variable tells programs how to reach the network.
///
/// Given as a build argument it is part of a step's environment but neither of its history nor of its identity.
pub fn is_proxy_variable(name: &str) -> bool {
    PROXIES.into_iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
}

/// Replaces the variables of a word and pays for the result; an error stands at its place.
pub(crate) fn expand_word(
    word: &Word,
    escape: Escape,
    environment: &Environment,
    budget: &Budget,
) -> Result<String, DockerfileError> {
    Ok(expand_with_names(word, escape, environment, budget)?.result)
}

/// Replaces the variables of a word, and tells which it looked for.
pub(crate) fn expand_with_names(
    word: &Word,
    escape: Escape,
    environment: &Environment,
    budget: &Budget,
) -> Result<Expansion<String>, DockerfileError> {
    let expansion = expand(&word.text, escape, environment).map_err(|error| at(word, error))?;
    budget.spend(expansion.result.len() + expansion.cost, word.span)?;
    Ok(expansion)
}

/// Replaces the variables of a word, splits it at its blanks and pays for the result.
pub(crate) fn expand_split(
    word: &Word,
    escape: Escape,
    environment: &Environment,
    budget: &Budget,
) -> Result<Vec<String>, DockerfileError> {
    let expansion = expand_words(&word.text, escape, environment).map_err(|error| at(word, error))?;
    budget.spend(expansion.result.iter().map(String::len).sum::<usize>() + expansion.cost, word.span)?;
    Ok(expansion.result)
}

/// Replaces the variables of a here-document and pays for the result; an error stands at its line.
pub(crate) fn expand_document(
    document: &HereDocument,
    environment: &Environment,
    budget: &Budget,
) -> Result<Expansion<String>, DockerfileError> {
    let expansion = words::expand_document(&document.content, environment).map_err(|error| {
        let lines = document.content.chars().take(error.offset).filter(|one| *one == '\n').count();
        let line = (document.span.line + lines).min(document.span.end_line.max(document.span.line));
        error.problem.at(SourceSpan { line, column: 1, end_line: line })
    })?;
    budget.spend(expansion.result.len() + expansion.cost, document.span)?;
    Ok(expansion)
}

fn at(word: &Word, WordError { offset, problem }: WordError) -> DockerfileError {
    problem.at(word.place(offset))
}

/// Returns the variables that a `FROM` sees.
pub(crate) fn globals(
    dockerfile: &Dockerfile,
    request: &Request,
    budget: &Budget,
) -> Result<Environment, DockerfileError> {
    visit_globals(dockerfile, request, budget, |_, _, _| ())
}

/// Returns the variables that a `FROM` sees; tells `each` of every declaration, with its value and the names that its
/// default looks up.
pub(crate) fn visit_globals(
    dockerfile: &Dockerfile,
    request: &Request,
    budget: &Budget,
    each: impl FnMut(&ArgumentDeclaration, Option<&str>, Names),
) -> Result<Environment, DockerfileError> {
    let given = |name: &str| request.build_args.get(name);
    declared_before_stages(dockerfile, automatic(dockerfile, request), given, (budget, each))
}

/// Returns the variables that a `FROM` sees when nothing is given for what the file declares.
pub(crate) fn default_globals(
    dockerfile: &Dockerfile,
    request: &Request,
    budget: &Budget,
) -> Result<Environment, DockerfileError> {
    declared_before_stages(dockerfile, automatic(dockerfile, request), |_| None, (budget, |_, _, _| ()))
}

/// Adds what the `ARG`s before the first `FROM` give.
fn declared_before_stages<'a>(
    dockerfile: &Dockerfile,
    mut globals: Environment,
    given: impl Fn(&str) -> Option<&'a String>,
    (budget, mut each): (&Budget, impl FnMut(&ArgumentDeclaration, Option<&str>, Names)),
) -> Result<Environment, DockerfileError> {
    for declaration in declarations(dockerfile) {
        let ArgumentDeclaration { name, default } = declaration;
        let mut names = Names::default();
        let value = match (given(&name.text), default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => {
                let expansion = expand_with_names(default, dockerfile.directives.escape, &globals, budget)?;
                names = expansion.names;
                Some(expansion.result)
            }
            (None, None) => None,
        };
        if let Some(value) = &value {
            globals.set(&name.text, value);
        }
        each(declaration, value.as_deref(), names);
    }
    Ok(globals)
}

/// Returns what is declared before the first `FROM`.
pub(crate) fn declarations(dockerfile: &Dockerfile) -> impl Iterator<Item = &ArgumentDeclaration> {
    dockerfile.global_arguments.iter().flat_map(|arguments| &arguments.declarations)
}

/// Returns the arguments that describe platforms and target; a build argument of the same name replaces each.
fn automatic(dockerfile: &Dockerfile, request: &Request) -> Environment {
    let last = || dockerfile.stages.last().and_then(|stage| stage.from.name.as_ref());
    let target = request.target.clone().or_else(|| last().map(|name| name.text.clone()));
    let mut environment = Environment::default();
    for (prefix, platform) in [("BUILD", &request.build_platform), ("TARGET", &request.platform)] {
        environment.set(&format!("{prefix}PLATFORM"), &platform.to_string());
        environment.set(&format!("{prefix}OS"), &platform.os);
        environment.set(&format!("{prefix}OSVERSION"), "");
        environment.set(&format!("{prefix}ARCH"), &platform.architecture);
        environment.set(&format!("{prefix}VARIANT"), platform.variant.as_deref().unwrap_or_default());
    }
    environment.set("TARGETSTAGE", target.as_deref().unwrap_or("default"));
    let overridden: Vec<String> = environment.names().map(str::to_owned).collect();
    for name in overridden {
        if let Some(value) = request.build_args.get(&name) {
            environment.set(&name, value);
        }
    }
    environment
}

/// Returns the proxy variables that every `RUN` gets, in capitals and small letters.
pub(crate) fn proxies(request: &Request) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for proxy in PROXIES {
        // The small spelling comes later in the order of names and wins, as in BuildKit.
        let given = request.build_args.iter().rfind(|(name, _)| name.eq_ignore_ascii_case(proxy));
        if let Some((_, value)) = given.filter(|(_, value)| !value.is_empty()) {
            variables.push((proxy.to_owned(), value.clone()));
            variables.push((proxy.to_lowercase(), value.clone()));
        }
    }
    variables
}

/// Build arguments that have an effect without being declared.
const HEEDED: [&str; 4] = [SOURCE_DATE, CHECK_ARGUMENT, "BUILDKIT_CACHE_MOUNT_NS", "BUILDKIT_MULTI_PLATFORM"];

/// Warns of build arguments that have no effect.
pub(crate) fn unused<'a>(
    dockerfile: &'a Dockerfile,
    request: &Request,
    globals: &'a Environment,
    triggers: impl Iterator<Item = &'a Instruction>,
) -> Vec<Warning> {
    let in_stages = dockerfile.stages.iter().flat_map(|stage| &stage.instructions).chain(triggers);
    let mut names: BTreeSet<&str> = in_stages.flat_map(declared).collect();
    names.extend(declarations(dockerfile).map(|declaration| declaration.name.text.as_str()));
    let candidates: Vec<&str> = names.iter().copied().collect();
    names.extend(globals.names());
    request
        .build_args
        .keys()
        .filter(|name| {
            !names.contains(name.as_str()) && !is_proxy_variable(name) && !HEEDED.contains(&name.as_str())
        })
        .map(|name| match name.starts_with("BUILDKIT_") {
            true => Warning {
                span: None,
                message: format!("The build argument `{name}` steers BuildKit and has no effect here"),
                hint: None,
                rule: None,
            },
            false => Warning {
                span: None,
                message: format!("The build argument `{name}` is not used: no `ARG` declares it"),
                hint: closest(name, candidates.iter().copied()).map(|name| format!("did you mean `{name}`?")),
                rule: None,
            },
        })
        .collect()
}

fn declared(instruction: &Instruction) -> impl Iterator<Item = &str> {
    instruction.command.declarations().iter().map(|declaration| declaration.name.text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::parse;

    fn request(build_args: &[(&str, &str)]) -> Request {
        Request {
            target: None,
            build_args: build_args
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            platform: "linux/arm/v7".parse().unwrap(),
            build_platform: "linux/amd64".parse().unwrap(),
            labels: BTreeMap::new(),
            named_contexts: BTreeMap::new(),
        }
    }

    #[test]
    fn globals_see_those_before_them() {
        let file = parse(b"ARG a=1\nARG b=$a$TARGETARCH c\nARG d=$c.$b e=$d\nFROM x AS last").unwrap();
        let globals =
            globals(&file, &request(&[("c", "given"), ("BUILDARCH", "odd")]), &Budget::default()).unwrap();
        for (name, expected) in [
            ("b", Some("1arm")),
            ("c", Some("given")),
            ("d", Some("given.1arm")),
            ("e", Some("given.1arm")),
            ("TARGETPLATFORM", Some("linux/arm/v7")),
            ("TARGETVARIANT", Some("v7")),
            ("BUILDARCH", Some("odd")),
            ("BUILDVARIANT", Some("")),
            ("TARGETSTAGE", Some("last")),
            ("x", None),
        ] {
            assert_eq!(globals.get(name), expected, "{name}");
        }
    }

    #[test]
    fn proxies_come_in_both_spellings() {
        let variables = proxies(&request(&[("HTTP_PROXY", "a"), ("http_proxy", "b"), ("no_proxy", "")]));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variables, [pair("HTTP_PROXY", "b"), pair("http_proxy", "b")]);
    }

    #[test]
    fn unused_arguments_are_said() {
        let file = parse(b"ARG a\nFROM x\nARG version").unwrap();
        let request =
            request(&[("a", ""), ("verson", ""), ("HTTPS_PROXY", ""), ("TARGETOS", ""), ("BUILDKIT_X", "")]);
        let globals = globals(&file, &request, &Budget::default()).unwrap();
        let warnings = unused(&file, &request, &globals, std::iter::empty());
        let texts: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            texts,
            [
                "The build argument `BUILDKIT_X` steers BuildKit and has no effect here",
                "The build argument `verson` is not used: no `ARG` declares it"
            ]
        );
        assert_eq!(warnings.last().unwrap().hint.as_deref(), Some("did you mean `version`?"));
    }
}
