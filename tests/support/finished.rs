//! A process that has ended, with all that it said.

use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What was run, for messages.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Runs `command` to its end without input.
    ///
    /// # Errors
    /// It cannot be started. That it fails is no error here.
    pub fn of(command: &mut Command) -> Result<Self> {
        let text = shown(command);
        let output =
            command.stdin(Stdio::null()).output().with_context(|| format!("Failed to start {text}"))?;
        Ok(Self {
            command: text,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Passes it on if it ended well.
    ///
    /// # Errors
    /// It ended with another status than 0; the message holds what it wrote.
    pub fn success(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        bail!("{} ended with {}\n{}{}", self.command, self.status, self.stdout, self.stderr)
    }

    /// Passes it on if it ended with the exit status `code` and its messages hold all `words`.
    ///
    /// # Errors
    /// It ended otherwise, or said something else.
    pub fn failure(self, code: i32, words: &[&str]) -> Result<Self> {
        let missing: Vec<_> = words.iter().filter(|word| !self.stderr.contains(**word)).collect();
        if self.status.code() == Some(code) && missing.is_empty() {
            return Ok(self);
        }
        bail!(
            "{} ended with {}, expected {code}; its messages lack {missing:?}\n{}{}",
            self.command,
            self.status,
            self.stdout,
            self.stderr
        )
    }
}

/// Returns a command on one line, for messages; of a script only that there is one.
fn shown(command: &Command) -> String {
    let words =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy());
    let words = words.map(|word| if word.contains('\n') { "(script)".into() } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Finished {
        Finished::of(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn a_command_is_shown_on_one_line() {
        assert_eq!(shown(Command::new("sh").args(["-c", "a\nb", "c d"])), "sh -c (script) c d");
    }

    #[test]
    fn status_and_words_are_judged() {
        assert_eq!(shell("echo a").success().unwrap().stdout, "a\n");
        assert!(shell("echo why >&2; exit 3").success().unwrap_err().to_string().contains("why"));
        assert!(shell("echo why >&2; exit 3").failure(3, &["why"]).is_ok());
        assert!(shell("echo why >&2; exit 3").failure(4, &["why"]).is_err());
        assert!(shell("echo why >&2; exit 3").failure(3, &["because"]).is_err());
    }
}
