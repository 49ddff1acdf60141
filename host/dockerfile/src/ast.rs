//! What a Dockerfile says, with places, before any variable or name is resolved.
//!
//! Owns the typed instructions. Holds words as written; must not hold anything that depends on build arguments or
//! images.

use zoea_model::{Healthcheck, Network, SourceSpan};

use crate::diagnose::Diagnostic;
use crate::directives::Directives;
use crate::error::DockerfileError;

/// A word as written, variables and quotes included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Its text.
    pub text: String,
    /// Its place.
    pub span: SourceSpan,
    /// Whether the file has it letter by letter.
    pub spelling: Spelling,
}

/// How a word's text relates to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spelling {
    /// The text stands in one line of the file as it is.
    Verbatim,
    /// Quotes, a continued line or a trigger stand between the file and the text.
    #[default]
    Rewritten,
}

impl Word {
    /// Returns the place of the character after the first `offset`, as well as it is known.
    pub(crate) fn place(&self, offset: usize) -> SourceSpan {
        match self.spelling {
            Spelling::Verbatim => SourceSpan { column: self.span.column + offset, ..self.span },
            Spelling::Rewritten => self.span,
        }
    }
}

/// A whole Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// What stands in the comments at its top.
    pub directives: Directives,
    /// The `ARG` declarations before the first `FROM`.
    pub global_arguments: Vec<ArgumentDeclaration>,
    /// The stages; at least one.
    pub stages: Vec<StageBlock>,
    /// What was noticed while reading.
    pub warnings: Vec<Diagnostic>,
}

/// One `FROM` with the instructions below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageBlock {
    /// The `FROM`.
    pub from: From,
    /// The other instructions.
    pub instructions: Vec<Instruction>,
}

/// `FROM [--platform=P] IMAGE [AS NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// The place of the instruction.
    pub span: SourceSpan,
    /// An image or an earlier stage.
    pub image: Word,
    /// The platform that is asked for.
    pub platform: Option<Word>,
    /// The stage's name, in lower case.
    pub name: Option<Word>,
}

/// One instruction of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its place.
    pub span: SourceSpan,
    /// The instruction on one line, as written but for the case of its name.
    pub text: String,
    /// What it says.
    pub command: Command,
    /// What it says that this version does not build; an error as soon as the stage is needed.
    pub refusals: Vec<DockerfileError>,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `ADD` and `COPY`.
    Copy(Copy),
    /// `ARG`.
    Arg(Vec<ArgumentDeclaration>),
    /// `CMD`.
    Cmd(Invocation),
    /// `ENTRYPOINT`.
    Entrypoint(Invocation),
    /// `ENV`.
    Env(Vec<Pair>),
    /// `EXPOSE`.
    Expose(Vec<Word>),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `LABEL`.
    Label(Vec<Pair>),
    /// `MAINTAINER`.
    Maintainer(String),
    /// `ONBUILD`.
    OnBuild(OnBuild),
    /// `RUN`.
    Run(Run),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    StopSignal(Word),
    /// `USER`.
    User(Word),
    /// `VOLUME`.
    Volume(Vec<Word>),
    /// `WORKDIR`.
    Workdir(Word),
}

/// One `NAME` or `NAME=default` of an `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentDeclaration {
    /// The name.
    pub name: Word,
    /// The default.
    pub default: Option<Word>,
}

/// One `KEY=value` of an `ENV` or `LABEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Word,
    /// The value.
    pub value: Word,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Text for the stage's shell.
    Shell(String),
    /// A program with its arguments.
    Exec(Vec<String>),
}

/// `RUN`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is run.
    pub command: Invocation,
    /// `--network`.
    pub network: Network,
}

/// Which of the two copying instructions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// `COPY`.
    Copy,
    /// `ADD`.
    Add,
}

/// `COPY` and `ADD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Which of the two.
    pub kind: CopyKind,
    /// `--from`: a stage by name or index, or an image.
    pub from: Option<Word>,
    /// `--chown`.
    pub owner: Option<Word>,
    /// `--chmod`.
    pub mode: Option<Word>,
    /// What is copied; at least one.
    pub sources: Vec<Word>,
    /// Where to.
    pub destination: Word,
}

/// `ONBUILD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBuild {
    /// The trigger as it goes into the image's configuration.
    pub text: String,
}
