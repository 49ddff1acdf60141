//! The text forms of a git repository: what `ADD` and contexts recognise as one, and what they read off it.
//!
//! Owns the one grammar for both. Decides by the text alone, never by asking a server or looking at a disk.

use crate::{GitDirectory, GitSource, GitTimes, ModelError, SafeUrl, Submodules, TreePath};

/// How clearly a text names a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitForm {
    /// It can mean nothing else.
    Address,
    /// `github.com/…`, which is a path too: a repository for a build context where no such directory is, and never
    /// one for `ADD`.
    MaybePath,
}

/// What is known of a text before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHint {
    /// Nothing: a URL of a web server is a repository if its path ends with `.git`.
    None,
    /// A URL of a web server is a repository, because a flag is given that only repositories have.
    Repository,
}

/// A git repository as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitReference {
    /// What is meant; the defaults stand where the text says nothing.
    pub source: GitSource,
    /// What the text says of `.git`, if it does: an instruction's own flag must not contradict it.
    pub git_directory: Option<GitDirectory>,
    /// How clear it is.
    pub form: GitForm,
}

impl GitSource {
    /// Reads `https://host/repository.git`, `ssh://…`, `git://…` or `user@host:path`, with `#reference:directory` or
    /// a query behind it. Answers nothing for what is no address of a repository.
    ///
    /// As in BuildKit, `host:path` is none without a user: a file can have that name.
    ///
    /// # Errors
    /// Refuses a repository with malformed or contradicting options.
    pub fn parse(text: &str, hint: GitHint) -> Result<Option<GitReference>, ModelError> {
        if text.starts_with("./") || text.starts_with("../") || text.chars().any(char::is_control) {
            return Ok(None);
        }
        let Some(address) = Address::split(text, hint) else { return Ok(None) };
        let refuse = |reason| ModelError::GitReference { text: SafeUrl::new(text).to_string(), reason };
        let (source, git_directory) = address.read().map_err(refuse)?;
        Ok(Some(GitReference { source, git_directory, form: address.form }))
    }
}

/// The parts of a text that names a repository.
struct Address {
    form: GitForm,
    remote: String,
    host: String,
    query: String,
    fragment: String,
}

impl Address {
    fn split(text: &str, hint: GitHint) -> Option<Self> {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
        let fragment = percent_decode(fragment)?;
        let make = |form, remote: String, host: &str| {
            Some(Self { form, remote, host: host.to_owned(), query: query.to_owned(), fragment })
        };
        if base.starts_with("github.com/") {
            return make(GitForm::MaybePath, format!("https://{base}"), "github.com");
        }
        if let Some((scheme, rest)) = base.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            let scheme = scheme.to_ascii_lowercase();
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let is_repository = match scheme.as_str() {
                "http" | "https" => percent_decode(path)?.ends_with(".git") || hint == GitHint::Repository,
                "ssh" | "git" => true,
                _ => false,
            };
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return if is_repository {
                make(GitForm::Address, format!("{scheme}://{rest}"), host)
            } else {
                None
            };
        }
        let (user, rest) = base.split_once('@')?;
        let (host, _) = rest.split_once(':')?;
        let is_word = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|one| one.is_ascii_alphanumeric() || more.contains(one))
        };
        let is_repository = is_word(user, "-_") && is_word(host, "-.");
        if is_repository { make(GitForm::Address, base.to_owned(), host) } else { None }
    }

    fn read(&self) -> Result<(GitSource, Option<GitDirectory>), String> {
        // Programs that are given such a host or user take it for an option.
        let authority = self.remote.split_once("://").map_or(self.remote.as_str(), |(_, rest)| rest);
        if self.host.is_empty() || self.host.starts_with('-') || authority.starts_with('-') {
            return Err("its host is malformed".to_owned());
        }
        let mut options = GitOptions::default();
        let (reference, directory) = self.fragment.split_once(':').unwrap_or((&self.fragment, ""));
        options.reference = Some(reference.to_owned()).filter(|text| !text.is_empty());
        options.subdirectory = Some(directory.to_owned()).filter(|text| !text.is_empty());
        options.read_query(&self.query)?;
        let git_directory = options.git_directory;
        Ok((options.source(&self.remote)?, git_directory))
    }
}

/// What the fragment and the query say.
#[derive(Default)]
struct GitOptions {
    reference: Option<String>,
    subdirectory: Option<String>,
    checksum: Option<String>,
    git_directory: Option<GitDirectory>,
    submodules: Submodules,
    times: GitTimes,
    fetched: Fetched,
}

/// What is asked of the server.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Fetched {
    #[default]
    Reference,
    Commit,
}

