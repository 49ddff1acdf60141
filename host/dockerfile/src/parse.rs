//! Lines to a [`Dockerfile`]: global arguments, then stages.

use crate::ast::{Command, Dockerfile, GlobalArguments, StageBlock};
use crate::error::{DockerfileErrors, Problem};
use crate::instruction::{self, Parsed};
use crate::source;

/// Reads a Dockerfile.
///
/// # Errors
/// Fails at the first line that is no instruction of the language, with its place.
pub fn parse(text: &[u8]) -> Result<Dockerfile, DockerfileErrors> {
    let source = source::read(text)?;
    let escape = source.directives.escape;
    let mut global_arguments = Vec::new();
    let mut stages: Vec<StageBlock> = Vec::new();
    for line in &source.lines {
        match (instruction::parse(line.part(), escape)?, stages.last_mut()) {
            (Parsed::From(from), _) => stages.push(StageBlock { from, instructions: Vec::new() }),
            (Parsed::Instruction(instruction), Some(stage)) => stage.instructions.push(instruction),
            (Parsed::Instruction(instruction), None) => match instruction.command {
                Command::Arg(declarations) => {
                    global_arguments.push(GlobalArguments { heading: instruction.heading, declarations });
                }
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
                    return Err(Problem::BeforeFrom { instruction: name.to_owned() }
                        .at(instruction.heading.span)
                        .into());
                }
            },
        }
    }
    if source.lines.is_empty() {
        return Err(Problem::NoInstruction.nowhere().into());
    }
    if stages.is_empty() {
        return Err(Problem::NoStage.nowhere().into());
    }
    Ok(Dockerfile {
        directives: source.directives,
        global_arguments,
        stages,
        empty_continuations: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_stand_before_stages() {
        let file = parse(b"ARG a b=c\nFROM x AS Y\nRUN z\nFROM y").unwrap();
        assert_eq!(file.global_arguments.len(), 1);
        assert_eq!(file.stages.len(), 2);
        let first = file.stages.first().unwrap();
        assert_eq!(first.from.name.as_ref().unwrap().text, "y");
        assert_eq!(first.instructions.first().unwrap().text, "RUN z");
    }

    #[test]
    fn files_without_a_stage_are_refused() {
        assert_eq!(parse(b"").unwrap_err().first().problem(), &Problem::NoInstruction);
        assert_eq!(parse(b"# only\n\n").unwrap_err().first().problem(), &Problem::NoInstruction);
        assert_eq!(parse(b"ARG a").unwrap_err().first().problem(), &Problem::NoStage);
        let error = parse(b"\nRUN a").unwrap_err();
        assert_eq!(error.first().message(), "`RUN` stands before the first `FROM`");
        assert_eq!(error.first().span().unwrap().line, 2);
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
                prop_assert!(error.first().span().is_some());
            }
        }
    }
}
