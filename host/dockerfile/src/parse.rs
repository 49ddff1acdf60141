//! Lines to a [`Dockerfile`]: global arguments, then stages.
//!
//! Owns which errors one file gives: every one that is not just a consequence of another.

use crate::ast::{Command, Dockerfile, GlobalArguments, Instruction, StageBlock};
use crate::error::{DockerfileError, Problem};
use crate::error_list::{DockerfileErrors, ErrorList};
use crate::heredoc;
use crate::instruction::{self, Attached, Parsed};
use crate::keyword::Keyword;
use crate::line::Line;
use crate::source::{LineState, Logical, Source};
use crate::stray::Before;

/// The most instructions of one file: far above any real one, and few enough to be held as a tree.
const MOST_INSTRUCTIONS: usize = 100_000;

/// Reads a Dockerfile.
///
/// # Errors
/// Fails with everything that is not of the language, each with its place.
pub fn parse(text: &[u8]) -> Result<Dockerfile, DockerfileErrors> {
    let mut source = Source::new(text)?;
    let mut tree = Tree::default();
    let mut count = 0;
    while let Some(logical) = source.next_line() {
        count += 1;
        if count > MOST_INSTRUCTIONS {
            tree.errors.push(
                Problem::TooManyInstructions { limit: MOST_INSTRUCTIONS }.at(logical.line.part().span()),
            );
            break;
        }
        tree.add(&mut source, logical);
    }
    let rest = source.finish();
    let mut errors = tree.errors;
    if errors.is_empty() && rest.errors.is_empty() && tree.stages.is_empty() {
        errors.push(if count == 0 { Problem::NoInstruction } else { Problem::NoStage }.nowhere());
    }
    rest.errors.and(errors).finish()?;
    Ok(Dockerfile {
        directives: rest.directives,
        global_arguments: tree.global_arguments,
        stages: tree.stages,
        empty_continuations: rest.empty_continuations,
    })
}

/// A line with its comments and here-documents.
pub(crate) fn with_documents(
    source: &mut Source<'_>,
    line: &Line,
    comments: Vec<String>,
) -> Result<Attached, DockerfileError> {
    let mut attached = Attached { comments, documents: Vec::new(), end_line: None };
    for (mark, place) in heredoc::asked_for(line.part())? {
        let document = source.document(mark, place.span())?;
        attached.end_line = Some(document.span.end_line);
        attached.documents.push(document);
    }
    Ok(attached)
}

/// Whether instructions of a stage may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Opened {
    /// No `FROM` came.
    #[default]
    Nothing,
    /// One came, or a line that may have been meant as one.
    Stage,
}

/// The tree in the making.
#[derive(Debug, Default)]
struct Tree {
    global_arguments: Vec<GlobalArguments>,
    stages: Vec<StageBlock>,
    errors: ErrorList,
    opened: Opened,
    before: Before,
}

impl Tree {
    fn add(&mut self, source: &mut Source<'_>, logical: Logical) {
        let Logical { line, comments, state } = logical;
        let escape = source.escape();
        let mut documents = 0;
        let parsed = with_documents(source, &line, comments).and_then(|attached| {
            documents = attached.documents.len();
            instruction::parse(line.part(), escape, attached)
        });
        let part = line.part();
        let (head, _) = part.trimmed().split_first();
        let keyword = Keyword::find(head.text());
        let before = std::mem::take(&mut self.before);
        match parsed {
            // What is damaged is reported, but may well have been a `FROM`.
            _ if state == LineState::Damaged => self.opened = Opened::Stage,
            Ok(Parsed::From(from)) => {
                self.opened = Opened::Stage;
                self.stages.push(StageBlock { from, instructions: Vec::new() });
            }
            Ok(Parsed::Instruction(instruction)) => self.instruction(instruction),
            Err(error) => self.wrong(error, keyword, before),
        }
        if let Some(keyword) = keyword.filter(|_| documents == 0) {
            self.before = Before::instruction(keyword, part, escape);
        }
    }

    fn instruction(&mut self, instruction: Instruction) {
        match (self.stages.last_mut(), instruction.command) {
            (Some(stage), command) => stage.instructions.push(Instruction { command, ..instruction }),
            (None, Command::Arg(declarations)) if self.opened == Opened::Nothing => {
                self.global_arguments.push(GlobalArguments { heading: instruction.heading, declarations });
            }
            (None, _) if self.opened == Opened::Nothing => {
                // Said once: what follows stands before the first `FROM` as well.
                self.opened = Opened::Stage;
                let name = instruction.text.split(' ').next().unwrap_or_default().to_owned();
                self.errors.push(Problem::BeforeFrom { instruction: name }.at(instruction.heading.span));
            }
            (None, _) => {}
        }
    }

    fn wrong(&mut self, error: DockerfileError, keyword: Option<Keyword>, before: Before) {
        match keyword {
            // Whatever it is, it may have been meant as a `FROM`.
            None | Some(Keyword::From) => self.opened = Opened::Stage,
            Some(_) => {}
        }
        let is_unknown = matches!(error.problem(), Problem::UnknownInstruction { .. });
        if keyword.is_some() || !is_unknown {
            return self.errors.push(error);
        }
        let (stray, after) = before.judge(error);
        self.before = after;
        self.errors.extend(stray);
    }
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
