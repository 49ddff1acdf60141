//! `COPY` and `ADD`: sources, destination, owner, mode and history.

use zoea_model::{
    AddArchive, CopyItem, CopySource, CopyStep, FileMode, Linking, ModeChange, SourceSpan, TreePath,
    UserSpec, Warning,
};

use crate::ast::{Copy, CopyKind, Word};
use crate::error::{DockerfileError, Problem};

use super::Shared;
use super::stage::StageState;

/// The largest mode: permission, set-id and sticky bits.
const LARGEST_MODE: u32 = 0o7777;

impl StageState {
    /// Returns the step and its history text.
    pub(super) fn copy(
        &self,
        shared: &Shared<'_>,
        copy: &Copy,
        from: CopySource,
    ) -> Result<(CopyStep, String), DockerfileError> {
        let mut created_by = match copy.kind {
            CopyKind::Copy => "COPY".to_owned(),
            CopyKind::Add => "ADD".to_owned(),
        };
        let expand_flag = |word: &Option<Word>| match word {
            Some(word) => self.expand(shared, word),
            None => Ok(String::new()),
        };
        let (owner, mode) = (expand_flag(&copy.flags.owner)?, expand_flag(&copy.flags.mode)?);
        for (flag, value) in [("chown", &owner), ("chmod", &mode)] {
            if !value.is_empty() {
                created_by.push_str(&format!(" --{flag}={value}"));
            }
        }
        let mut items = Vec::with_capacity(copy.sources.len());
        for word in &copy.sources {
            let source = self.expand(shared, word)?;
            created_by.push(' ');
            created_by.push_str(&source);
            refuse_remote(copy.kind, &source).map_err(|problem| problem.at(word.span))?;
            items.push(CopyItem::Pattern(below_root(&source)));
        }
        let destination = self.expand(shared, &copy.destination)?;
        created_by.push_str(&format!(" {destination} # buildkit"));
        let step = CopyStep {
            from,
            items,
            destination: self
                .below_directory(&destination)
                .map_err(|problem| problem.at(copy.destination.span))?,
            into_directory: matches!(destination.as_str(), "" | ".")
                || destination.ends_with('/')
                || destination.ends_with("/."),
            owner: (!owner.is_empty()).then(|| UserSpec::new(&owner)),
            mode: file_mode(&mode, copy.flags.mode.as_ref())?.map(ModeChange::Exact),
            excludes: Vec::new(),
            linking: Linking::Tree,
            remote_archives: AddArchive::Keep,
            archives: match copy.kind {
                CopyKind::Copy => AddArchive::Keep,
                CopyKind::Add => AddArchive::Unpack,
            },
        };
        Ok((step, created_by))
    }

    /// Resolves a path of an instruction against the working directory; `..` stops at the root.
    pub(super) fn below_directory(&self, path: &str) -> Result<TreePath, Problem> {
        let absolute = match path.starts_with('/') {
            true => below_root(path),
            false => below_root(&format!("{}/{path}", self.directory())),
        };
        TreePath::new(&absolute).map_err(|cause| Problem::Path { path: path.to_owned(), cause })
    }
}

/// Normalises a path below its root; a `.` or empty component means nothing, `..` stops at the root.
fn below_root(source: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in source.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            other => components.push(other),
        }
    }
    if components.is_empty() { ".".to_owned() } else { components.join("/") }
}

fn file_mode(text: &str, word: Option<&Word>) -> Result<Option<FileMode>, DockerfileError> {
    let Some(word) = word.filter(|_| !text.is_empty()) else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits && text.contains(['+', '-', '=']) {
        let what = format!("The symbolic mode `--chmod={text}`");
        return Err(Problem::NotBuilt { what, instead: "write the mode as an octal number" }.at(word.span));
    }
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= LARGEST_MODE => Ok(Some(FileMode(mode))),
        Ok(_) | Err(_) => Err(Problem::Mode { text: text.to_owned() }.at(word.span)),
    }
}

/// Refuses sources that would have to be fetched.
fn refuse_remote(kind: CopyKind, source: &str) -> Result<(), Problem> {
    let what = if is_git(source) {
        "a git repository"
    } else if source.starts_with("http://") || source.starts_with("https://") {
        "a URL"
    } else {
        return Ok(());
    };
    Err(match kind {
        CopyKind::Copy => Problem::CopyRemote { source_text: source.to_owned(), what },
        CopyKind::Add => Problem::NotBuilt {
            what: format!("`ADD` of {what}, `{source}`,"),
            instead: "fetch it before the build, or with a program in a `RUN` step",
        },
    })
}

/// Says whether a source names a git repository: by its scheme, as `user@host:path`, or by the end of its path.
fn is_git(source: &str) -> bool {
    if source.starts_with("git://") || source.starts_with("ssh://") {
        return true;
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        let address = source.split(['#', '?']).next().unwrap_or_default();
        return address.ends_with(".git");
    }
    let Some((user, rest)) = source.split_once('@') else { return false };
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    rest.split_once(':').is_some_and(|(host, _)| word(user) && word(host))
}

/// Warns where several sources may overwrite each other.
pub(super) fn destination_warning(step: &CopyStep, span: SourceSpan) -> Option<Warning> {
    (step.items.len() > 1 && !step.into_directory).then(|| Warning {
        span: Some(span),
        message: format!(
            "Several sources are copied to `{}`: unless that is a directory, each overwrites the one before",
            step.destination
        ),
        rule: None,
        hint: Some("end the destination with `/`".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_lie_below_their_root() {
        for (source, expected) in [
            ("", "."),
            (".", "."),
            ("/", "."),
            ("../../a", "a"),
            ("./a//b/", "a/b"),
            ("a/../*.c", "*.c"),
            ("..", "."),
        ] {
            assert_eq!(below_root(source), expected, "{source}");
        }
    }

    #[test]
    fn what_must_be_fetched_is_told_from_files() {
        for source in
            ["git@github.com:a/b.git", "ssh://h/r", "git://h/r", "https://h/r.git#main:dir", "https://h/f"]
        {
            assert!(refuse_remote(CopyKind::Add, source).is_err(), "{source}");
        }
        for source in ["a@b", "@:", "a:b", "dir/a@b:c", "https:/x", "file.git", "github.com/a/b"] {
            assert_eq!(refuse_remote(CopyKind::Add, source), Ok(()), "{source}");
        }
    }

    #[test]
    fn modes_are_octal() {
        let mode = |text: &str| file_mode(text, Some(&Word::default()));
        assert_eq!(mode("755").unwrap(), Some(FileMode(0o755)));
        assert_eq!(mode("7777").unwrap(), Some(FileMode(0o7777)));
        assert_eq!(mode("").unwrap(), None);
        for text in ["8", "10000", "0o755", "+755", "u=rwX", "x", "77777777777777"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
