//! Lines that are no instruction because the line above lost its end.
//!
//! Owns the guess, which only ever changes a hint, and that one lost end is one error.

use crate::directives::Escape;
use crate::error::{Above, DockerfileError, Missing, Problem};
use crate::keyword::Keyword;
use crate::line::Part;

/// What the line before was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Before {
    /// There was none, or one that ends for certain.
    #[default]
    Other,
    /// An instruction that may go on.
    Instruction(Cut),
    /// One that is no instruction, not even a misspelt one.
    Stray,
}

/// How an instruction may have been cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    keyword: Keyword,
    end_line: usize,
    missing: Missing,
    ending: Ending,
}

/// Whether a line ends as no command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With `&&`, `|` or the like.
    Operator,
    /// With anything else.
    Other,
}

impl Before {
    /// Notes an instruction without here-documents.
    pub(crate) fn instruction(keyword: Keyword, line: Part<'_>, escape: Escape) -> Self {
        if !goes_on(keyword) {
            return Self::Other;
        }
        let text = line.text().trim_end();
        let missing = match text.contains("<<") && !text.contains("<<<") {
            true => Missing::HereDocument,
            false => Missing::Continuation(escape),
        };
        let ending = match ["&&", "|", ";", ",", "\\", "`"].iter().any(|end| text.ends_with(end)) {
            true => Ending::Operator,
            false => Ending::Other,
        };
        Self::Instruction(Cut { keyword, end_line: line.span().end_line, missing, ending })
    }

    /// Judges the error that the line below is no instruction: returns what to say of it, and what that line is to the
    /// next one.
    pub(crate) fn judge(self, error: DockerfileError) -> (Option<DockerfileError>, Self) {
        let (Problem::UnknownInstruction { name, closest, .. }, Some(span)) = (error.problem(), error.span())
        else {
            return (Some(error), Self::Other);
        };
        let mut closest = closest.clone();
        let mut above = None;
        if let Self::Instruction(Cut { keyword, end_line, missing, ending }) = self
            && end_line + 1 == span.line
        {
            above = Some(Above { instruction: keyword.name(), line: end_line, missing });
            // `cd` is nearer to a lost command than to `CMD`.
            if span.column > 1 || ending == Ending::Operator {
                closest = None;
            }
        }
        match (closest, self) {
            // One lost end makes many such lines; the first one says it.
            (None, Self::Stray) => (None, Self::Stray),
            (closest, _) => {
                let after = if closest.is_none() { Self::Stray } else { Self::Other };
                let problem = Problem::UnknownInstruction { name: name.clone(), closest, above };
                (Some(problem.at(span)), after)
            }
        }
    }
}

/// Says whether an instruction is often continued.
fn goes_on(keyword: Keyword) -> bool {
    match keyword {
        Keyword::Add
        | Keyword::Arg
        | Keyword::Cmd
        | Keyword::Copy
        | Keyword::Entrypoint
        | Keyword::Env
        | Keyword::Expose
        | Keyword::Healthcheck
        | Keyword::Label
        | Keyword::OnBuild
        | Keyword::Run
        | Keyword::Shell
        | Keyword::Volume => true,
        Keyword::From | Keyword::Maintainer | Keyword::StopSignal | Keyword::User | Keyword::Workdir => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    fn hints(lines: &str) -> Vec<Option<String>> {
        let errors = parse(format!("FROM x\n{lines}").as_bytes()).unwrap_err();
        errors.iter().map(super::DockerfileError::hint).collect()
    }

    #[test]
    fn a_lost_end_is_one_error_with_its_line() {
        let continued = Some("if it belongs to the `RUN` above, end line 2 with `\\`".to_owned());
        assert_eq!(hints("RUN a &&\ncd b\nmake\n\nmake install"), std::slice::from_ref(&continued));
        assert_eq!(hints("RUN a\n  cd b"), [continued]);
        assert_eq!(hints("RUN a\ncd b"), [Some("did you mean `CMD`?".to_owned())]);
        assert_eq!(hints("RUN a\n\nmake"), [None]);
        assert_eq!(hints("USER a\nmake"), [None]);
        assert_eq!(hints("make\nUSER x\nmake"), [None, None]);
        let document = hints("RUN cat<<E\nmake\nE\n");
        assert!(document[0].as_ref().unwrap().contains("`<<` in line 2"), "{document:?}");
        assert_eq!(document.len(), 1);
    }
}