impl GitOptions {
    fn read_query(&mut self, query: &str) -> Result<(), String> {
        let mut seen: Vec<String> = Vec::new();
        let (mut tag, mut branch) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| percent_decode(&text.replace('+', " "));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(format!("the query `{pair}` is malformed"));
            };
            if seen.contains(&name) {
                return Err(format!("the query `{name}` is given twice"));
            }
            if value.is_empty() && !matches!(name.as_str(), "submodules" | "keep-git-dir" | "fetch-by-commit")
            {
                return Err(format!("the query `{name}` has no value"));
            }
            match name.as_str() {
                "ref" => agree("reference", &mut self.reference, value)?,
                "subdir" => agree("directory", &mut self.subdirectory, value)?,
                "tag" => tag = Some(value),
                "branch" => branch = Some(value),
                "checksum" | "commit" => agree("commit", &mut self.checksum, value)?,
                "keep-git-dir" => {
                    let keep = is_true(&name, &value)?;
                    self.git_directory = Some(if keep { GitDirectory::Keep } else { GitDirectory::Drop });
                }
                "submodules" => {
                    let fetch = is_true(&name, &value)?;
                    self.submodules = if fetch { Submodules::Fetch } else { Submodules::Skip };
                }
                "fetch-by-commit" => {
                    let by_commit = is_true(&name, &value)?;
                    self.fetched = if by_commit { Fetched::Commit } else { Fetched::Reference };
                }
                "mtime" => {
                    self.times = match value.as_str() {
                        "checkout" => GitTimes::Checkout,
                        "commit" => GitTimes::Commit,
                        _ => return Err(format!("`mtime` is `checkout` or `commit`, not `{value}`")),
                    }
                }
                _ => return Err(format!("the query `{name}` is not known")),
            }
            seen.push(name);
        }
        if tag.is_some() && branch.is_some() {
            return Err("it names a branch and a tag".to_owned());
        }
        let whole = |prefix: &str, name: String| match name.starts_with(prefix) {
            true => name,
            false => format!("{prefix}{name}"),
        };
        for (prefix, name) in [("refs/tags/", tag), ("refs/heads/", branch)] {
            if let Some(name) = name {
                agree("reference", &mut self.reference, whole(prefix, name))?;
            }
        }
        Ok(())
    }

    fn source(self, remote: &str) -> Result<GitSource, String> {
        if let Some(checksum) = &self.checksum {
            // As long as the digests of git's two object formats, at most.
            if checksum.len() > 64 || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("`{checksum}` is no commit"));
            }
        }
        let reference = match (self.fetched, &self.checksum) {
            (Fetched::Commit, Some(commit)) if matches!(commit.len(), 40 | 64) => Some(commit.clone()),
            (Fetched::Commit, _) => return Err("`fetch-by-commit` needs the whole `commit`".to_owned()),
            (Fetched::Reference, checksum) => self.reference.or_else(|| checksum.clone()),
        };
        if let Some(reference) = reference.as_deref().filter(|reference| !is_reference(reference)) {
            return Err(format!("`{reference}` is no reference of git"));
        }
        let subdirectory = TreePath::new(self.subdirectory.unwrap_or_default())
            .map_err(|_| "its directory leads out of the repository".to_owned())?;
        Ok(GitSource {
            remote: SafeUrl::new(remote),
            reference,
            subdirectory,
            checksum: self.checksum,
            git_directory: self.git_directory.unwrap_or_default(),
            submodules: self.submodules,
            times: self.times,
        })
    }
}

/// Sets what may be said twice, but not differently.
fn agree(what: &str, known: &mut Option<String>, value: String) -> Result<(), String> {
    match known {
        Some(known) if *known != value => Err(format!("its {what} is `{known}` and `{value}`")),
        _ => {
            *known = Some(value);
            Ok(())
        }
    }
}

fn is_true(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("`{name}` is `true` or `false`, not `{value}`")),
    }
}

/// Says whether git could have a reference of this name (`git check-ref-format`), so that nothing is a revision
/// expression or an option.
fn is_reference(text: &str) -> bool {
    !text.starts_with('-')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('/')
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
        && !text.chars().any(|one| one.is_control() || " ~^:?*[\\".contains(one))
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|one| one.is_ascii_alphanumeric())
}

