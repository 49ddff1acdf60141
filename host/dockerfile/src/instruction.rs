//! One logical line to one instruction.
//!
//! Owns which arguments and flags each instruction takes. Must not look at other lines, build arguments or images.

use zoea_model::{Network, Security};

use crate::arguments::{
    Json, blank_separated, invocation, is_one_word, json, pairs, quoted_words, word_list,
};
use crate::ast::{
    ArgumentDeclaration, Command, Copy, CopyFlags, CopyKind, From, Heading, HereDocument, Instruction,
    Invocation, OnBuild, Run, StageName, Word,
};
use crate::directives::Escape;
use crate::error::{DockerfileError, Problem};
use crate::flags::{self, FlagRule, RawFlag, check};
use crate::healthcheck;
use crate::heredoc;
use crate::keyword::Keyword;
use crate::line::Part;
use crate::mount;
use crate::suggest::closest;

const RUN_FLAGS: [FlagRule; 4] = [
    FlagRule::List("mount"),
    FlagRule::Value("network"),
    FlagRule::Value("security"),
    FlagRule::List("device"),
];

const COPY_FLAGS: [FlagRule; 6] = [
    FlagRule::Value("from"),
    FlagRule::Value("chown"),
    FlagRule::Value("chmod"),
    FlagRule::Switch("link"),
    FlagRule::Switch("parents"),
    FlagRule::List("exclude"),
];

const ADD_FLAGS: [FlagRule; 7] = [
    FlagRule::Value("chown"),
    FlagRule::Value("chmod"),
    FlagRule::Value("checksum"),
    FlagRule::Switch("link"),
    FlagRule::Switch("keep-git-dir"),
    FlagRule::Switch("unpack"),
    FlagRule::List("exclude"),
];

/// What belongs to a line beside its text.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// The comments above it.
    pub(crate) comments: Vec<String>,
    /// The here-documents below it.
    pub(crate) documents: Vec<HereDocument>,
    /// The line in which the last of them ends.
    pub(crate) end_line: Option<usize>,
}

/// What a line turns out to be.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// The beginning of a stage.
    From(From),
    /// An instruction of a stage.
    Instruction(Instruction),
}

/// The pieces that every instruction is made of.
struct Pieces<'a> {
    keyword: Keyword,
    /// The instruction's name.
    head: Part<'a>,
    flags: Vec<RawFlag<'a>>,
    arguments: Part<'a>,
    documents: Vec<HereDocument>,
    escape: Escape,
}

impl Pieces<'_> {
    fn needs(&self, needed: &'static str) -> DockerfileError {
        Problem::Arguments { instruction: self.keyword.name(), needed }.at(self.head.span())
    }

    /// Returns the whole argument text as one word.
    fn single(&self, needed: &'static str) -> Result<Word, DockerfileError> {
        if self.arguments.is_empty() {
            return Err(self.needs(needed));
        }
        Ok(self.arguments.word())
    }

    fn take_flags(&mut self, rules: &[FlagRule]) -> Result<flags::Flags, DockerfileError> {
        check(self.keyword.name(), std::mem::take(&mut self.flags), rules)
    }
}

/// Reads one instruction.
pub(crate) fn parse(part: Part<'_>, escape: Escape, attached: Attached) -> Result<Parsed, DockerfileError> {
    // White space at the end belongs to the text of a trigger only.
    let whole = part.from(part.text().len() - part.text().trim_start().len());
    let part = part.trimmed();
    if part.is_empty() {
        return Err(Problem::NothingContinued.at(part.span()));
    }
    let (head, rest) = part.split_first();
    let Some(keyword) = Keyword::find(head.text()) else {
        let closest = closest(head.text(), Keyword::ALL.map(Keyword::name));
        let name = head.text().to_owned();
        return Err(Problem::UnknownInstruction { name, closest, above: None }.at(head.span()));
    };
    let (raw, arguments) = flags::take(rest);
    let Attached { comments, documents, end_line } = attached;
    let mut span = part.span();
    span.end_line = end_line.unwrap_or(span.end_line);
    let heading = Heading { span, name: head.word(), comments };
    let mut pieces = Pieces { keyword, head, flags: raw, arguments, documents, escape };
    let command = match keyword {
        Keyword::From => return from(pieces, heading).map(Parsed::From),
        Keyword::Run => run(&mut pieces)?,
        Keyword::Copy => copy(&mut pieces, CopyKind::Copy)?,
        Keyword::Add => copy(&mut pieces, CopyKind::Add)?,
        Keyword::OnBuild => {
            pieces.take_flags(&[])?;
            on_build(pieces, whole.split_first().1, end_line)?
        }
        Keyword::Healthcheck if arguments.is_empty() => {
            return Err(pieces.needs("`CMD command` or `NONE`"));
        }
        Keyword::Healthcheck => {
            Command::Healthcheck(healthcheck::parse(std::mem::take(&mut pieces.flags), arguments)?)
        }
        Keyword::Arg
        | Keyword::Cmd
        | Keyword::Entrypoint
        | Keyword::Env
        | Keyword::Expose
        | Keyword::Label
        | Keyword::Maintainer
        | Keyword::Shell
        | Keyword::StopSignal
        | Keyword::User
        | Keyword::Volume
        | Keyword::Workdir => {
            pieces.take_flags(&[])?;
            without_flags(&pieces)?
        }
    };
    let text = format!("{keyword} {}", rest.text());
    Ok(Parsed::Instruction(Instruction { heading, text, command }))
}

