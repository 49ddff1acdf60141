//! What a command line is for: a build, or an answer to a question about the Dockerfile. Pure.

use zoea::{AnswerForm, Question};

use crate::args;
use crate::error::CliError;

/// What is to be done with the Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is built.
    Build,
    /// A question about it is answered on standard output.
    Answer(Question, AnswerForm),
}

/// The flags that choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flags<'a> {
    /// `--call`.
    pub(crate) call: &'a str,
    /// `--check`.
    pub(crate) check: bool,
    /// `--dry-run`.
    pub(crate) dry_run: Option<args::AnswerForm>,
}

impl Purpose {
    /// Reads the flags; `--call` has the form of `docker build`'s.
    pub(crate) fn new(flags: Flags<'_>) -> Result<Self, CliError> {
        if let Some(form) = flags.dry_run {
            return Ok(Self::Answer(Question::Plan, answer_form(form)));
        }
        if flags.check {
            return Ok(Self::Answer(Question::Check, AnswerForm::Text));
        }
        let invalid = || CliError::Flag {
            flag: "--call",
            value: flags.call.to_owned(),
            reason:
                "expected `build`, `check`, `outline` or `targets`, perhaps with `,format=json` behind it"
                    .to_owned(),
        };
        let (name, form) = match flags.call.split_once(',') {
            None => (flags.call, AnswerForm::Text),
            Some((name, "format=text")) => (name, AnswerForm::Text),
            Some((name, "format=json")) => (name, AnswerForm::Json),
            Some(_) => return Err(invalid()),
        };
        match name {
            "build" => Ok(Self::Build),
            // `lint` is the older name.
            "check" | "lint" => Ok(Self::Answer(Question::Check, form)),
            "outline" => Ok(Self::Answer(Question::Outline, form)),
            "targets" => Ok(Self::Answer(Question::Targets, form)),
            _ => Err(invalid()),
        }
    }
}

fn answer_form(form: args::AnswerForm) -> AnswerForm {
    match form {
        args::AnswerForm::Text => AnswerForm::Text,
        args::AnswerForm::Json => AnswerForm::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(call: &str) -> Option<Purpose> {
        Purpose::new(Flags { call, check: false, dry_run: None }).ok()
    }

    #[test]
    fn calls_have_names_and_forms() {
        let answer = |question, form| Some(Purpose::Answer(question, form));
        assert_eq!(read("build"), Some(Purpose::Build));
        assert_eq!(read("check"), answer(Question::Check, AnswerForm::Text));
        assert_eq!(read("outline,format=json"), answer(Question::Outline, AnswerForm::Json));
        assert_eq!(read("targets,format=text"), answer(Question::Targets, AnswerForm::Text));
        for text in ["", "chek", "check,json", "check,format=xml", "outline,"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
