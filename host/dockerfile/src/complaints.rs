//! The errors of one lowering, collected so that one run says all of them.
//!
//! Owns what is worth saying: what is only a consequence of something that is said already is left out.

use crate::error::{DockerfileError, Problem};
use crate::error_list::{DockerfileErrors, ErrorList};

/// How many errors are compared with those that come: as many as are shown.
const MOST_COMPARED: usize = 20;

/// Errors so far.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    errors: ErrorList,
    /// The first of them.
    compared: Vec<DockerfileError>,
    /// The first consequence of an error, or of an image that is not known yet.
    consequence: Option<DockerfileError>,
    end: End,
}

/// Whether it makes sense to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Open,
    /// A limit is passed: whatever comes would pass it too.
    Final,
}

impl Complaints {
    /// Adds an error.
    pub(crate) fn push(&mut self, error: DockerfileError) {
        if self.is_final() || is_of_unknown_image(error.problem()) {
            return self.leave_out(error);
        }
        if matches!(error.problem(), Problem::PlanTooLarge { .. } | Problem::TooManyTriggers { .. }) {
            self.end = End::Final;
        }
        if self.compared.iter().any(|known| says_as_much(known, &error)) {
            return;
        }
        if self.compared.len() < MOST_COMPARED {
            self.compared.push(error.clone());
        }
        self.errors.push(error);
    }

    /// Leaves out what is only a consequence.
    pub(crate) fn leave_out(&mut self, error: DockerfileError) {
        self.consequence.get_or_insert(error);
    }

    /// Returns the value, or keeps the error.
    pub(crate) fn keep<T>(&mut self, result: Result<T, DockerfileError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Says whether to stop looking.
    pub(crate) fn is_final(&self) -> bool {
        self.end == End::Final
    }

    /// Fails with all errors; else returns the consequence that was left out, which must have another reason.
    pub(crate) fn finish(self) -> Result<Option<DockerfileError>, DockerfileErrors> {
        self.errors.finish()?;
        Ok(self.consequence)
    }
}

/// Says whether `error` adds nothing to `known`.
fn says_as_much(known: &DockerfileError, error: &DockerfileError) -> bool {
    // What closes a circle may lead forward too.
    let circle = matches!(known.problem(), Problem::CircularReference { .. })
        && matches!(error.problem(), Problem::ForwardReference { .. });
    known == error || circle && known.span() == error.span()
}

/// Says whether an image is asked for that is not known yet, perhaps by a trigger.
fn is_of_unknown_image(problem: &Problem) -> bool {
    let mut problem = problem;
    while let Problem::InTrigger { problem: inner, .. } = problem {
        problem = inner;
    }
    matches!(problem, Problem::ImageNotKnown { .. })
}

#[cfg(test)]
mod tests {
    use zoea_model::SourceSpan;

    use super::*;

    #[test]
    fn consequences_are_left_out() {
        let span = |line| SourceSpan { line, column: 1, end_line: line };
        let mut errors = Complaints::default();
        assert_eq!(errors.keep(Ok(1)), Some(1));
        errors.push(Problem::ImageNotKnown { name: "x".to_owned() }.at(span(1)));
        errors.push(Problem::BlankVolume.at(span(3)));
        errors.push(Problem::BlankVolume.at(span(2)));
        errors.push(Problem::BlankVolume.at(span(3)));
        errors.push(Problem::PlanTooLarge { limit: 1 }.at(span(4)));
        errors.push(Problem::PlanTooLarge { limit: 1 }.at(span(5)));
        let lines: Vec<usize> =
            errors.finish().unwrap_err().iter().map(|error| error.span().unwrap().line).collect();
        assert_eq!(lines, [2, 3, 4]);
        let mut unknown = Complaints::default();
        unknown.push(Problem::ImageNotKnown { name: "x".to_owned() }.at(span(1)));
        assert!(unknown.finish().unwrap().is_some());
        assert!(Complaints::default().finish().unwrap().is_none());
    }
}
