//! `COPY` and `ADD`: items, destination, owner, mode and history.

use zoea_model::{
    AddArchive, CopyItem, CopyStep, FileMode, Linking, ModeChange, Remote, SourceSpan, TreePath, UserSpec,
    Warning,
};

use crate::ast::{Copy, CopyKind, Instruction, Switch, Word};
use crate::error::{DockerfileError, Problem, RemoteProblem};
use crate::outline::readings;
use crate::remote_source::{FetchFlags, Source as Kind, classify, item};

use super::checks::check_source;
use super::stage::StageState;
use super::{Progress, Shared, Source};

/// The largest mode: permission, set-id and sticky bits.
const LARGEST_MODE: u32 = 0o7777;

impl Progress {
    /// Returns the step and its history text.
    pub(super) fn copy(
        &self,
        shared: &Shared<'_>,
        state: &StageState,
        instruction: &Instruction,
        copy: &Copy,
    ) -> Result<(CopyStep, String), DockerfileError> {
        let words = Words::expand(shared, state, copy)?;
        let mode = file_mode(&words.mode, copy.flags.mode.as_ref())?;
        let items = words.items(shared, state, copy)?;
        let destination =
            state.below_directory(&words.destination).map_err(|problem| problem.at(copy.destination.span))?;
        let from = match readings(instruction).first() {
            None => Source::main(),
            Some(reading) => match self.copy_source(shared, *reading)? {
                Source::Files(files) => files,
                Source::Nothing => return Err(Problem::FromScratch.at(reading.span)),
            },
        };
        let step = CopyStep {
            from,
            items,
            destination,
            into_directory: is_directory(&words.destination),
            owner: (!words.owner.is_empty()).then(|| UserSpec::new(&words.owner)),
            mode,
            excludes: copy.flags.excludes.iter().map(|word| word.text.clone()).collect(),
            linking: match copy.flags.link {
                // BuildKit links no copy whose mode is changed.
                Some(Switch::On) if words.mode.is_empty() => Linking::Independent,
                Some(Switch::On | Switch::Off) | None => Linking::Tree,
            },
            archives: match (copy.kind, copy.flags.unpack) {
                (CopyKind::Copy, _) | (CopyKind::Add, Some(Switch::Off)) => AddArchive::Keep,
                (CopyKind::Add, Some(Switch::On) | None) => AddArchive::Unpack,
            },
            remote_archives: match copy.flags.unpack {
                Some(Switch::On) => AddArchive::Unpack,
                Some(Switch::Off) | None => AddArchive::Keep,
            },
        };
        let excludes: usize = step.excludes.iter().map(String::len).sum();
        shared.budget.spend(excludes, instruction.heading.span)?;
        Ok((step, words.created_by(copy)))
    }
}

/// The words of an instruction, their variables replaced.
struct Words {
    owner: String,
    mode: String,
    checksum: String,
    sources: Vec<String>,
    destination: String,
}

impl Words {
    fn expand(shared: &Shared<'_>, state: &StageState, copy: &Copy) -> Result<Self, DockerfileError> {
        let flag = |word: &Option<Word>| match word {
            Some(word) => state.expand(shared, word),
            None => Ok(String::new()),
        };
        Ok(Self {
            owner: flag(&copy.flags.owner)?,
            mode: flag(&copy.flags.mode)?,
            checksum: flag(&copy.flags.checksum)?,
            sources: copy.sources.iter().map(|word| state.expand(shared, word)).collect::<Result<_, _>>()?,
            destination: state.expand(shared, &copy.destination)?,
        })
    }

    /// Writes the row of the history as BuildKit does.
    fn created_by(&self, copy: &Copy) -> String {
        let mut text = match copy.kind {
            CopyKind::Copy => "COPY".to_owned(),
            CopyKind::Add => "ADD".to_owned(),
        };
        if let Some(Switch::On) = copy.flags.parents {
            text.push_str(" --parents");
        }
        for (flag, value) in [("chown", &self.owner), ("chmod", &self.mode)] {
            if !value.is_empty() {
                text.push_str(&format!(" --{flag}={value}"));
            }
        }
        for source in &self.sources {
            text.push(' ');
            text.push_str(source);
        }
        for document in &copy.documents {
            text.push_str(" <<");
            text.push_str(&document.name);
        }
        text.push_str(&format!(" {} # buildkit", self.destination));
        text
    }

    fn items(
        &self,
        shared: &Shared<'_>,
        state: &StageState,
        copy: &Copy,
    ) -> Result<Vec<CopyItem>, DockerfileError> {
        self.check_checksum(copy)?;
        let mut fetch = FetchFlags::new(self.checksum.clone(), copy.flags.keep_git_directory);
        let mut items = Vec::with_capacity(self.sources.len() + copy.documents.len());
        for (word, source) in copy.sources.iter().zip(&self.sources) {
            let item = source_item(copy, source, &mut fetch);
            if let Ok(CopyItem::Pattern(_) | CopyItem::Below { .. }) = &item
                && copy.flags.from.is_none()
            {
                check_source(shared, copy.kind, source);
            }
            items.push(item.map_err(|problem| match (&problem, &copy.flags.checksum) {
                (
                    Problem::Remote(RemoteProblem::Checksum { .. } | RemoteProblem::Commit { .. }),
                    Some(flag),
                ) => problem.at(flag.span),
                _ => problem.at(word.span),
            })?);
        }
        for document in &copy.documents {
            items.push(CopyItem::Inline(state.document(shared, document)?));
        }
        Ok(items)
    }

