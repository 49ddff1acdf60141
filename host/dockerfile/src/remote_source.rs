//! Sources of `ADD` that must be fetched.
//!
//! Owns how they are told from files, and what the instruction's flags say about them, as BuildKit's `dispatchCopy`
//! has it. Fetches nothing.

use zoea_model::{
    CopyItem, Digest, GitDirectory, GitForm, GitHint, GitReference, GitSource, HttpSource, Remote, SafeUrl,
};

use crate::ast::Switch;
use crate::error::{Problem, RemoteProblem};
use crate::url;

/// The name of a file whose URL names none.
const UNNAMED: &str = "__unnamed__";

/// The digits of the longer of git's two kinds of digests.
const LONGEST_COMMIT: usize = 64;

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A tree of a git repository.
    Git(Box<GitReference>),
    /// A file of a web server.
    Http,
    /// A path.
    Local,
}

/// Tells what a source is.
pub(crate) fn classify(source: &str, keep_git_directory: Option<Switch>) -> Result<Source, Problem> {
    let hint = match keep_git_directory {
        Some(Switch::On | Switch::Off) => GitHint::Repository,
        None => GitHint::None,
    };
    let reference = GitSource::parse(source, hint).map_err(RemoteProblem::of_git)?;
    Ok(match reference {
        Some(reference) if reference.form == GitForm::Address => Source::Git(Box::new(reference)),
        Some(_) => Source::Local,
        None if source.starts_with("http://") || source.starts_with("https://") => Source::Http,
        None => Source::Local,
    })
}

/// What the flags of an `ADD` say about its sources; a source's query changes it for those behind it, as in BuildKit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FetchFlags {
    /// `--checksum`, empty by default.
    pub(crate) checksum: String,
    /// What becomes of `.git`.
    pub(crate) git_directory: Option<GitDirectory>,
}

impl FetchFlags {
    /// Reads the flags.
    pub(crate) fn new(checksum: String, keep_git_directory: Option<Switch>) -> Self {
        let git_directory = keep_git_directory.map(|switch| match switch {
            Switch::On => GitDirectory::Keep,
            Switch::Off => GitDirectory::Drop,
        });
        Self { checksum, git_directory }
    }

    /// Returns the tree that a git reference names.
    pub(crate) fn git(&mut self, reference: GitReference) -> Result<GitSource, Problem> {
        if let Some(said) = reference.git_directory {
            if self.git_directory.is_some_and(|flag| flag != said) {
                return Err(RemoteProblem::KeepGitDirectory.into());
            }
            self.git_directory = Some(said);
        }
        if let Some(said) = reference.source.checksum {
            if !self.checksum.is_empty() && self.checksum != said {
                return Err(RemoteProblem::CommitTwice { flag: self.checksum.clone(), query: said }.into());
            }
            self.checksum = said;
        }
        let is_commit =
            |text: &str| text.len() <= LONGEST_COMMIT && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit(&self.checksum) {
            return Err(RemoteProblem::Commit { text: self.checksum.clone() }.into());
        }
        let checksum = Some(self.checksum.clone()).filter(|checksum| !checksum.is_empty());
        let git_directory = self.git_directory.unwrap_or_default();
        Ok(GitSource { checksum, git_directory, ..reference.source })
    }

    /// Returns the file that a URL names.
    pub(crate) fn http(&self, source: &str) -> Result<HttpSource, Problem> {
        let name = url::file_name(source).unwrap_or_else(|| UNNAMED.to_owned());
        if name == ".." || name.contains('\0') {
            return Err(RemoteProblem::FileName { name }.into());
        }
        let digest = |text: &str| {
            let problem = RemoteProblem::Checksum { text: text.to_owned() };
            text.parse::<Digest>().map_err(|_| Problem::from(problem))
        };
        Ok(HttpSource {
            url: SafeUrl::new(source),
            file_name: name,
            checksum: Some(self.checksum.as_str()).filter(|text| !text.is_empty()).map(digest).transpose()?,
        })
    }
}

/// Returns what is copied of something that is fetched.
pub(crate) fn item(remote: Remote) -> CopyItem {
    match remote {
        Remote::Http(source) => CopyItem::Http(source),
        Remote::Git(source) => CopyItem::Git(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_the_name_that_their_url_ends_with() {
        for (url, expected) in [
            ("https://h/a/b.tar.gz?x#y", "b.tar.gz"),
            ("https://h/a%20b/", "a b"),
            ("https://h", UNNAMED),
            ("https://h/", UNNAMED),
            ("https://h/%zz", UNNAMED),
        ] {
            assert_eq!(FetchFlags::default().http(url).unwrap().file_name, expected, "{url}");
        }
        for url in ["https://h/..", "https://h/a%00b"] {
            assert!(FetchFlags::default().http(url).is_err(), "{url}");
        }
    }

    #[test]
    fn flags_and_queries_must_agree() {
        let git = |source: &str| match classify(source, None).unwrap() {
            Source::Git(reference) => *reference,
            Source::Http | Source::Local => panic!("{source}"),
        };
        let mut flags = FetchFlags::new(String::new(), Some(Switch::On));
        assert!(flags.git(git("https://h/r.git?keep-git-dir=0")).is_err());
        assert_eq!(flags.git(git("https://h/r.git")).unwrap().git_directory, GitDirectory::Keep);
        assert_eq!(flags.git(git("https://h/r.git?commit=abc")).unwrap().checksum.as_deref(), Some("abc"));
        assert!(flags.git(git("https://h/r.git?commit=def")).is_err());
        assert!(flags.http("https://h/f").is_err(), "the checksum of the repository is no digest");
    }

    #[test]
    fn the_flag_makes_a_url_a_repository() {
        assert_eq!(classify("https://h/r", None).unwrap(), Source::Http);
        assert!(matches!(classify("https://h/r", Some(Switch::Off)).unwrap(), Source::Git(_)));
        assert_eq!(classify("HTTPS://h/r", None).unwrap(), Source::Local);
    }
}
