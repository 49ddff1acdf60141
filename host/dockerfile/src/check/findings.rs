//! Where findings are collected, each with its place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use zoea_model::{SourceSpan, Warning};

use crate::ast::Heading;
use crate::directives::CheckSeverity;
use crate::error::Problem;
use crate::error_list::DockerfileErrors;
use crate::lower::{Finished, Outcome};
use crate::request::Lowered;

use super::settings::{Choice, Settings};
use super::{Finding, Rule};

/// The most findings that are kept: more than anyone reads, and little memory.
const MOST_FINDINGS: usize = 1000;

/// Collects what the rules complain of, sorted by place, each complaint once.
///
/// Words are replaced deep inside of the lowering of an instruction, so that the instruction is told beforehand.
#[derive(Debug)]
pub(crate) struct Findings {
    settings: Settings,
    current: RefCell<Current>,
    found: RefCell<BTreeMap<(SourceSpan, Rule, String), Option<String>>>,
}

/// The instruction that findings are about.
#[derive(Debug, Default)]
struct Current {
    span: SourceSpan,
    choice: Choice,
}

impl Findings {
    /// Begins with none.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, current: RefCell::default(), found: RefCell::default() }
    }

    /// Says that findings are about another instruction from now on.
    pub(crate) fn enter(&self, heading: &Heading) {
        let choice = self.settings.own_choice(heading);
        self.current.replace(Current { span: heading.span, choice });
    }

    /// Returns the place of the current instruction.
    pub(crate) fn place(&self) -> SourceSpan {
        self.current.borrow().span
    }

    /// Adds a finding about the current instruction.
    pub(crate) fn report(&self, finding: &Finding) {
        let span = self.current.borrow().span;
        self.report_at(span, finding);
    }

    /// Adds a finding about another place, as far as the current instruction's rules complain.
    pub(crate) fn report_at(&self, span: SourceSpan, finding: &Finding) {
        if self.settings.complains(finding.rule(), &self.current.borrow().choice) {
            self.add(span, finding);
        }
    }

    /// Adds a finding about the file as a whole, where comments above an instruction do not count.
    pub(crate) fn report_of_file(&self, span: SourceSpan, finding: &Finding) {
        if self.settings.complains(finding.rule(), &Choice::default()) {
            self.add(span, finding);
        }
    }

    fn add(&self, span: SourceSpan, finding: &Finding) {
        if !self.is_full() {
            let key = (span, finding.rule(), finding.message());
            self.found.borrow_mut().insert(key, finding.hint());
        }
    }

    /// Says whether no more findings are kept, so that none need be looked for.
    pub(crate) fn is_full(&self) -> bool {
        self.found.borrow().len() > MOST_FINDINGS
    }

    /// Adds the findings to what came of the file; where they are to fail the build, they do.
    pub(crate) fn conclude(
        self,
        outcome: Result<Outcome, DockerfileErrors>,
    ) -> Result<Lowered, DockerfileErrors> {
        let mut found = self.warnings();
        match outcome {
            Err(errors) => Err(errors.with_warnings(found)),
            Ok(Outcome::Needs(needs)) => Ok(Lowered::Needs(needs)),
            Ok(Outcome::Finished(Finished { plan, warnings, .. })) => {
                let rules = self.rules();
                found.extend(warnings);
                found.sort_by_key(|warning| (warning.span.is_none(), warning.span));
                match self.settings.severity() {
                    CheckSeverity::Error if !rules.is_empty() => {
                        let errors = DockerfileErrors::from(Problem::Checks { rules }.nowhere());
                        Err(errors.with_warnings(found))
                    }
                    CheckSeverity::Error | CheckSeverity::Warning => {
                        Ok(Lowered::Plan { plan, warnings: found })
                    }
                }
            }
        }
    }

    /// Returns the names of the rules that complain, each once.
    fn rules(&self) -> Vec<&'static str> {
        let rules: BTreeSet<Rule> = self.found.borrow().keys().map(|(_, rule, _)| *rule).collect();
        rules.into_iter().map(Rule::name).collect()
    }

    /// Returns the findings so far as warnings.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let found = self.found.borrow();
        let mut warnings: Vec<Warning> = found
            .iter()
            .take(MOST_FINDINGS)
            .map(|((span, rule, message), hint)| Warning {
                span: Some(*span),
                message: message.clone(),
                rule: Some(rule.name()),
                hint: hint.clone(),
            })
            .collect();
        if found.len() > MOST_FINDINGS {
            warnings.push(Warning::new(format!("There are more than {MOST_FINDINGS} findings")));
        }
        warnings
    }
}
