//! Everything that can be wrong with a Dockerfile, and how it is said.
//!
//! Owns the texts and the hints. A [`DockerfileError`] is a [`Problem`] with its place.

mod mount;
mod remote;

use zoea_model::{ModelError, SourceSpan};

use crate::diagnose::printable;
use crate::directives::Escape;
pub use mount::MountProblem;
pub use remote::RemoteProblem;

/// A Dockerfile that cannot be built, with the place of the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileError {
    span: Option<SourceSpan>,
    problem: Box<Problem>,
}

impl DockerfileError {
    /// Returns the place, unless the reason is not in the file.
    pub fn span(&self) -> Option<SourceSpan> {
        self.span
    }

    /// Returns what is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns what is wrong as a sentence without its final period.
    pub fn message(&self) -> String {
        printable(&self.problem.to_string())
    }

    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        self.problem.hint()
    }

    /// Says that the error is in an `ONBUILD` trigger that the `FROM` at `span` takes over.
    pub(crate) fn in_trigger(self, trigger: &str, span: SourceSpan) -> Self {
        // Here-documents, which stand below, would bury what is wrong.
        let trigger = trigger.lines().next().unwrap_or_default().to_owned();
        Problem::InTrigger { trigger, problem: self.problem }.at(span)
    }
}

impl std::fmt::Display for DockerfileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.span {
            Some(span) => write!(f, "line {}, column {}: {}", span.line, span.column, self.message()),
            None => f.write_str(&self.message()),
        }
    }
}

impl std::error::Error for DockerfileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.problem)
    }
}

