//! A bound on what a Dockerfile may grow to.
//!
//! A few kilobytes can multiply: a variable stands in many words, each `RUN` holds the whole environment, each
//! stage its base's configuration. Every such copy is paid for here, so that no file fills the memory.

use std::cell::Cell;

use zoea_model::SourceSpan;

use crate::error::{DockerfileError, Problem};

/// The most text that a plan holds: many times what a Dockerfile of five thousand lines comes to.
const LARGEST_PLAN: usize = 128 << 20;

/// What a text costs beside its bytes: its handle, and what the allocator adds. One letter is no cheaper to hold.
pub(crate) const BYTES_PER_TEXT: usize = 48;

/// What is left to spend, in bytes.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(LARGEST_PLAN))
    }
}

impl Budget {
    /// Pays for `bytes` of what stands at `span`.
    pub(crate) fn spend(&self, bytes: usize, span: SourceSpan) -> Result<(), DockerfileError> {
        match self.0.get().checked_sub(bytes) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(Problem::PlanTooLarge { limit: LARGEST_PLAN }.at(span)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_gone() {
        let budget = Budget::default();
        let span = SourceSpan::default();
        assert!(budget.spend(LARGEST_PLAN - 1, span).is_ok());
        assert!(budget.spend(2, span).is_err());
        assert!(budget.spend(1, span).is_ok());
        assert!(budget.spend(usize::MAX, span).is_err());
    }
}
