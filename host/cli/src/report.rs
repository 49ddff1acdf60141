//! What the user is told at the end: the error with its causes and a hint, and the exit status.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use zoea::Kind;

use crate::error::CliError;
use crate::visible::visible_lines;

/// The exit status of `--check` where a build check complains, as of `docker build --check`.
pub(crate) const COMPLAINTS: u8 = 1;

/// The exit status of each kind of failure; a failed RUN passes on its own.
fn status(kind: Kind) -> u8 {
    match kind {
        Kind::Step(status) => status,
        Kind::Usage => 2,
        Kind::Dockerfile => 65,
        Kind::Environment => 69,
        Kind::Internal => 70,
        Kind::Remote => 75,
    }
}

/// Returns the error as text: `error: …`, a line for each cause, then `hint: …`.
pub(crate) fn text(error: &CliError) -> String {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing into a string cannot fail.
        writeln!(text, "  caused by: {error}").unwrap_or_default();
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        writeln!(text, "hint: {hint}").unwrap_or_default();
    }
    visible_lines(&text)
}

/// Returns the exit status of a failure.
pub(crate) fn exit_code(error: &CliError) -> ExitCode {
    ExitCode::from(status(error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_passes_its_status_on() {
        assert_eq!(status(Kind::Step(3)), 3);
        assert_eq!(status(Kind::Dockerfile), 65);
    }

    #[test]
    fn causes_and_hint_are_shown() {
        let error = CliError::File {
            action: "read",
            path: "a".into(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        };
        assert_eq!(text(&error), "error: Failed to read `a`\n  caused by: entity not found\n");
        let hostile = CliError::Flag { flag: "--tag", value: "\u{1b}[2J".to_owned(), reason: "x".to_owned() };
        assert!(!text(&hostile).contains('\u{1b}'));
        assert!(text(&CliError::StateDirectory { tried: String::new() }).contains("hint: "));
    }
}
