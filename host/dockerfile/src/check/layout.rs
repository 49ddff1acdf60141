//! Blank lines within continued instructions.

use zoea_model::SourceSpan;

use crate::ast::{Command, Dockerfile, HereDocument, Instruction};

use super::{Finding, Findings};

/// Complains once of every instruction that has blank lines in it, at its last line, as BuildKit does.
pub(super) fn check_continuations(dockerfile: &Dockerfile, findings: &Findings) {
    let globals = dockerfile.global_arguments.iter().map(|arguments| arguments.heading.span);
    let stages = dockerfile.stages.iter().flat_map(|stage| {
        std::iter::once(stage.from.heading.span).chain(stage.instructions.iter().map(without_documents))
    });
    let mut blanks = dockerfile.empty_continuations.iter().peekable();
    for span in globals.chain(stages) {
        let mut has_blank = false;
        while let Some(blank) = blanks.next_if(|blank| blank.line <= span.end_line) {
            has_blank |= blank.line >= span.line;
        }
        if has_blank {
            let place = SourceSpan { line: span.end_line, column: 1, end_line: span.end_line };
            findings.report_of_file(place, &Finding::EmptyContinuation);
        }
    }
}

/// Returns the place of an instruction without its here-documents.
fn without_documents(instruction: &Instruction) -> SourceSpan {
    let span = instruction.heading.span;
    let first = documents(&instruction.command).first().map(|document| document.span.line);
    SourceSpan { end_line: first.map_or(span.end_line, |line| line.saturating_sub(1)), ..span }
}

fn documents(command: &Command) -> &[HereDocument] {
    match command {
        Command::Copy(copy) => &copy.documents,
        Command::Run(run) => &run.documents,
        Command::OnBuild(on_build) => documents(&on_build.trigger.command),
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => &[],
    }
}
