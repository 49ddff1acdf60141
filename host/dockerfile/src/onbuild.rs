//! `ONBUILD` triggers that a stage takes over from its base.
//!
//! Owns reading a trigger's text; its instructions stand where the `FROM` stands, because the text may come from
//! an image.

use zoea_model::SourceSpan;

use crate::ast::{Command, Instruction, StageBlock};
use crate::error::{DockerfileError, Problem};
use crate::instruction::{self, Parsed};
use crate::parse::with_documents;
use crate::source::Source;

/// Reads the triggers in `texts`, which the `FROM` at `span` takes over.
pub(crate) fn read<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    span: SourceSpan,
) -> Result<Vec<Instruction>, DockerfileError> {
    texts.into_iter().map(|text| read_one(text, span).map_err(|error| error.in_trigger(text, span))).collect()
}

fn read_one(text: &str, span: SourceSpan) -> Result<Instruction, DockerfileError> {
    let mut source = Source::new(text.as_bytes())?;
    let Some(logical) = source.next_line() else { return Err(Problem::NoInstruction.at(span)) };
    let line = logical.line.placed(span);
    let mut attached = with_documents(&mut source, &line, Vec::new())?;
    attached.end_line = None;
    for document in &mut attached.documents {
        document.span = span;
    }
    let escape = source.escape();
    let another = source.next_line().is_some();
    source.finish().errors.finish().map_err(|errors| errors.first().clone())?;
    match instruction::parse(line.part(), escape, attached)? {
        Parsed::From(_) => Err(Problem::NoTrigger { instruction: "FROM" }.at(span)),
        Parsed::Instruction(Instruction { command: Command::OnBuild(_), .. }) => {
            Err(Problem::NoTrigger { instruction: "ONBUILD" }.at(span))
        }
        Parsed::Instruction(_) if another => {
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
        let texts = ["run make", "COPY . \\\n /src", "RUN cat <<-E <<F\n\ta\\\n\tE\n# b\nF"];
        let triggers = read(texts, span).unwrap();
        let texts: Vec<&str> = triggers.iter().map(|trigger| trigger.text.as_str()).collect();
        assert_eq!(texts, ["ONBUILD RUN make", "ONBUILD COPY .  /src", "ONBUILD RUN cat <<-E <<F"]);
        let Command::Run(run) = &triggers[2].command else { panic!("no RUN") };
        let documents: Vec<(&str, SourceSpan)> =
            run.documents.iter().map(|document| (document.content.as_str(), document.span)).collect();
        assert_eq!(documents, [("a\\\n", span), ("# b\n", span)]);
        assert!(triggers.iter().all(|trigger| trigger.heading.span == span));
        for text in ["", "FROM x", "ONBUILD RUN x", "RUN a\nRUN b", "RUNN a", "RUN cat <<E\nRUN x\n E"] {
            let error = read([text], span).unwrap_err();
            assert_eq!(error.span(), Some(span), "{text}");
            assert!(matches!(error.problem(), Problem::InTrigger { .. }), "{text}");
        }
    }
}
