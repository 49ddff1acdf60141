//! What a Dockerfile says, with places, before any variable or name is resolved.
//!
//! Owns the typed instructions. Holds words as written; must not hold anything that depends on build arguments or
//! images.

use zoea_model::{Healthcheck, Network, Security, SourceSpan};

use crate::directives::Directives;
use crate::heredoc::Mark;

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
    /// The `ARG` instructions before the first `FROM`.
    pub global_arguments: Vec<GlobalArguments>,
    /// The stages; at least one.
    pub stages: Vec<StageBlock>,
    /// The blank lines within continued instructions.
    pub empty_continuations: Vec<SourceSpan>,
}

/// One `ARG` before the first `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalArguments {
    /// How it begins.
    pub heading: Heading,
    /// What it declares.
    pub declarations: Vec<ArgumentDeclaration>,
}

/// One `FROM` with the instructions below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageBlock {
    /// The `FROM`.
    pub from: From,
    /// The other instructions.
    pub instructions: Vec<Instruction>,
}

/// What every instruction has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heading {
    /// The place of the whole instruction, here-documents included.
    pub span: SourceSpan,
    /// Its name as written.
    pub name: Word,
    /// The comments above it, each without the first byte of its line and the blanks around the rest. As in BuildKit,
    /// blank lines may stand between, an empty comment drops those before it, and an indented one keeps its `#`.
    pub comments: Vec<String>,
}

/// `FROM [--platform=P] IMAGE [AS NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// How it begins.
    pub heading: Heading,
    /// An image or an earlier stage.
    pub image: Word,
    /// The platform that is asked for.
    pub platform: Option<Word>,
    /// What stands behind the image.
    pub name: Option<StageName>,
}

/// `AS NAME`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageName {
    /// The word `AS` as written.
    pub keyword: Word,
    /// The name as written.
    pub written: Word,
    /// The name in lower case: what the stage is called.
    pub text: String,
}

/// One instruction of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// How it begins.
    pub heading: Heading,
    /// The instruction on one line, as written but for the case of its name; without its here-documents.
    pub text: String,
    /// What it says.
    pub command: Command,
}

/// What an instruction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `ADD` and `COPY`.
    Copy(Box<Copy>),
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

impl Command {
    /// Returns what an `ARG` declares; nothing for any other instruction.
    pub(crate) fn declarations(&self) -> &[ArgumentDeclaration] {
        if let Self::Arg(declarations) = self { declarations } else { &[] }
    }
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
    /// What stands between them.
    pub separator: Separator,
}

/// What stands between a key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `=`
    Equals,
    /// A blank: the old form, in which the value reaches to the end of the line.
    Blank,
}

/// A command in one of its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Text for the stage's shell.
    Shell(String),
    /// A program with its arguments.
    Exec(Vec<String>),
}

/// The text below an instruction that `<<NAME` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HereDocument {
    /// The place of its lines, of which the last one holds its name.
    pub span: SourceSpan,
    /// Its name, quotes taken away.
    pub name: String,
    /// The digits before `<<`.
    pub descriptor: String,
    /// Its lines as written, each with its line feed: what a shell is given that reads `<<` itself.
    pub written: String,
    /// Its lines, each with its line feed; with `<<-`, without the tabs at their beginnings.
    pub content: String,
    /// Whether variables in it are replaced: unless its name is quoted.
    pub expansion: Expansion,
    /// Whether it was written with `<<-`.
    pub tabs: Tabs,
}

impl HereDocument {
    /// Makes the document that `mark` asks for of its lines.
    pub(crate) fn new(mark: Mark, written: String, span: SourceSpan) -> Self {
        let Mark { descriptor, name, expansion, tabs } = mark;
        let content = match tabs {
            Tabs::Keep => written.clone(),
            Tabs::Strip => written.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect(),
        };
        Self { span, name, descriptor, written, content, expansion, tabs }
    }
}

/// Whether variables in a here-document are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expansion {
    /// They are.
    Variables,
    /// They are not.
    None,
}

/// What becomes of tabs at the beginnings of a here-document's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tabs {
    /// They stay.
    Keep,
    /// They are taken away: `<<-`.
    Strip,
}

/// `RUN`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is run.
    pub command: Invocation,
    /// `--network`.
    pub network: Network,
    /// `--security`.
    pub security: Security,
    /// `--mount`, in order.
    pub mounts: Vec<MountFlag>,
    /// `--device`, in order.
    pub devices: Vec<Word>,
    /// The here-documents of a command in shell form.
    pub documents: Vec<HereDocument>,
}

/// `--mount=KEY=VALUE,…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountFlag {
    /// The flag's value as written.
    pub word: Word,
    /// Its parts.
    pub options: Vec<MountOption>,
}

/// One part of a `--mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOption {
    /// Its name in lower case.
    pub key: String,
    /// What stands behind `=`.
    pub value: Option<String>,
    /// Where the part stands, as well as it is known.
    pub span: SourceSpan,
}

/// Which of the two copying instructions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// `COPY`.
    Copy,
    /// `ADD`.
    Add,
}

impl CopyKind {
    /// Returns the instruction's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Add => "ADD",
        }
    }
}

/// A flag that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `--flag`, `--flag=true`
    On,
    /// `--flag=false`
    Off,
}

/// `COPY` and `ADD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Which of the two.
    pub kind: CopyKind,
    /// Its flags.
    pub flags: CopyFlags,
    /// What is copied; empty only if there are documents.
    pub sources: Vec<Word>,
    /// The here-documents that are copied.
    pub documents: Vec<HereDocument>,
    /// Where to.
    pub destination: Word,
}

/// The flags of `COPY` and `ADD`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFlags {
    /// `--from`: a stage by name or index, a named context or an image.
    pub from: Option<Word>,
    /// `--chown`.
    pub owner: Option<Word>,
    /// `--chmod`.
    pub mode: Option<Word>,
    /// `--exclude`, in order.
    pub excludes: Vec<Word>,
    /// `--checksum`.
    pub checksum: Option<Word>,
    /// `--link`.
    pub link: Option<Switch>,
    /// `--parents`.
    pub parents: Option<Switch>,
    /// `--keep-git-dir`.
    pub keep_git_directory: Option<Switch>,
    /// `--unpack`.
    pub unpack: Option<Switch>,
}

/// `ONBUILD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBuild {
    /// The trigger as it goes into the image's configuration, its here-documents included.
    pub text: String,
    /// The trigger, read.
    pub trigger: Box<Instruction>,
}