/// Replaces `%41` by the byte; nothing for what is malformed or no text.
fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> GitSource {
        GitSource::parse(text, GitHint::None).unwrap().unwrap().source
    }

    fn reason(text: &str) -> String {
        GitSource::parse(text, GitHint::None).unwrap_err().to_string()
    }

    #[test]
    fn addresses_of_repositories_are_recognised() {
        for (text, remote) in [
            ("https://host/a/b.git", "https://host/a/b.git"),
            ("HTTPS://host/a/b.git#main", "https://host/a/b.git"),
            ("http://user:key@host:8080/b.git?ref=x", "http://user:key@host:8080/b.git"),
            ("ssh://git@host/b", "ssh://git@host/b"),
            ("git://host/b#v1:sub", "git://host/b"),
            ("git@host:a/b.git#v1", "git@host:a/b.git"),
            ("github.com/a/b#v1", "https://github.com/a/b"),
        ] {
            assert_eq!(parse(text).remote.reveal(), remote, "{text}");
        }
        let form = |text| GitSource::parse(text, GitHint::None).unwrap().unwrap().form;
        assert_eq!(form("github.com/a/b"), GitForm::MaybePath);
        assert_eq!(form("git@host:a"), GitForm::Address);
        let flagged = |text| GitSource::parse(text, GitHint::Repository).unwrap();
        assert_eq!(flagged("https://host/b#main").unwrap().source.reference.as_deref(), Some("main"));
        assert_eq!(flagged("b"), None);
    }

    #[test]
    fn other_texts_are_no_repositories() {
        for text in [
            "",
            ".",
            "a/b",
            "./host:a",
            "../b.git",
            "https://host/b.tar.gz",
            "https://host/b.git/",
            "https://host/b#x.git",
            "https://host/%zz.git",
            "ftp://host/b.git",
            "git+ssh://host/b",
            "host:/a/b",
            "host:a/b",
            "oci-layout://x",
            "a b:c",
            "https://host/a\n.git",
        ] {
            assert_eq!(GitSource::parse(text, GitHint::None), Ok(None), "{text}");
        }
    }

    #[test]
    fn the_fragment_names_reference_and_directory() {
        let source = parse("https://host/b.git#baz/qux:quux/./quuz");
        assert_eq!(source.reference.as_deref(), Some("baz/qux"));
        assert_eq!(source.subdirectory, TreePath::new("quux/quuz").unwrap());
        assert_eq!(parse("https://host/b.git#:sub").reference, None);
        assert_eq!(parse("https://host/b.git#a%2Fb").reference.as_deref(), Some("a/b"));
    }

    #[test]
    fn the_query_names_everything() {
        let text = "https://host/b.git?branch=main&subdir=a%20b&commit=ABCDEF&submodules=0&mtime=commit&keep-git-dir";
        let reference = GitSource::parse(text, GitHint::None).unwrap().unwrap();
        assert_eq!(reference.git_directory, Some(GitDirectory::Keep));
        let source = reference.source;
        assert_eq!(source.reference.as_deref(), Some("refs/heads/main"));
        assert_eq!(source.subdirectory, TreePath::new("a b").unwrap());
        assert_eq!(source.checksum.as_deref(), Some("ABCDEF"));
        assert_eq!((source.submodules, source.times), (Submodules::Skip, GitTimes::Commit));
        assert_eq!(parse("https://host/b.git?tag=v1").reference.as_deref(), Some("refs/tags/v1"));
        assert_eq!(parse("https://host/b.git?checksum=abcd").reference.as_deref(), Some("abcd"));
        let commit = "0123456789012345678901234567890123456789";
        let text = format!("git@host:b?ref=main&commit={commit}&fetch-by-commit=true");
        assert_eq!(parse(&text).reference.as_deref(), Some(commit));
        assert_eq!(
            GitSource::parse("https://host/b.git", GitHint::None).unwrap().unwrap().git_directory,
            None
        );
    }

    #[test]
    fn contradictions_and_traps_are_refused() {
        for (query, words) in [
            ("?tag=a&branch=b", "a branch and a tag"),
            ("?ref=a&tag=a", "reference is `a` and `refs/tags/a`"),
            ("?ref=a#b", "reference is `b` and `a`"),
            ("?subdir=a#:b", "directory is `b` and `a`"),
            ("?ref=a&ref=a", "twice"),
            ("?ref", "no value"),
            ("?depth=1", "`depth` is not known"),
            ("?keep-git-dir=maybe", "`true` or `false`"),
            ("?mtime=now", "`checkout` or `commit`"),
            ("?ref=%2", "malformed"),
            ("?commit=xyz", "no commit"),
            ("?fetch-by-commit=1&commit=abc", "whole"),
            ("#--upload-pack=id", "no reference"),
            ("#a..b", "no reference"),
            ("#a%0ab", "no reference"),
            ("#main:../..", "out of the repository"),
        ] {
            let message = reason(&format!("https://user:key@host/b.git{query}"));
            assert!(message.contains(words), "{query}: {message}");
            assert!(!message.contains("key@"), "{message}");
        }
        assert!(reason("ssh://-oProxyCommand=id/b").contains("host"));
        assert!(reason("ssh://-oProxyCommand=id@host/b").contains("host"));
        assert!(reason("-x@host:b").contains("host"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https://|git@|host:)?.{0,20}(\\.git)?[?#&=%:a-z/.]{0,20}") {
            drop(GitSource::parse(&text, GitHint::None));
            drop(GitSource::parse(&text, GitHint::Repository));
        }
    }
}