    fn check_checksum(&self, copy: &Copy) -> Result<(), DockerfileError> {
        let Some(word) = copy.flags.checksum.as_ref().filter(|_| !self.checksum.is_empty()) else {
            return Ok(());
        };
        let refuse = |problem: RemoteProblem| Err(Problem::from(problem).at(word.span));
        let [source] = self.sources.as_slice() else { return refuse(RemoteProblem::ChecksumOfSeveral) };
        match classify(source, copy.flags.keep_git_directory) {
            Ok(Kind::Local) => refuse(RemoteProblem::ChecksumOfLocal),
            // What is wrong with a source is said at its own place.
            Ok(Kind::Git(_) | Kind::Http) | Err(_) => Ok(()),
        }
    }
}

fn source_item(copy: &Copy, source: &str, fetch: &mut FetchFlags) -> Result<CopyItem, Problem> {
    let remote = |what| Problem::CopyRemote { source_text: source.to_owned(), what };
    match (classify(source, copy.flags.keep_git_directory)?, copy.kind) {
        (Kind::Git(_), CopyKind::Copy) => Err(remote("a git repository")),
        (Kind::Http, CopyKind::Copy) => Err(remote("a URL")),
        (Kind::Git(reference), CopyKind::Add) => fetch.git(*reference).map(Remote::Git).map(item),
        (Kind::Http, CopyKind::Add) => fetch.http(source).map(Remote::Http).map(item),
        (Kind::Local, CopyKind::Copy | CopyKind::Add) => match copy.flags.parents {
            Some(Switch::On) => with_parents(source),
            Some(Switch::Off) | None => Ok(CopyItem::Pattern(below_root(source))),
        },
    }
}

/// Splits a source at `/./`; what stands behind it is what the destination gets.
fn with_parents(source: &str) -> Result<CopyItem, Problem> {
    let (root, pattern) = source.split_once("/./").unwrap_or(("", source));
    let (root, pattern) = (below_root(root), below_root(pattern));
    if pattern == "." {
        let what = "`COPY --parents` of a whole directory".to_owned();
        return Err(Problem::NotBuilt {
            what,
            instead: "write `*` for what is in it, or leave `--parents` out",
        });
    }
    Ok(CopyItem::Below { root, pattern })
}

/// Says whether a destination is written as a directory.
fn is_directory(destination: &str) -> bool {
    matches!(destination, "" | ".") || destination.ends_with('/') || destination.ends_with("/.")
}

impl StageState {
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
pub(super) fn below_root(source: &str) -> String {
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

/// Normalises a path below its root and writes it as an absolute one.
pub(super) fn normal(path: &str) -> String {
    match below_root(path).as_str() {
        "." => "/".to_owned(),
        path => format!("/{path}"),
    }
}

fn file_mode(text: &str, word: Option<&Word>) -> Result<Option<ModeChange>, DockerfileError> {
    let Some(word) = word.filter(|_| !text.is_empty()) else { return Ok(None) };
    let invalid = || Problem::Mode { text: text.to_owned() }.at(word.span);
    let change = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= LARGEST_MODE)
            .map(|mode| ModeChange::Exact(FileMode(mode))),
        false => text.parse().ok().map(ModeChange::Symbolic),
    };
    change.map(Some).ok_or_else(invalid)
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
        assert_eq!((normal("a/.."), normal("//b/")), ("/".to_owned(), "/b".to_owned()));
    }

    #[test]
    fn parents_begin_at_the_pivot() {
        for (source, root, pattern) in [
            ("a/b.c", ".", "a/b.c"),
            ("/a/./b/./**/c", "a", "b/**/c"),
            ("./a/*", ".", "a/*"),
            ("../a/./../b", "a", "b"),
            ("x/././y", "x", "y"),
        ] {
            let expected = CopyItem::Below { root: root.to_owned(), pattern: pattern.to_owned() };
            assert_eq!(with_parents(source), Ok(expected), "{source}");
        }
        for source in [".", "", "a/./", "a/./."] {
            assert!(with_parents(source).is_err(), "{source}");
        }
    }

    #[test]
    fn modes_are_octal_or_symbolic() {
        let mode = |text: &str| file_mode(text, Some(&Word::default()));
        assert_eq!(mode("755").unwrap(), Some(ModeChange::Exact(FileMode(0o755))));
        assert_eq!(mode("7777").unwrap(), Some(ModeChange::Exact(FileMode(0o7777))));
        assert_eq!(mode("").unwrap(), None);
        assert!(matches!(mode("u=rwX,go=rX").unwrap(), Some(ModeChange::Symbolic(_))));
        for text in ["8", "10000", "0o755", "+755", "x", "77777777777777"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
