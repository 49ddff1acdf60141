//! The text form of a [`Dockerfile`] that golden files hold: one line for each instruction.
//!
//! Owns this form only, in which every word is quoted and has its place; `~` stands before what the file does not
//! have letter by letter.

use std::fmt::Write as _;

use zoea_model::{Healthcheck, Network, Security, SourceSpan};

use crate::ast::{
    ArgumentDeclaration, Command, Copy, Dockerfile, Expansion, From, Heading, HereDocument, Instruction,
    Invocation, Pair, Run, Separator, Spelling, Switch, Tabs, Word,
};
use crate::directives::{Check, CheckSeverity, Directives, Escape, RuleSet};

/// Writes a tree as text.
pub fn ast_text(dockerfile: &Dockerfile) -> String {
    let mut out = directives(&dockerfile.directives);
    for arguments in &dockerfile.global_arguments {
        let words = declarations(&arguments.declarations);
        out.push_str(&line("", &arguments.heading, "ARG", &words));
    }
    for stage in &dockerfile.stages {
        out.push_str(&from(&stage.from));
        for one in &stage.instructions {
            out.push_str(&instruction("  ", one));
        }
    }
    for span in &dockerfile.empty_continuations {
        out.push_str(&format!("empty continuation {}\n", place(*span)));
    }
    out
}

fn directives(directives: &Directives) -> String {
    let mut out = String::new();
    if directives.escape != Escape::Backslash {
        out.push_str(&format!("escape {:?}\n", directives.escape.character()));
    }
    if let Some(syntax) = &directives.syntax {
        out.push_str(&format!("syntax {}\n", word(syntax)));
    }
    if let Some(Check { span, skip, experimental, severity }) = &directives.check {
        let severity = match severity {
            CheckSeverity::Warning => "warning",
            CheckSeverity::Error => "error",
        };
        let (skip, experimental) = (rules(skip), rules(experimental));
        out.push_str(&format!("check {} skip {skip} experimental {experimental} {severity}\n", place(*span)));
    }
    out
}

fn rules(rules: &RuleSet) -> String {
    match rules {
        RuleSet::All => "all".to_owned(),
        RuleSet::Named(names) => format!("{names:?}"),
    }
}

fn place(span: SourceSpan) -> String {
    match span.end_line == span.line {
        true => format!("{}:{}", span.line, span.column),
        false => format!("{}:{}-{}", span.line, span.column, span.end_line),
    }
}

fn word(word: &Word) -> String {
    let mark = match word.spelling {
        Spelling::Verbatim => "",
        Spelling::Rewritten => "~",
    };
    format!("{mark}{:?}@{}", word.text, place(word.span))
}

fn words(words: &[Word]) -> Vec<String> {
    words.iter().map(word).collect()
}

/// Writes the comments above an instruction and its line.
fn line(indent: &str, heading: &Heading, name: &str, words: &[String]) -> String {
    let mut out = String::new();
    for comment in &heading.comments {
        out.push_str(&format!("{indent}comment {comment:?}\n"));
    }
    out.push_str(&format!("{indent}{} {name}", place(heading.span)));
    if heading.name.text != name {
        out.push_str(&format!(" written {:?}", heading.name.text));
    }
    for word in words {
        out.push(' ');
        out.push_str(word);
    }
    out.push('\n');
    out
}

fn from(from: &From) -> String {
    let mut words = vec![word(&from.image)];
    words.extend(from.platform.as_ref().map(|platform| format!("platform {}", word(platform))));
    if let Some(name) = &from.name {
        words.push(format!("{} {} called {:?}", word(&name.keyword), word(&name.written), name.text));
    }
    line("", &from.heading, "FROM", &words)
}

fn instruction(indent: &str, instruction: &Instruction) -> String {
    let (name, arguments) = match &instruction.command {
        Command::Copy(copy) => copy_words(copy),
        Command::Arg(list) => ("ARG", declarations(list)),
        Command::Cmd(command) => ("CMD", vec![invocation(command)]),
        Command::Entrypoint(command) => ("ENTRYPOINT", vec![invocation(command)]),
        Command::Env(list) => ("ENV", pairs(list)),
        Command::Expose(ports) => ("EXPOSE", words(ports)),
        Command::Healthcheck(check) => ("HEALTHCHECK", healthcheck(check)),
        Command::Label(list) => ("LABEL", pairs(list)),
        Command::Maintainer(name) => ("MAINTAINER", vec![format!("{name:?}")]),
        Command::OnBuild(trigger) => ("ONBUILD", vec![format!("{:?}", trigger.text)]),
        Command::Run(run) => ("RUN", run_words(run)),
        Command::Shell(shell) => ("SHELL", vec![format!("{shell:?}")]),
        Command::StopSignal(signal) => ("STOPSIGNAL", vec![word(signal)]),
        Command::User(user) => ("USER", vec![word(user)]),
        Command::Volume(paths) => ("VOLUME", words(paths)),
        Command::Workdir(path) => ("WORKDIR", vec![word(path)]),
    };
    let mut out = line(indent, &instruction.heading, name, &arguments);
    for document in documents(&instruction.command) {
        out.push_str(&here_document(indent, document));
    }
    if let Command::OnBuild(trigger) = &instruction.command {
        out.push_str(&self::instruction(&format!("{indent}  "), &trigger.trigger));
    }
    out
}

