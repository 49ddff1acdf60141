//! The names of stages, and `MAINTAINER`.

use std::collections::BTreeSet;

use crate::ast::{Command, Dockerfile};

use super::{Finding, Findings};

/// The names that `FROM` and `--from` take for something else.
const RESERVED: [&str; 2] = ["context", "scratch"];

/// Checks that every stage has a name of its own and none that is reserved, and that nobody is a maintainer.
pub(super) fn check_stage_names(dockerfile: &Dockerfile, findings: &Findings) {
    let mut seen = BTreeSet::new();
    for stage in &dockerfile.stages {
        if let Some(name) = &stage.from.name {
            let span = stage.from.heading.span;
            if RESERVED.contains(&name.text.as_str()) {
                findings.report_of_file(span, &Finding::ReservedStage { name: name.text.clone() });
            }
            if !seen.insert(name.text.as_str()) {
                findings.report_of_file(span, &Finding::DuplicateStage { name: name.text.clone() });
            }
        }
        for instruction in &stage.instructions {
            if matches!(instruction.command, Command::Maintainer(_)) {
                findings.enter(&instruction.heading);
                findings.report(&Finding::Maintainer);
            }
        }
    }
}