/// Reads the instructions that take no flags.
fn without_flags(pieces: &Pieces<'_>) -> Result<Command, DockerfileError> {
    let arguments = pieces.arguments;
    let name = pieces.keyword.name();
    Ok(match pieces.keyword {
        Keyword::Arg => Command::Arg(declarations(pieces)?),
        Keyword::Cmd => Command::Cmd(command_line(pieces)?),
        Keyword::Entrypoint => Command::Entrypoint(command_line(pieces)?),
        Keyword::Env | Keyword::Label if arguments.is_empty() => {
            return Err(pieces.needs("at least one `name=value`"));
        }
        Keyword::Env => Command::Env(pairs(arguments, pieces.escape, name)?),
        Keyword::Expose => {
            let ports: Vec<Word> = blank_separated(arguments).into_iter().map(Part::word).collect();
            if ports.is_empty() {
                return Err(pieces.needs("at least one port"));
            }
            Command::Expose(ports)
        }
        Keyword::Label => Command::Label(pairs(arguments, pieces.escape, name)?),
        Keyword::Maintainer => Command::Maintainer(pieces.single("a name")?.text),
        Keyword::Shell => match json(arguments)? {
            Json::Array(shell) if shell.is_empty() => return Err(pieces.needs("at least one argument")),
            Json::Array(shell) => Command::Shell(shell),
            Json::Text => return Err(Problem::ShellNotJson.at(pieces.head.span())),
        },
        Keyword::StopSignal => Command::StopSignal(pieces.single("a signal")?),
        Keyword::User => Command::User(pieces.single("a user")?),
        Keyword::Volume => {
            let volumes = word_list(arguments)?;
            if volumes.is_empty() {
                return Err(pieces.needs("at least one path"));
            }
            Command::Volume(volumes)
        }
        Keyword::Workdir => Command::Workdir(pieces.single("a path")?),
        Keyword::Add
        | Keyword::Copy
        | Keyword::From
        | Keyword::Healthcheck
        | Keyword::OnBuild
        | Keyword::Run => {
            return Err(pieces.needs("its own reading"));
        }
    })
}

fn from(mut pieces: Pieces<'_>, heading: Heading) -> Result<From, DockerfileError> {
    let mut flags = pieces.take_flags(&[FlagRule::Value("platform")])?;
    let words = blank_separated(pieces.arguments);
    let name = match words.as_slice() {
        [_] => None,
        [_, keyword, name] if keyword.text().eq_ignore_ascii_case("as") => {
            let text = name.text().to_lowercase();
            let is_part = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            if !text.starts_with(|first: char| first.is_ascii_lowercase()) || !text.bytes().all(is_part) {
                return Err(Problem::StageName { name: name.text().to_owned() }.at(name.span()));
            }
            Some(StageName { keyword: keyword.word(), written: name.word(), text })
        }
        words => {
            let needed = "an image, and nothing else but `AS name`";
            let superfluous = match words {
                [_, keyword, _, other, ..] if keyword.text().eq_ignore_ascii_case("as") => Some(other),
                [_, other, ..] => Some(other),
                [] | [_] => None,
            };
            let place = superfluous.map_or(pieces.head, |word| *word);
            return Err(Problem::Arguments { instruction: "FROM", needed }.at(place.span()));
        }
    };
    let Some(image) = words.first() else { return Err(pieces.needs("an image")) };
    Ok(From { heading, image: image.word(), platform: flags.take("platform"), name })
}

fn run(pieces: &mut Pieces<'_>) -> Result<Command, DockerfileError> {
    let mut flags = pieces.take_flags(&RUN_FLAGS)?;
    let network =
        choice(flags.take("network"), "network", "`default`, `none` or `host`", |text| match text {
            "default" => Some(Network::Default),
            "none" => Some(Network::None),
            "host" => Some(Network::Host),
            _ => None,
        })?;
    let security =
        choice(flags.take("security"), "security", "`sandbox` or `insecure`", |text| match text {
            "sandbox" => Some(Security::Sandbox),
            "insecure" => Some(Security::Insecure),
            _ => None,
        })?;
    let mounts = flags.take_all("mount").into_iter().map(mount::parse).collect::<Result<_, _>>()?;
    let devices = flags.take_all("device");
    let command = command_line(pieces)?;
    if matches!(&command, Invocation::Exec(arguments) if arguments.is_empty()) {
        return Err(pieces.needs("a command"));
    }
    let documents = std::mem::take(&mut pieces.documents);
    Ok(Command::Run(Run { command, network, security, mounts, devices, documents }))
}

