//! Several errors of one Dockerfile: collected while it is read, shown together.
//!
//! Owns how many are kept. What an error is and says is in [`error`](crate::error).

use zoea_model::Warning;

use crate::error::DockerfileError;

/// The most errors that are kept and shown: more than anyone mends in one go, and each may hold a long text.
const MOST_ERRORS: usize = 20;

/// The errors that were found so far, none to begin with.
#[derive(Debug, Default)]
pub(crate) struct ErrorList {
    errors: Vec<DockerfileError>,
    more: usize,
}

impl ErrorList {
    /// Adds one, or counts it if there are many.
    pub(crate) fn push(&mut self, error: DockerfileError) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Adds those of another list.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.more += others.more;
        self.extend(others.errors);
        self
    }

    /// Says whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Fails if there is any.
    pub(crate) fn finish(self) -> Result<(), DockerfileErrors> {
        let more = self.more;
        match DockerfileErrors::collect(self.errors) {
            Some(errors) => Err(DockerfileErrors { more: errors.more + more, ..errors }),
            None => Ok(()),
        }
    }
}

impl Extend<DockerfileError> for ErrorList {
    fn extend<T: IntoIterator<Item = DockerfileError>>(&mut self, errors: T) {
        errors.into_iter().for_each(|error| self.push(error));
    }
}

/// What was found wrong with a Dockerfile, in the order of the file; at least one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileErrors {
    first: DockerfileError,
    others: Vec<DockerfileError>,
    /// How many were found beyond these.
    more: usize,
    /// What the user should know besides.
    warnings: Vec<Warning>,
}

impl DockerfileErrors {
    /// Collects errors; none when there is none.
    pub(crate) fn collect(errors: impl IntoIterator<Item = DockerfileError>) -> Option<Self> {
        let mut errors: Vec<DockerfileError> = errors.into_iter().collect();
        errors.sort_by_key(DockerfileError::span);
        let more = errors.len().saturating_sub(MOST_ERRORS);
        errors.truncate(MOST_ERRORS);
        let mut errors = errors.into_iter();
        Some(Self { first: errors.next()?, others: errors.collect(), more, warnings: Vec::new() })
    }

    /// Returns the first error in the file.
    pub fn first(&self) -> &DockerfileError {
        &self.first
    }

    /// Returns the errors that were kept.
    pub fn iter(&self) -> impl Iterator<Item = &DockerfileError> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Adds what the user should know besides.
    pub(crate) fn with_warnings(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }

    /// Returns what the user should know besides: the build checks that complain of other places.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Says how many more there are, if there are.
    fn rest(&self) -> Option<String> {
        match self.more {
            0 => None,
            1 => Some("One more error is not shown".to_owned()),
            more => Some(format!("{more} more errors are not shown")),
        }
    }

    /// Shows every error with its line, as [`DockerfileError::render`] does.
    pub fn render(&self, file_name: &str, text: &[u8]) -> String {
        let mut out: String = self.iter().map(|error| error.render(file_name, text)).collect();
        if let Some(rest) = self.rest() {
            out.push_str(&rest);
            out.push('\n');
        }
        out
    }
}

impl From<DockerfileError> for DockerfileErrors {
    fn from(first: DockerfileError) -> Self {
        Self { first, others: Vec::new(), more: 0, warnings: Vec::new() }
    }
}

impl std::fmt::Display for DockerfileErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.first.fmt(f)?;
        for error in &self.others {
            write!(f, "\n{error}")?;
        }
        match self.rest() {
            Some(rest) => write!(f, "\n{rest}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DockerfileErrors {}

#[cfg(test)]
mod tests {
    use zoea_model::SourceSpan;

    use super::*;
    use crate::error::Problem;

    fn error(line: usize) -> DockerfileError {
        Problem::NotText.at(SourceSpan { line, column: 1, end_line: line })
    }

    #[test]
    fn errors_are_sorted_and_bounded() {
        assert!(ErrorList::default().finish().is_ok());
        let mut list = ErrorList::default();
        (1..=MOST_ERRORS + 2).rev().for_each(|line| list.push(error(line)));
        let errors = list.finish().unwrap_err();
        assert_eq!(errors.iter().count(), MOST_ERRORS);
        assert_eq!(errors.first().span().unwrap().line, 3);
        assert!(errors.to_string().ends_with("\n2 more errors are not shown"), "{errors}");
        assert!(errors.render("D", b"").ends_with("\n2 more errors are not shown\n"));
    }
}
