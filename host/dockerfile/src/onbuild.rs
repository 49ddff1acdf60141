//! `ONBUILD` triggers that a stage takes over from its base.
//!
//! Owns reading a trigger's text; its instructions stand where the `FROM` stands, because the text may come from
//! an image.

use zoea_model::SourceSpan;

use crate::ast::{Command, Instruction, StageBlock};
use crate::directives::Escape;
use crate::error::{DockerfileError, Problem};
use crate::instruction::{self, Parsed};
use crate::source;

/// Reads the triggers in `texts`, which the `FROM` at `span` takes over.
pub(crate) fn read<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    span: SourceSpan,
) -> Result<Vec<Instruction>, DockerfileError> {
    texts.into_iter().map(|text| read_one(text, span).map_err(|error| error.in_trigger(text, span))).collect()
}

fn read_one(text: &str, span: SourceSpan) -> Result<Instruction, DockerfileError> {
    let mut lines = source::read(text.as_bytes())?.lines.into_iter();
    let Some(line) = lines.next() else { return Err(Problem::NoInstruction.at(span)) };
    // A trigger is kept without its file's directives, so its escape character is the default one.
    match instruction::parse(line.placed(span).part(), Escape::Backslash)? {
        Parsed::From(_) => Err(Problem::NoTrigger { instruction: "FROM" }.at(span)),
        Parsed::Instruction(Instruction { command: Command::OnBuild(_), .. }) => {
            Err(Problem::NoTrigger { instruction: "ONBUILD" }.at(span))
        }
        Parsed::Instruction(_) if lines.next().is_some() => {
            Err(Problem::Arguments { instruction: "ONBUILD", needed: "one instruction" }.at(span))
        }
        Parsed::Instruction(instruction) => {
            Ok(Instruction { text: format!("ONBUILD {}", instruction.text), ..instruction })
        }
    }
}

/// Returns the triggers that the stage `block` sets.
pub(crate) fn set_by(block: &StageBlock) -> impl Iterator<Item = &str> {
    block.instructions.iter().filter_map(|instruction| match &instruction.command {
        Command::OnBuild(trigger) => Some(trigger.text.as_str()),
        Command::Arg(_)
        | Command::Copy(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::Run(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_stand_where_they_are_taken_over() {
        let span = SourceSpan { line: 7, column: 1, end_line: 7 };
        let triggers = read(["run make", "COPY . \\\n /src"], span).unwrap();
        let texts: Vec<&str> = triggers.iter().map(|trigger| trigger.text.as_str()).collect();
        assert_eq!(texts, ["ONBUILD RUN make", "ONBUILD COPY .  /src"]);
        assert!(triggers.iter().all(|trigger| trigger.heading.span == span));
        for text in ["", "FROM x", "ONBUILD RUN x", "RUN a\nRUN b", "RUNN a", "RUN cat <<E\nRUN x\nE"] {
            let error = read([text], span).unwrap_err();
            assert_eq!(error.span(), Some(span), "{text}");
            assert!(matches!(error.problem(), Problem::InTrigger { .. }), "{text}");
        }
    }
}