/// Reads a flag that is one of a few words; the first of them by default.
fn choice<T: Default>(
    word: Option<Word>,
    flag: &'static str,
    choices: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, DockerfileError> {
    let Some(Word { text, span, .. }) = word else { return Ok(T::default()) };
    read(&text).ok_or_else(|| Problem::FlagValue { flag, value: text, choices }.at(span))
}

fn command_line(pieces: &Pieces<'_>) -> Result<Invocation, DockerfileError> {
    if pieces.arguments.is_empty() {
        return Err(pieces.needs("a command"));
    }
    invocation(pieces.arguments)
}

fn copy(pieces: &mut Pieces<'_>, kind: CopyKind) -> Result<Command, DockerfileError> {
    let mut flags = pieces.take_flags(match kind {
        CopyKind::Copy => &COPY_FLAGS[..],
        CopyKind::Add => &ADD_FLAGS[..],
    })?;
    let mut sources = word_list(pieces.arguments)?;
    let destination = sources.pop().filter(|_| !sources.is_empty());
    let Some(destination) = destination else {
        return Err(pieces.needs("at least one source and a destination"));
    };
    let documents = std::mem::take(&mut pieces.documents);
    if let Json::Text = json(pieces.arguments)? {
        if matches!(heredoc::mark(&destination.text), Ok(Some(_))) {
            let instruction = pieces.keyword.name();
            return Err(Problem::HeredocDestination { instruction }.at(destination.span));
        }
        take_marks(&mut sources, &documents)?;
    }
    let flags = CopyFlags {
        from: flags.take("from").filter(|from| !from.text.is_empty()),
        owner: flags.take("chown"),
        mode: flags.take("chmod"),
        excludes: flags.take_all("exclude"),
        checksum: flags.take("checksum"),
        link: flags.switch("link"),
        parents: flags.switch("parents"),
        keep_git_directory: flags.switch("keep-git-dir"),
        unpack: flags.switch("unpack"),
    };
    Ok(Command::Copy(Box::new(Copy { kind, flags, sources, documents, destination })))
}

/// Takes the words that ask for `documents` out of `sources`.
///
/// BuildKit finds the documents of a line in the words of a shell, and the sources in words at blanks. Where the two
/// differ, it would copy files named `<<`, or empty documents.
fn take_marks(sources: &mut Vec<Word>, documents: &[HereDocument]) -> Result<(), DockerfileError> {
    let mut names = documents.iter().map(|document| document.name.as_str());
    let mut differing = None;
    sources.retain(|word| match heredoc::mark(&word.text) {
        Ok(Some(mark)) if names.next() == Some(&mark.name) => false,
        Ok(None) if !word.text.trim_start_matches(|digit: char| digit.is_ascii_digit()).starts_with("<<") => {
            true
        }
        Ok(_) | Err(_) => {
            differing.get_or_insert(word.span);
            true
        }
    });
    match (differing, documents.first()) {
        (Some(span), _) => Err(Problem::HeredocUnclear.at(span)),
        (None, _) => Ok(()),
    }
}

fn declarations(pieces: &Pieces<'_>) -> Result<Vec<ArgumentDeclaration>, DockerfileError> {
    let words = quoted_words(pieces.arguments, pieces.escape);
    if words.is_empty() {
        return Err(pieces.needs("at least one name"));
    }
    words
        .into_iter()
        .map(|word| {
            let (name, default) = match word.text().find('=') {
                Some(end) => (word.range(0, end), Some(word.from(end + 1).word())),
                None => (word, None),
            };
            if name.is_empty() {
                return Err(Problem::BlankName { instruction: "ARG" }.at(word.span()));
            }
            if !is_one_word(name.text()) {
                return Err(Problem::ArgumentName { name: name.text().to_owned() }.at(word.span()));
            }
            Ok(ArgumentDeclaration { name: name.word(), default })
        })
        .collect()
}

/// Reads a trigger, of which `text` is everything on its line. It is checked here, so that a mistake is found where it
/// stands and not where it is used.
fn on_build(pieces: Pieces<'_>, text: Part<'_>, end_line: Option<usize>) -> Result<Command, DockerfileError> {
    if pieces.arguments.is_empty() {
        return Err(pieces.needs("an instruction"));
    }
    let (head, _) = pieces.arguments.split_first();
    if let Some(keyword @ (Keyword::OnBuild | Keyword::From | Keyword::Maintainer)) =
        Keyword::find(head.text())
    {
        return Err(Problem::NoTrigger { instruction: keyword.name() }.at(head.span()));
    }
    let mut text = text.text().to_owned();
    for document in &pieces.documents {
        text.push('\n');
        text.push_str(&document.written);
        text.push_str(&document.name);
    }
    let attached = Attached { comments: Vec::new(), documents: pieces.documents, end_line };
    match parse(pieces.arguments, pieces.escape, attached)? {
        Parsed::Instruction(trigger) => Ok(Command::OnBuild(OnBuild { text, trigger: Box::new(trigger) })),
        Parsed::From(_) => Err(Problem::NoTrigger { instruction: "FROM" }.at(head.span())),
    }
}
