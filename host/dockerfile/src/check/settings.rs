//! Which rules complain, and what a complaint does.
//!
//! Owns how the directive `check`, the build argument that replaces it and the comments above an instruction go
//! together.

use zoea_model::SourceSpan;

use crate::ast::Heading;
use crate::directives::{self, Check, CheckSeverity, Directives, RuleSet};
use crate::error::{DockerfileError, Problem};
use crate::request::Request;

use super::{Maturity, Rule};

/// The build argument that is taken instead of the directive `check`.
pub(crate) const CHECK_ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// The choice that holds for a whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    choice: Choice,
    severity: CheckSeverity,
}

/// Rules that are skipped, and experimental ones that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    skip: RuleSet,
    experimental: RuleSet,
}

impl From<Check> for Choice {
    fn from(Check { skip, experimental, .. }: Check) -> Self {
        Self { skip, experimental }
    }
}

impl Settings {
    /// Returns the choice of a file, or of the build argument that replaces it.
    pub(crate) fn new(directives: &Directives, request: &Request) -> Result<Self, DockerfileError> {
        let check = match request.build_args.get(CHECK_ARGUMENT).map(|value| value.trim()) {
            Some("") => None,
            Some(value) => Some(directives::check(value, SourceSpan::default()).map_err(Problem::nowhere)?),
            None => directives.check.clone(),
        };
        let severity = check.as_ref().map_or_else(CheckSeverity::default, |check| check.severity);
        Ok(Self { choice: check.map(Choice::from).unwrap_or_default(), severity })
    }

    /// Says what a complaint does to the build.
    pub(crate) fn severity(&self) -> CheckSeverity {
        self.severity
    }

    /// Says whether `rule` complains where the comments above an instruction choose `own` too.
    pub(crate) fn complains(&self, rule: Rule, own: &Choice) -> bool {
        let named = |set: &RuleSet| match set {
            RuleSet::All => true,
            RuleSet::Named(names) => names.iter().any(|name| name == rule.name()),
        };
        match rule.maturity() {
            Maturity::Stable => !named(&self.choice.skip) && !named(&own.skip),
            Maturity::Experimental => named(&self.choice.experimental) || named(&own.experimental),
        }
    }

    /// Returns what the first `check=…` in the comments above an instruction chooses.
    ///
    /// Words behind it explain it. One that cannot be read chooses nothing, as in BuildKit.
    pub(crate) fn own_choice(&self, heading: &Heading) -> Choice {
        let written = heading.comments.iter().filter_map(|comment| directives::split(comment));
        let first = written.into_iter().find(|(key, _)| key == "check");
        first
            .and_then(|(_, value)| directives::check(value.split(' ').next()?, heading.span).ok())
            .map(Choice::from)
            .unwrap_or_default()
    }
}
