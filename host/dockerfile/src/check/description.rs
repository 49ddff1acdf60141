//! Comments that describe a stage or an argument.

use crate::ast::{ArgumentDeclaration, Command, Dockerfile, Heading};

use super::{Finding, Findings};

/// Stands for the name where an instruction declares several.
const ANY_NAME: &str = "<name>";

/// Checks that the last comment above a named stage or an `ARG` begins with a name that is defined there.
pub(super) fn check_descriptions(dockerfile: &Dockerfile, findings: &Findings) {
    for arguments in &dockerfile.global_arguments {
        check_arguments(&arguments.heading, &arguments.declarations, findings);
    }
    for stage in &dockerfile.stages {
        if let Some(name) = &stage.from.name {
            check(&stage.from.heading, "FROM", &[name.text.as_str()], findings);
        }
        for instruction in &stage.instructions {
            if let Command::Arg(declarations) = &instruction.command {
                check_arguments(&instruction.heading, declarations, findings);
            }
        }
    }
}

fn check_arguments(heading: &Heading, declarations: &[ArgumentDeclaration], findings: &Findings) {
    let names: Vec<&str> = declarations.iter().map(|declaration| declaration.name.text.as_str()).collect();
    check(heading, "ARG", &names, findings);
}

fn check(heading: &Heading, instruction: &'static str, names: &[&str], findings: &Findings) {
    let (Some(comment), Some(first)) = (heading.comments.last(), names.first()) else { return };
    if names.contains(&comment.split(' ').next().unwrap_or_default()) {
        return;
    }
    let name = if names.len() > 1 { ANY_NAME } else { first };
    findings.enter(heading);
    findings.report(&Finding::Description { instruction, name: name.to_owned() });
}