/// One thing that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file is larger than any real one.
    #[error("The Dockerfile is larger than {limit} bytes")]
    FileTooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// A line is longer than BuildKit accepts.
    #[error("The line is longer than {limit} bytes")]
    LineTooLong {
        /// The most that is accepted.
        limit: usize,
    },
    /// An instruction holds bytes that are no UTF-8.
    #[error("The line is not UTF-8 text")]
    NotText,
    /// An instruction holds a NUL byte.
    #[error("The line holds a NUL byte")]
    NulByte,
    /// There are more instructions than any real file has.
    #[error("The Dockerfile holds more than {limit} instructions")]
    TooManyInstructions {
        /// The most that is read.
        limit: usize,
    },
    /// The escape character at the end of the file continues nothing.
    #[error("The line is continued, but no instruction follows")]
    NothingContinued,
    /// There is nothing but comments and blank lines.
    #[error("The Dockerfile holds no instruction")]
    NoInstruction,
    /// There is no `FROM`.
    #[error("The Dockerfile holds no `FROM`, so there is nothing to build")]
    NoStage,
    /// An instruction other than `ARG` stands before the first `FROM`.
    #[error("`{instruction}` stands before the first `FROM`")]
    BeforeFrom {
        /// The instruction.
        instruction: String,
    },
    /// A directive is given twice.
    #[error("The directive `{name}` is given twice")]
    DirectiveTwice {
        /// The directive.
        name: String,
    },
    /// The escape character is none of the two.
    #[error("The escape character `{value}` is neither `\\` nor `` ` ``")]
    EscapeDirective {
        /// The value as written.
        value: String,
    },
    /// The check directive has an unknown option.
    #[error("Unknown option `{option}` of the build checks")]
    CheckDirective {
        /// The option as written.
        option: String,
    },
    /// Build checks complain, and are to fail the build.
    #[error("Build checks complain: {}", rules.join(", "))]
    Checks {
        /// The rules that do, each once.
        rules: Vec<&'static str>,
    },
    /// There is no such instruction.
    #[error("Unknown instruction `{name}`")]
    UnknownInstruction {
        /// The name as written.
        name: String,
        /// What may be meant.
        closest: Option<String>,
        /// The instruction above, which it may belong to.
        above: Option<Above>,
    },
    /// A here-document has no end.
    #[error("The here-document `{name}` has no end: no line below holds `{name}` and nothing else")]
    HeredocOpen {
        /// Its name.
        name: String,
        /// The line that holds the name with blanks around it.
        near_miss: Option<usize>,
    },
    /// `<<` is read in two ways.
    #[error("What `<<` means here is not clear")]
    HeredocUnclear,
    /// A here-document stands where the destination is.
    #[error("A here-document cannot be the destination of `{instruction}`")]
    HeredocDestination {
        /// The instruction.
        instruction: &'static str,
    },
    /// The instruction has no such flag.
    #[error("Unknown flag `--{flag}` of `{instruction}`")]
    UnknownFlag {
        /// The instruction.
        instruction: &'static str,
        /// The flag as written.
        flag: String,
        /// What may be meant.
        closest: Option<String>,
        /// The flags that it has.
        known: Vec<&'static str>,
    },
    /// A flag that counts once is given twice.
    #[error("The flag `--{flag}` is given twice")]
    FlagTwice {
        /// The flag.
        flag: String,
    },
    /// A flag that needs a value has none.
    #[error("The flag `--{flag}` needs a value")]
    FlagWithoutValue {
        /// The flag.
        flag: String,
    },
    /// A switch has a value that is neither `true` nor `false`.
    #[error("The flag `--{flag}` is `true` or `false`, not `{value}`")]
    FlagNotBoolean {
        /// The flag.
        flag: String,
        /// The value as written.
        value: String,
    },
    /// A flag has a value that it does not know.
    #[error("The flag `--{flag}` cannot be `{value}`")]
    FlagValue {
        /// The flag.
        flag: &'static str,
        /// The value as written.
        value: String,
        /// What it can be.
        choices: &'static str,
    },
    /// The language has it, this version does not.
    #[error("{what} is not built by this version")]
    NotBuilt {
        /// The construct.
        what: String,
        /// What to write instead.
        instead: &'static str,
    },
    /// An instruction has too few or too many arguments.
    #[error("`{instruction}` needs {needed}")]
    Arguments {
        /// The instruction.
        instruction: &'static str,
        /// What it needs.
        needed: &'static str,
    },
    /// A JSON array holds something other than strings.
    #[error("A list in JSON form may hold strings only")]
    JsonNotStrings,
    /// A list in JSON form holds half a character.
    #[error("A `\\u` with half of a surrogate pair stands for no character")]
    JsonSurrogate,
    /// `SHELL` is not in JSON form.
    #[error("`SHELL` needs its JSON form")]
    ShellNotJson,
    /// A word of `ENV` or `LABEL` has no `=`.
    #[error("`{word}` has no `=`: {instruction} takes `name=value`")]
    PairWithoutValue {
        /// The instruction.
        instruction: &'static str,
        /// The word as written.
        word: String,
    },
    /// The name of an argument holds blanks.
    #[error("`{name}` cannot be the name of an argument")]
    ArgumentName {
        /// The name as written.
        name: String,
    },
    /// A name is empty.
    #[error("A name in `{instruction}` is empty")]
    BlankName {
        /// The instruction.
        instruction: &'static str,
    },
    /// A stage's name has other characters than it may.
    #[error("Invalid stage name `{name}`")]
    StageName {
        /// The name as written.
        name: String,
    },
    /// The instruction cannot be a trigger.
    #[error("`{instruction}` cannot be an `ONBUILD` trigger")]
    NoTrigger {
        /// The instruction.
        instruction: &'static str,
    },
    /// A trigger that a `FROM` takes over is wrong.
    #[error("In the `ONBUILD` trigger `{trigger}`: {problem}")]
    InTrigger {
        /// The trigger.
        trigger: String,
        /// What is wrong with it.
        problem: Box<Self>,
    },
    /// `HEALTHCHECK` has neither `CMD` nor `NONE`.
    #[error("Unknown kind of health check `{kind}`")]
    HealthcheckKind {
        /// The word as written.
        kind: String,
    },
    /// `HEALTHCHECK NONE` has something after it.
    #[error("`HEALTHCHECK NONE` takes neither flags nor a command")]
    HealthcheckNone,
    /// A duration is not written as one.
    #[error("`{text}` is no duration")]
    Duration {
        /// The text.
        text: String,
    },
    /// A duration is below what container engines accept.
    #[error("`--{flag}` is {text}, below the least of 1ms")]
    DurationTooShort {
        /// The flag.
        flag: &'static str,
        /// The duration as written.
        text: String,
    },
    /// `--retries` is no number that fits.
    #[error("`--retries` needs a number of at least 0, not `{text}`")]
    Retries {
        /// The text.
        text: String,
    },
    /// `${` has no `}`.
    #[error("A `${{` has no closing `}}`")]
    MissingBrace,
    /// What stands between the braces means nothing.
    #[error("What stands in `${{…}}` is no variable with a known operator")]
    BadSubstitution,
    /// The pattern of a replacement has no end.
    #[error("The pattern of a `${{…/…/…}}` has no closing `/`")]
    MissingSlash,
    /// There is no such operator.
    #[error("`${{…}}` has no operator `{operator}`")]
    SubstitutionOperator {
        /// The operator as written.
        operator: String,
    },
    /// A pattern means nothing.
    #[error("The pattern `{pattern}` cannot be used: {reason}")]
    Pattern {
        /// The pattern, its variables replaced.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is longer than any real one.
    #[error("A pattern in `${{…}}` is longer than {limit} bytes")]
    PatternTooLong {
        /// The most that is accepted.
        limit: usize,
    },
    /// A variable that the file says is needed is not set.
    #[error("The variable `{name}` is not set{}", said(message))]
    VariableUnset {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// A variable that the file says must not be empty is empty.
    #[error("The variable `{name}` is empty{}", said(message))]
    VariableEmpty {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// A quote is not closed.
    #[error("A quote {quote} is not closed")]
    MissingQuote {
        /// The kind of quote.
        quote: char,
    },
    /// Substitutions lie in substitutions too often.
    #[error("Substitutions are nested more than {limit} deep")]
    NestedTooDeep {
        /// The most that is accepted.
        limit: usize,
    },
    /// A word grows too long when its variables are replaced.
    #[error("A word grows beyond {limit} bytes when its variables are replaced")]
    WordTooLong {
        /// The most that is accepted.
        limit: usize,
    },
    /// The base of a stage is empty once its variables are replaced.
    #[error("The base image `{word}` is empty once its variables are replaced")]
    BlankImage {
        /// The word as written.
        word: String,
    },
    /// The platform is none.
    #[error("`{text}` is no platform")]
    Platform {
        /// The text once its variables are replaced.
        text: String,
        /// Why.
        #[source]
        cause: ModelError,
    },
    /// There is no stage of the target's name.
    #[error("There is no stage `{name}` to build")]
    UnknownTarget {
        /// The target as given.
        name: String,
        /// What may be meant.
        closest: Option<String>,
        /// The stages that there are.
        stages: Vec<String>,
    },
    /// The base of a stage is an earlier stage's name but for its case.
    #[error("There is no image `{name}`: a repository's name is lower-case")]
    BaseCase {
        /// The base.
        name: String,
    },
    /// There is no stage of that index.
    #[error("There is no stage with index {index}: the Dockerfile has {count}")]
    StageIndex {
        /// The index as written.
        index: String,
        /// How many stages there are.
        count: usize,
    },
    /// A stage reads one that comes after it.
    #[error("The stage `{name}` is read before it is defined")]
    ForwardReference {
        /// The stage that is read.
        name: String,
    },
    /// Stages read each other, or one reads itself.
    #[error("Reading the stage `{name}` closes a circle")]
    CircularReference {
        /// The stage that is read.
        name: String,
    },
    /// An image's configuration was not given.
    #[error("Nothing is known of the image `{name}`")]
    ImageNotKnown {
        /// The image as asked for.
        name: String,
    },
    /// `--from` holds a variable or quotes.
    #[error("`--from` does not take variables: `{word}`")]
    FromVariable {
        /// The word as written.
        word: String,
    },
    /// Files are copied from the empty image.
    #[error("There is nothing to copy from `scratch`")]
    FromScratch,
    /// A mount shows files of the empty image.
    #[error("There is nothing to mount from `scratch`")]
    MountScratch,
    /// The mode is neither an octal number up to 07777 nor a symbolic one.
    #[error("`--chmod={text}` is neither an octal number between 0 and 07777 nor a symbolic mode")]
    Mode {
        /// The text.
        text: String,
    },
    /// A here-document has a name that no file can have.
    #[error("The here-document's name `{name}` can be no file's name")]
    DocumentName {
        /// The name.
        name: String,
    },
    /// A source of `ADD` that must be fetched is wrong.
    #[error(transparent)]
    Remote(#[from] RemoteProblem),
    /// A `--mount` or `--device` is wrong.
    #[error(transparent)]
    Mount(#[from] MountProblem),
    /// `COPY` is given something that only `ADD` takes.
    #[error("`COPY` does not fetch: `{source_text}` is {what}")]
    CopyRemote {
        /// The source.
        source_text: String,
        /// What it is.
        what: &'static str,
    },
    /// A path cannot be one in a tree.
    #[error("`{path}` is no path in an image")]
    Path {
        /// The path.
        path: String,
        /// Why.
        #[source]
        cause: ModelError,
    },
    /// A port is not written as one.
    #[error("`{text}` is no port: {reason}")]
    Port {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The signal is none.
    #[error("`{text}` is no signal")]
    Signal {
        /// The text.
        text: String,
    },
    /// A volume's path is empty.
    #[error("A path in `VOLUME` is empty")]
    BlankVolume,
    /// Stages take over triggers without measure.
    #[error("The stages of this Dockerfile run more than {limit} `ONBUILD` triggers")]
    TooManyTriggers {
        /// The most that is accepted.
        limit: usize,
    },
    /// The plan grows without measure.
    #[error("The plan of this Dockerfile grows beyond {limit} bytes")]
    PlanTooLarge {
        /// The most that is accepted.
        limit: usize,
    },
}

/// The instruction above a line that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    /// Its name.
    pub instruction: &'static str,
    /// Its last line.
    pub line: usize,
    /// How the line below may belong to it.
    pub missing: Missing,
}

/// What an instruction may lack, so that the line below it is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The escape character at its end.
    Continuation(Escape),
    /// Its `<<` begins no here-document.
    HereDocument,
}

impl Above {
    fn hint(&self) -> String {
        let Self { instruction, line, missing } = self;
        match missing {
            Missing::Continuation(escape) => {
                let escape = match escape {
                    Escape::Backslash => "`\\`",
                    Escape::Backtick => "`` ` ``, the escape character of this file",
                };
                format!("if it belongs to the `{instruction}` above, end line {line} with {escape}")
            }
            Missing::HereDocument => format!(
                "the `<<` in line {line} begins no here-document: put a blank before it, and close all quotes"
            ),
        }
    }
}

/// Introduces what a file says about a variable that it needs.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Problem {
    /// Gives the problem its place.
    pub(crate) fn at(self, span: SourceSpan) -> DockerfileError {
        DockerfileError { span: Some(span), problem: Box::new(self) }
    }

    /// Makes an error of a problem that has no place in the file.
    pub(crate) fn nowhere(self) -> DockerfileError {
        DockerfileError { span: None, problem: Box::new(self) }
    }

    /// Returns what to do about it, if that is known.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other problem has a fixed hint or none")]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownInstruction { name, .. } if name.contains(char::is_whitespace) => Some(
                "a no-break space or the like stands in this word: type a plain blank instead".to_owned(),
            ),
            Self::UnknownInstruction { closest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::UnknownInstruction { above: Some(above), .. } => Some(above.hint()),
            Self::UnknownInstruction { name, .. } if name.starts_with("//") || name.starts_with("--") => {
                Some("a comment begins with `#`".to_owned())
            }
            Self::HeredocOpen { name, .. } if name.is_empty() => {
                Some("its name is empty, so that an empty line ends it".to_owned())
            }
            Self::HeredocOpen { near_miss: Some(line), .. } => Some(format!(
                "take away the blanks around the name in line {line}; after `<<-` tabs may stand before it"
            )),
            Self::HeredocOpen { name, .. } if name.ends_with(')') => {
                Some("if `<<` is a shift, leave out the blanks after it".to_owned())
            }
            Self::HeredocOpen { name, .. } if name.contains(['>', '|', ';', '&', ')']) => {
                Some("the name reaches to the next blank: put one behind it, as in `<<EOF >file`".to_owned())
            }
            Self::UnknownFlag { closest: Some(flag), .. } => Some(format!("did you mean `--{flag}`?")),
            Self::UnknownFlag { instruction, known, .. } => Some(match known.as_slice() {
                [] => format!("`{instruction}` takes no flags; behind ` -- ` words may begin with `--`"),
                [one] => format!("`{instruction}` takes `--{one}` only"),
                flags => format!("`{instruction}` takes `--{}`", flags.join("`, `--")),
            }),
            Self::FlagWithoutValue { flag } => Some(format!("write `--{flag}=value`, with `=` and no blank")),
            Self::UnknownTarget { closest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::UnknownTarget { closest: None, stages, .. } => Some(stages_hint(stages)),
            Self::BaseCase { name } => Some(format!("write `{}` for the stage", name.to_lowercase())),
            Self::Remote(problem) => problem.hint(),
            Self::Mount(problem) => problem.hint(),
            Self::NotBuilt { instead, .. } => Some((*instead).to_owned()),
            Self::FlagValue { choices, .. } => Some(format!("it can be {choices}")),
            Self::InTrigger { problem, .. } => problem.hint(),
            other => other.fixed_hint().map(str::to_owned),
        }
    }

    /// Returns the hint of a problem that always has the same.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most problems say by themselves what to do")]
    fn fixed_hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::HeredocUnclear => {
                "write `<<NAME` without blanks after `<<` and in the name, and close all quotes"
            }
            Self::HeredocDestination { .. } => "write the path of the file or directory as the last word",
            Self::NothingContinued => "take away the line",
            Self::NotText => "save the file as UTF-8; only comments may hold other bytes",
            Self::NoInstruction | Self::NoStage => "begin with `FROM image` or `FROM scratch`",
            Self::BeforeFrom { .. } => "only `ARG` may stand before the first `FROM`",
            Self::Checks { .. } => {
                "mend what is warned of, or leave rules out with `# check=skip=…` at the top of the file"
            }
            Self::CheckDirective { .. } => "known options are `skip=…`, `error=true` and `experimental=…`",
            Self::ShellNotJson => "write `SHELL [\"/bin/bash\", \"-c\"]`",
            Self::JsonSurrogate => "write the character itself",
            Self::JsonNotStrings => "put every element into double quotes",
            Self::StageName { .. } => {
                "a stage's name begins with a letter and goes on with letters, digits, `-`, `_` and `.`"
            }
            Self::HealthcheckKind { .. } => "write `HEALTHCHECK CMD command` or `HEALTHCHECK NONE`",
            Self::Duration { .. } => "write a number with its unit, such as `30s` or `1m30s`",
            Self::MissingBrace | Self::BadSubstitution => {
                "write `$name`, `${name}`, `${name:-default}` or `${name:+other}`; `\\$` is a dollar sign"
            }
            Self::MissingSlash => "write `${name/pattern/replacement}` or `${name//pattern/replacement}`",
            Self::SubstitutionOperator { .. } => {
                "the operators are `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/` and `//`"
            }
            Self::Pattern { .. } => "a backslash may stand before `*`, `?`, `\\`, `/` and `}`",
            Self::VariableUnset { .. } | Self::VariableEmpty { .. } => {
                "give it with `--build-arg`, and declare it with `ARG` before the word that needs it"
            }
            Self::MissingQuote { .. } => "close the quote, or put the escape character before it",
            Self::BlankImage { .. } => {
                "declare the variable with `ARG` before the first `FROM`, or give it with `--build-arg`"
            }
            Self::Platform { .. } => "write `os/architecture[/variant]`, such as `linux/arm64`",
            Self::ForwardReference { .. } => "move that stage above this one",
            Self::FromVariable { .. } => "add a stage `FROM $variable AS name` and copy from that",
            Self::CopyRemote { .. } => "use `ADD`",
            Self::MountScratch => "use `type=tmpfs` for an empty directory",
            Self::Mode { .. } => "write `755`, or clauses such as `u=rwX,go=rX`",
            Self::Port { .. } => {
                "write a port or a range with an optional protocol, such as `80`, `53/udp` or `8000-8010`"
            }
            Self::Signal { .. } => "write a name such as `SIGTERM` or a number from 1 to 64",
            _ => return None,
        })
    }
}

/// Lists stages for someone who named none of them.
fn stages_hint(stages: &[String]) -> String {
    /// More than fit on a line are not read.
    const MOST: usize = 20;
    let names: Vec<String> = stages.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = if stages.len() > MOST { ", …" } else { "" };
    format!("the stages are {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_in_a_trigger_keeps_its_hint() {
        let span = SourceSpan { line: 2, column: 1, end_line: 2 };
        let error = Problem::Signal { text: "X".to_owned() }.at(span).in_trigger("STOPSIGNAL X", span);
        assert_eq!(error.message(), "In the `ONBUILD` trigger `STOPSIGNAL X`: `X` is no signal");
        assert!(error.hint().unwrap().contains("SIGTERM"));
        assert_eq!(error.to_string(), format!("line 2, column 1: {}", error.message()));
    }
}
