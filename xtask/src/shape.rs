//! The shape of source files: small, named by a noun, opening with what they own.
//!
//! Knows nothing of what the code does.

use anyhow::Result;

use crate::finding::{Finding, report};
use crate::source::SourceFile;
use crate::workspace::Workspace;

/// The most lines of code in one file; a file that grows to it holds more than one concept.
const MOST_CODE_LINES: usize = 500;

/// Names that say nothing of what a file owns; everything ends up in them.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helper", "helpers", "manager", "misc"];

/// Checks every source file of the workspace.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let sources = workspace.packages.values().flat_map(|package| &package.sources);
    report("shape", &sources.flat_map(check).collect::<Vec<_>>())
}

fn check(source: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |problem: String| findings.push(Finding::new(source.path.display(), problem));
    let lines = source.code_lines();
    if lines > MOST_CODE_LINES {
        found(format!("has {lines} lines of code; {MOST_CODE_LINES} is the most"));
    }
    if !source.has_documentation() {
        found("does not begin with `//!`: what it owns, what it must not do, what it keeps".to_owned());
    }
    let words = source.path.iter().filter_map(|part| part.to_str());
    for word in words.map(|word| word.strip_suffix(".rs").unwrap_or(word)) {
        if EMPTY_NAMES.contains(&word) {
            found(format!("is named `{word}`, which says nothing; name the concept"));
        }
    }
    if source.is_library_root() && !source.is_table_of_contents() {
        found("holds more than documentation, attributes, modules and public re-exports".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let source = SourceFile::parse(path.into(), text).unwrap();
        check(&source).into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn a_lawful_file_passes() {
        assert_eq!(problems("src/layer.rs", "//! Owns layers.\nfn a() {}\n"), [""; 0]);
        assert_eq!(problems("src/lib.rs", "//! Owns layers.\nmod layer;\n"), [""; 0]);
    }

    #[test]
    fn a_long_file_is_found() {
        let lines = |count| format!("//! A.\n{}", "const _: () = ();\n".repeat(count));
        assert!(problems("a.rs", &lines(MOST_CODE_LINES)).is_empty());
        assert_eq!(problems("a.rs", &lines(MOST_CODE_LINES + 1)).len(), 1);
    }

    #[test]
    fn a_file_without_its_purpose_is_found() {
        assert_eq!(problems("a.rs", "fn a() {}").len(), 1);
    }

    #[test]
    fn an_empty_name_is_found() {
        assert_eq!(problems("src/utils.rs", "//! A.").len(), 1);
        assert_eq!(problems("src/common/layer.rs", "//! A.").len(), 1);
        assert!(problems("src/commonplace.rs", "//! A.").is_empty());
    }

    #[test]
    fn code_in_a_library_root_is_found() {
        assert_eq!(problems("src/lib.rs", "//! A.\nfn a() {}").len(), 1);
        assert!(problems("src/main.rs", "//! A.\nfn main() {}").is_empty());
    }
}