fn documents(command: &Command) -> &[HereDocument] {
    match command {
        Command::Copy(copy) => &copy.documents,
        Command::Run(run) => &run.documents,
        Command::Arg(_)
        | Command::Cmd(_)
        | Command::Entrypoint(_)
        | Command::Env(_)
        | Command::Expose(_)
        | Command::Healthcheck(_)
        | Command::Label(_)
        | Command::Maintainer(_)
        | Command::OnBuild(_)
        | Command::Shell(_)
        | Command::StopSignal(_)
        | Command::User(_)
        | Command::Volume(_)
        | Command::Workdir(_) => &[],
    }
}

fn here_document(indent: &str, document: &HereDocument) -> String {
    let mut out =
        format!("{indent}  document {} {:?} {:?}", place(document.span), document.name, document.written);
    if !document.descriptor.is_empty() {
        out.push_str(&format!(" descriptor {}", document.descriptor));
    }
    if document.expansion == Expansion::None {
        out.push_str(" literal");
    }
    if document.tabs == Tabs::Strip {
        out.push_str(&format!(" content {:?}", document.content));
    }
    out.push('\n');
    out
}

fn declarations(declarations: &[ArgumentDeclaration]) -> Vec<String> {
    declarations
        .iter()
        .map(|ArgumentDeclaration { name, default }| match default {
            Some(default) => format!("{} = {}", word(name), word(default)),
            None => word(name),
        })
        .collect()
}

fn pairs(pairs: &[Pair]) -> Vec<String> {
    pairs
        .iter()
        .map(|Pair { key, value, separator }| {
            let separator = match separator {
                Separator::Equals => "=",
                Separator::Blank => "blank",
            };
            format!("{} {separator} {}", word(key), word(value))
        })
        .collect()
}

fn invocation(command: &Invocation) -> String {
    match command {
        Invocation::Shell(text) => format!("shell {text:?}"),
        Invocation::Exec(arguments) => format!("exec {arguments:?}"),
    }
}

fn flag(out: &mut Vec<String>, name: &str, value: Option<&Word>) {
    out.extend(value.map(|value| format!("{name} {}", word(value))));
}

fn switch(out: &mut Vec<String>, name: &str, value: Option<Switch>) {
    let value = match value {
        None => return,
        Some(Switch::On) => "on",
        Some(Switch::Off) => "off",
    };
    out.push(format!("{name} {value}"));
}

fn copy_words(copy: &Copy) -> (&'static str, Vec<String>) {
    let (flags, mut out) = (&copy.flags, Vec::new());
    flag(&mut out, "from", flags.from.as_ref());
    flag(&mut out, "chown", flags.owner.as_ref());
    flag(&mut out, "chmod", flags.mode.as_ref());
    flags.excludes.iter().for_each(|exclude| flag(&mut out, "exclude", Some(exclude)));
    flag(&mut out, "checksum", flags.checksum.as_ref());
    switch(&mut out, "link", flags.link);
    switch(&mut out, "parents", flags.parents);
    switch(&mut out, "keep-git-dir", flags.keep_git_directory);
    switch(&mut out, "unpack", flags.unpack);
    out.extend(words(&copy.sources));
    out.push(format!("to {}", word(&copy.destination)));
    (copy.kind.name(), out)
}

fn run_words(run: &Run) -> Vec<String> {
    let mut out = Vec::new();
    match run.network {
        Network::Default => {}
        Network::None => out.push("network none".to_owned()),
        Network::Host => out.push("network host".to_owned()),
    }
    match run.security {
        Security::Sandbox => {}
        Security::Insecure => out.push("security insecure".to_owned()),
    }
    for mount in &run.mounts {
        let mut text = format!("mount {}", word(&mount.word));
        for option in &mount.options {
            // Writing to a string cannot fail.
            let written = match &option.value {
                Some(value) => write!(text, " {}={value:?}", option.key),
                None => write!(text, " {}", option.key),
            };
            written.unwrap_or_default();
        }
        out.push(format!("[{text}]"));
    }
    run.devices.iter().for_each(|device| flag(&mut out, "device", Some(device)));
    out.push(invocation(&run.command));
    out
}

fn healthcheck(check: &Healthcheck) -> Vec<String> {
    let mut out = vec![format!("{:?}", check.test)];
    for (name, value) in [
        ("interval", check.interval),
        ("timeout", check.timeout),
        ("start-period", check.start_period),
        ("start-interval", check.start_interval),
        ("retries", check.retries),
    ] {
        if value != 0 {
            out.push(format!("{name} {value}"));
        }
    }
    out
}
