//! What a check found: places and what is wrong with them.
//!
//! A check answers with all its findings and never stops at the first, so that one run shows everything.

use std::fmt;

use anyhow::{Result, bail};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// A crate or a file.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) problem: String,
}

impl Finding {
    /// Makes a finding.
    pub(crate) fn new(place: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { place: place.to_string(), problem: problem.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// Prints every finding of the check `name`.
///
/// # Errors
/// There is one or more.
pub(crate) fn report(name: &str, findings: &[Finding]) -> Result<()> {
    for finding in findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("{name}: nothing found");
            Ok(())
        }
        count => bail!("{name}: {count} found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_fails_the_check() {
        assert!(report("check", &[]).is_ok());
        let error = report("check", &[Finding::new("a.rs", "is long")]).unwrap_err();
        assert_eq!(error.to_string(), "check: 1 found");
    }
}
