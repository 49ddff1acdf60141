//! Lines to a [`Dockerfile`]: global arguments, then stages.

use crate::ast::{Command, Dockerfile, StageBlock, Word};
use crate::diagnose::Diagnostic;
use crate::directives::{CheckSeverity, Directives};
use crate::error::{DockerfileError, Problem};
use crate::instruction::{self, Parsed};
use crate::source;

/// Reads a Dockerfile.
///
/// # Errors
/// Fails at the first line that is no instruction of the language, with its place.
pub fn parse(text: &[u8]) -> Result<Dockerfile, DockerfileError> {
    let source = source::read(text)?;
    let escape = source.directives.escape;
    let mut global_arguments = Vec::new();
    let mut stages: Vec<StageBlock> = Vec::new();
    for line in &source.lines {
        match (instruction::parse(line.part(), escape)?, stages.last_mut()) {
            (Parsed::From(from), _) => stages.push(StageBlock { from, instructions: Vec::new() }),
            (Parsed::Instruction(instruction), Some(stage)) => stage.instructions.push(instruction),
            (Parsed::Instruction(instruction), None) => match instruction.command {
                Command::Arg(declarations) => global_arguments.extend(declarations),
                Command::Copy(_)
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
                | Command::Workdir(_) => {
                    let name = instruction.text.split(' ').next().unwrap_or_default();
                    return Err(Problem::BeforeFrom { instruction: name.to_owned() }.at(instruction.span));
                }
            },
        }
    }
    if source.lines.is_empty() {
        return Err(Problem::NoInstruction.nowhere());
    }
    if stages.is_empty() {
        return Err(Problem::NoStage.nowhere());
    }
    let warnings = directive_warnings(&source.directives);
    Ok(Dockerfile { directives: source.directives, global_arguments, stages, warnings })
}

/// Says which directives have less effect than their author may expect.
fn directive_warnings(directives: &Directives) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    if let Some(Word { text, span, .. }) =
        directives.syntax.as_ref().filter(|word| !is_own_syntax(&word.text))
    {
        warnings.push(Diagnostic {
            span: Some(*span),
            message: format!("The frontend `{text}` is not run: the file is read as a Dockerfile"),
            hint: Some("`# syntax=docker/dockerfile:1` names the language that is built".to_owned()),
        });
    }
    if let Some(check) = directives.check.as_ref().filter(|check| check.severity == CheckSeverity::Error) {
        warnings.push(Diagnostic {
            span: Some(check.span),
            message: "Build checks are not built by this version, so none of them fails the build".to_owned(),
            hint: None,
        });
    }
    warnings
}

/// Says whether a frontend image means the language that is read here.
fn is_own_syntax(image: &str) -> bool {
    let image = image.split_whitespace().next().unwrap_or_default();
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let name = image.split([':', '@']).next().unwrap_or_default();
    matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream" | "dockerfile.v0")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_stand_before_stages() {
        let file = parse(b"ARG a b=c\nFROM x AS Y\nRUN z\nFROM y").unwrap();
        assert_eq!(file.global_arguments.len(), 2);
        assert_eq!(file.stages.len(), 2);
        let first = file.stages.first().unwrap();
        assert_eq!(first.from.name.as_ref().unwrap().text, "y");
        assert_eq!(first.instructions.first().unwrap().text, "RUN z");
    }

    #[test]
    fn files_without_a_stage_are_refused() {
        assert_eq!(parse(b"").unwrap_err().problem(), &Problem::NoInstruction);
        assert_eq!(parse(b"# only\n\n").unwrap_err().problem(), &Problem::NoInstruction);
        assert_eq!(parse(b"ARG a").unwrap_err().problem(), &Problem::NoStage);
        let error = parse(b"\nRUN a").unwrap_err();
        assert_eq!(error.message(), "`RUN` stands before the first `FROM`");
        assert_eq!(error.span().unwrap().line, 2);
    }

    #[test]
    fn other_frontends_are_said_not_to_run() {
        let warnings =
            |syntax: &str| parse(format!("# syntax={syntax}\nFROM a").as_bytes()).unwrap().warnings.len();
        assert_eq!(warnings("docker/dockerfile:1.7-labs"), 0);
        assert_eq!(warnings("docker.io/docker/dockerfile@sha256:00"), 0);
        assert_eq!(warnings("example.com/other:1"), 1);
    }

    proptest! {
        #[test]
        fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(error) = parse(&bytes) {
                prop_assert!(!error.render("Dockerfile", &bytes).is_empty());
            }
        }

        #[test]
        fn never_panics_on_lines(
            keyword in "(FROM|RUN|COPY|ADD|ENV|ARG|HEALTHCHECK|EXPOSE|ONBUILD|SHELL|LABEL|VOLUME)",
            rest in "[-a-z0-9=\"'\\\\ $\\[\\],<#\n]{0,60}",
        ) {
            let text = format!("FROM x\n{keyword} {rest}");
            if let Err(error) = parse(text.as_bytes()) {
                prop_assert!(error.span().is_some());
            }
        }
    }
}
