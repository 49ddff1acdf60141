//! A [`Dockerfile`] back to the text of one.
//!
//! Owns one promise: the text reads as the same tree, but for places and for comments that belong to no instruction,
//! and it is the same text again when that tree is printed. Continuations are joined, so that an instruction is one
//! line above its here-documents.

use crate::ast::{
    ArgumentDeclaration, Command, Dockerfile, From, GlobalArguments, Heading, HereDocument, Instruction, Word,
};
use crate::directives::{CheckSeverity, Directives, Escape, RuleSet};

/// From where on a line is broken at the next character that may begin one: the language allows 65,535 bytes, and no real
/// file has thousands of blanks or `#` in a row.
const LONGEST_LINE: usize = 60_000;

/// Writes a tree as a Dockerfile.
pub fn print(dockerfile: &Dockerfile) -> String {
    let mut printer =
        Printer { escape: dockerfile.directives.escape, out: directives(&dockerfile.directives) };
    for arguments in &dockerfile.global_arguments {
        printer.arguments(arguments);
    }
    for stage in &dockerfile.stages {
        printer.from(&stage.from);
        for instruction in &stage.instructions {
            printer.instruction(instruction);
        }
    }
    printer.out
}

/// Writes the directives, and a blank line after them, so that no comment below is taken for one.
fn directives(directives: &Directives) -> String {
    let mut out = String::new();
    if let Some(syntax) = &directives.syntax {
        out.push_str(&format!("# syntax={}\n", syntax.text));
    }
    if directives.escape != Escape::Backslash {
        out.push_str(&format!("# escape={}\n", directives.escape.character()));
    }
    if let Some(check) = &directives.check {
        let severity = match check.severity {
            CheckSeverity::Warning => "false",
            CheckSeverity::Error => "true",
        };
        let (skip, experimental) = (rules("skip", &check.skip), rules("experimental", &check.experimental));
        out.push_str(&format!("# check={skip}{experimental}error={severity}\n"));
    }
    out.push('\n');
    out
}

fn rules(name: &str, rules: &RuleSet) -> String {
    match rules {
        RuleSet::All => format!("{name}=all;"),
        RuleSet::Named(names) if names.is_empty() => String::new(),
        RuleSet::Named(names) => format!("{name}={};", names.join(",")),
    }
}

/// A Dockerfile that is being written.
struct Printer {
    escape: Escape,
    out: String,
}

impl Printer {
    fn arguments(&mut self, arguments: &GlobalArguments) {
        let words: Vec<String> = arguments
            .declarations
            .iter()
            .map(|ArgumentDeclaration { name, default }| match default {
                Some(default) => format!("{}={}", name.text, default.text),
                None => name.text.clone(),
            })
            .collect();
        self.words(&arguments.heading, String::new(), words);
    }

    fn from(&mut self, from: &From) {
        let mut words = vec![from.image.text.clone()];
        if let Some(name) = &from.name {
            words.extend([name.keyword.text.clone(), name.written.text.clone()]);
        }
        let platform = from.platform.as_ref().map(|platform| flag("platform", platform));
        self.words(&from.heading, platform.unwrap_or_default(), words);
    }

    /// Writes a line of `flags` and `words`, of which the first one may look like a flag.
    fn words(&mut self, heading: &Heading, flags: String, words: Vec<String>) {
        let end = if words.first().is_some_and(|word| word.starts_with("--")) { "-- " } else { "" };
        self.line(heading, &format!("{flags}{end}{}", words.join(" ")));
    }

    fn instruction(&mut self, instruction: &Instruction) {
        let heading = &instruction.heading;
        if let Command::OnBuild(trigger) = &instruction.command {
            // Its text holds its here-documents as well.
            let (line, documents) = match trigger.text.split_once('\n') {
                Some((line, documents)) => (line, Some(documents)),
                None => (trigger.text.as_str(), None),
            };
            self.line(heading, line);
            if let Some(documents) = documents {
                self.out.push_str(documents);
                self.out.push('\n');
            }
            return;
        }
        // The text begins with the name in capitals and one blank.
        self.line(heading, instruction.text.get(heading.name.text.len() + 1..).unwrap_or_default());
        let documents: &[HereDocument] = match &instruction.command {
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
        };
        for document in documents {
            self.out.push_str(&document.written);
            self.out.push_str(&document.name);
            self.out.push('\n');
        }
    }

    /// Writes the comments above an instruction and its line, broken where it is too long.
    fn line(&mut self, heading: &Heading, arguments: &str) {
        for comment in &heading.comments {
            let blank = if comment.len() < LONGEST_LINE { " " } else { "" };
            self.out.push_str(&format!("#{blank}{comment}\n"));
        }
        let escape = self.escape.character();
        let line = format!("{} {arguments}", heading.name.text);
        let mut length = 0;
        let mut last = '\n';
        for character in line.chars() {
            // What follows a break must not be a comment, a blank line or another break.
            let apart =
                last != escape && character != escape && character != '#' && !character.is_whitespace();
            if length >= LONGEST_LINE && apart {
                self.out.push(escape);
                self.out.push('\n');
                length = 0;
            }
            self.out.push(character);
            length += character.len_utf8();
            last = character;
        }
        if line.ends_with(escape) && !line.ends_with(&String::from_iter([escape, escape])) {
            // A form feed is white space, but not to a continuation.
            self.out.push('\u{c}');
        }
        self.out.push('\n');
    }
}

/// Writes a flag with its value and a blank after it.
fn flag(name: &str, value: &Word) -> String {
    let mut out = format!("--{name}=");
    for character in value.text.chars() {
        if character.is_whitespace() || matches!(character, '\\' | '\'' | '"') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push(' ');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn instructions_are_written_on_one_line() {
        let text = "# syntax=x\n# c\nARG -- --a=\"b\"\n# d\nfrom --platform=\"a b\" x as Y\nRun a \\\n  b <<E\n\tc\nE\n\
                    ONBUILD copy <<-'E' /x  \n\tc\n\tE\n";
        let printed = print(&parse(text.as_bytes()).unwrap());
        assert_eq!(
            printed,
            "# syntax=x\n\n# c\nARG -- --a=\"b\"\n# d\nfrom --platform=a\\ b x as Y\nRun a   b <<E\n\tc\nE\n\
             ONBUILD copy <<-'E' /x  \n\tc\nE\n"
        );
        assert_eq!(print(&parse(printed.as_bytes()).unwrap()), printed);
    }

    #[test]
    fn long_lines_are_broken() {
        let word = "x # \\y ".repeat(20);
        let text = format!("FROM x\nRUN {}\n", format!("{word}\\\n").repeat(2_000));
        let tree = parse(text.as_bytes()).unwrap();
        let printed = print(&tree);
        assert!(printed.lines().all(|line| line.len() <= 65_535));
        let again = parse(printed.as_bytes()).unwrap();
        assert_eq!(tree.stages[0].instructions[0].text, again.stages[0].instructions[0].text);
    }
}
