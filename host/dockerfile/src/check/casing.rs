//! Capitals and small letters: instructions, `AS`, stage names.

use crate::ast::{Dockerfile, From, Heading};

use super::finding::Case;
use super::{Finding, Findings};

/// Checks the case of instructions, of `AS`, and of the names of stages.
pub(super) fn check_casing(dockerfile: &Dockerfile, findings: &Findings) {
    for stage in &dockerfile.stages {
        findings.enter(&stage.from.heading);
        check_from(&stage.from, findings);
    }
    // The arguments before the first `FROM` neither count nor are counted, as in BuildKit.
    let headings = || {
        dockerfile.stages.iter().flat_map(|stage| {
            std::iter::once(&stage.from.heading).chain(stage.instructions.iter().map(|one| &one.heading))
        })
    };
    let majority = majority(headings());
    for heading in headings() {
        let name = &heading.name.text;
        let fits = match majority {
            Case::Lower => is_lower(name),
            Case::Upper => is_upper(name),
        };
        if !fits {
            let finding = Finding::InstructionCasing { name: name.clone(), majority };
            findings.report_of_file(heading.span, &finding);
        }
    }
}

/// Returns the case of most instructions; capitals, if there are as many of both.
fn majority<'a>(headings: impl Iterator<Item = &'a Heading>) -> Case {
    let (mut lower, mut upper) = (0_usize, 0_usize);
    for heading in headings {
        lower += usize::from(is_lower(&heading.name.text));
        upper += usize::from(is_upper(&heading.name.text));
    }
    if lower > upper { Case::Lower } else { Case::Upper }
}

fn check_from(from: &From, findings: &Findings) {
    let Some(name) = &from.name else { return };
    if name.written.text != name.written.text.to_lowercase() {
        findings.report(&Finding::StageCasing { name: name.written.text.clone() });
    }
    let (own, keyword) = (&from.heading.name.text, &name.keyword.text);
    let fits = match (is_lower(own), is_upper(own)) {
        (true, _) => is_lower(keyword),
        (false, true) => is_upper(keyword),
        // Another rule complains of `From`.
        (false, false) => true,
    };
    if !fits {
        findings.report(&Finding::AsCasing { from: own.clone(), keyword: keyword.clone() });
    }
}

fn is_lower(word: &str) -> bool {
    word == word.to_lowercase()
}

fn is_upper(word: &str) -> bool {
    word == word.to_uppercase()
}
