//! Names of trees in git repositories: `https://host/repository.git#branch:directory` and its other forms.
//!
//! Owns what is one and what it says, as BuildKit's `dfgitutil` has it. A malformed URL is no git reference but
//! a path or a file of a web server; a well-formed one with a wrong query is an error.

use std::collections::BTreeMap;

use zoea_model::{GitDirectory, GitTimes, Submodules};

use crate::error::{Problem, RemoteProblem};
use crate::suggest::closest;
use crate::url;

/// The keys of a query.
const KEYS: [&str; 10] = [
    "ref",
    "tag",
    "branch",
    "subdir",
    "checksum",
    "commit",
    "keep-git-dir",
    "submodules",
    "mtime",
    "fetch-by-commit",
];

/// Whether a flag of the instruction says that a URL is a git repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GitHint {
    /// It does: the URL need not end in `.git`.
    Flag,
    /// Nothing does.
    None,
}

/// What a git reference says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GitReference {
    /// The repository.
    pub(crate) remote: String,
    /// Branch, tag, whole reference or commit.
    pub(crate) reference: String,
    /// A directory of the tree.
    pub(crate) subdirectory: String,
    /// The commit that it must be.
    pub(crate) checksum: String,
    /// What the query says about `.git`.
    pub(crate) git_directory: Option<GitDirectory>,
    /// What the query says about submodules.
    pub(crate) submodules: Option<Submodules>,
    /// The times of files.
    pub(crate) times: GitTimes,
}

/// Reads a source; none if it is no git reference.
pub(crate) fn parse(source: &str, hint: GitHint) -> Result<Option<GitReference>, Problem> {
    // A path like any other, but BuildKit looks at what would be its query.
    if source.starts_with("github.com/") {
        let url = format!("https://{source}");
        if let Some(url) = url::parse(&url) {
            GitReference::default().read_query(&url::query(url.query))?;
        }
        return Ok(None);
    }
    let Some((mut reference, query)) = repository(source, hint) else { return Ok(None) };
    reference.read_query(&query)?;
    Ok(Some(reference))
}

type Query = BTreeMap<String, Vec<String>>;

fn repository(source: &str, hint: GitHint) -> Option<(GitReference, Query)> {
    if source.starts_with("./") || source.starts_with("../") {
        return None;
    }
    let letters = source.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let is_url = letters > 0 && source.get(letters..).is_some_and(|rest| rest.starts_with("://"));
    if !is_url {
        return ssh_shorthand(source);
    }
    let url = url::parse(source)?;
    let is_git = match url.scheme.as_str() {
        "git" | "ssh" => true,
        "http" | "https" => hint == GitHint::Flag || url.path.ends_with(".git"),
        _ => false,
    };
    is_git.then(|| (GitReference::new(url.address.clone(), &url.fragment), url::query(url.query)))
}

/// Reads `user@host:path[?query][#fragment]`.
fn ssh_shorthand(source: &str) -> Option<(GitReference, Query)> {
    let (user, rest) = source.split_once('@')?;
    let (host, rest) = rest.split_once(':')?;
    let is_word = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    if !is_word(user, b"-_") || !is_word(host, b"-.") || rest.contains('\n') {
        return None;
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Some((GitReference::new(format!("{user}@{host}:{path}"), fragment), url::query(query)))
}

impl GitReference {
    fn new(remote: String, fragment: &str) -> Self {
        let (reference, subdirectory) = fragment.split_once(':').unwrap_or((fragment, ""));
        Self {
            remote,
            reference: reference.to_owned(),
            subdirectory: subdirectory.to_owned(),
            ..Self::default()
        }
    }

    fn read_query(&mut self, query: &Query) -> Result<(), Problem> {
        let (mut tag, mut branch) = (None, None);
        for (key, values) in query {
            let value = match values.as_slice() {
                [value] => value.as_str(),
                _ => return Err(RemoteProblem::QueryTwice { key: key.clone() }.into()),
            };
            if value.is_empty() && !matches!(key.as_str(), "keep-git-dir" | "submodules" | "fetch-by-commit")
            {
                return Err(RemoteProblem::QueryWithoutValue { key: key.clone() }.into());
            }
            match key.as_str() {
                "ref" => agree("reference", &mut self.reference, value)?,
                "tag" => tag = Some(full_name("refs/tags/", value)),
                "branch" => branch = Some(full_name("refs/heads/", value)),
                "subdir" => agree("directory", &mut self.subdirectory, value)?,
                "checksum" | "commit" => value.clone_into(&mut self.checksum),
                "keep-git-dir" => {
                    let keep = switch("keep-git-dir", value)?;
                    self.git_directory = Some(if keep { GitDirectory::Keep } else { GitDirectory::Drop });
                }
                "submodules" => {
                    let fetch = switch("submodules", value)?;
                    self.submodules = Some(if fetch { Submodules::Fetch } else { Submodules::Skip });
                }
                "mtime" => self.times = times(value)?,
                "fetch-by-commit" if switch("fetch-by-commit", value)? => {
                    let what = "`fetch-by-commit` of a git repository".to_owned();
                    return Err(Problem::NotBuilt { what, instead: "give the commit as `ref`" });
                }
                "fetch-by-commit" => {}
                _ => {
                    let closest = closest(key, KEYS);
                    return Err(RemoteProblem::QueryKey { key: key.clone(), closest }.into());
                }
            }
        }
        for name in [tag, branch].into_iter().flatten() {
            agree("reference", &mut self.reference, &name)?;
        }
        if self.reference.is_empty() {
            self.reference.clone_from(&self.checksum);
        }
        Ok(())
    }
}

/// Sets `known` to `value`, which it must be if it is anything.
fn agree(what: &'static str, known: &mut String, value: &str) -> Result<(), Problem> {
    if !known.is_empty() && known != value {
        let (first, second) = (known.clone(), value.to_owned());
        return Err(RemoteProblem::Conflict { what, first, second }.into());
    }
    value.clone_into(known);
    Ok(())
}

fn full_name(prefix: &str, name: &str) -> String {
    match name.starts_with(prefix) {
        true => name.to_owned(),
        false => format!("{prefix}{name}"),
    }
}

fn switch(key: &'static str, value: &str) -> Result<bool, Problem> {
    let choices = "`true` or `false`";
    match value {
        "" => Ok(true),
        _ => crate::go::parse_bool(value)
            .ok_or_else(|| RemoteProblem::QueryValue { key, value: value.to_owned(), choices }.into()),
    }
}

fn times(value: &str) -> Result<GitTimes, Problem> {
    match value {
        "checkout" => Ok(GitTimes::Checkout),
        "commit" => Ok(GitTimes::Commit),
        _ => {
            let choices = "`checkout` or `commit`";
            Err(RemoteProblem::QueryValue { key: "mtime", value: value.to_owned(), choices }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> GitReference {
        parse(source, GitHint::None).unwrap().unwrap_or_else(|| panic!("{source}"))
    }

    #[test]
    fn repositories_are_told_from_files() {
        for (source, remote) in [
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("ssh://h/r", "ssh://h/r"),
            ("git://h/r", "git://h/r"),
            ("HTTPS://h/r.git", "https://h/r.git"),
            ("https://me:key@h/r.git#main", "https://me:key@h/r.git"),
        ] {
            assert_eq!(read(source).remote, remote, "{source}");
        }
        for source in [
            "https://h/f",
            "a@b",
            "@:",
            "a:b",
            "dir/a@b:c",
            "./a@b:c",
            "https:/x",
            "file.git",
            "github.com/a/b.git",
            "s3://bucket/a.git",
            "https://h:x/r.git",
        ] {
            assert_eq!(parse(source, GitHint::None).unwrap(), None, "{source}");
        }
        assert!(parse("https://h/r", GitHint::Flag).unwrap().is_some());
        assert!(parse("file", GitHint::Flag).unwrap().is_none());
    }

    #[test]
    fn fragments_and_queries_say_what_is_wanted() {
        let by_fragment = read("git@h:r#v1:a/b");
        assert_eq!((by_fragment.reference.as_str(), by_fragment.subdirectory.as_str()), ("v1", "a/b"));
        let by_query = read("https://h/r.git?tag=v1&subdir=a&keep-git-dir&submodules=0&mtime=commit");
        assert_eq!(by_query.reference, "refs/tags/v1");
        assert_eq!(by_query.git_directory, Some(GitDirectory::Keep));
        assert_eq!(by_query.submodules, Some(Submodules::Skip));
        assert_eq!(by_query.times, GitTimes::Commit);
        assert_eq!(read("https://h/r.git?branch=refs/heads/x#refs/heads/x").reference, "refs/heads/x");
        assert_eq!(read("https://h/r.git?commit=abc").reference, "abc");
        assert_eq!(read("https://h/r.git?checksum=abc&ref=main").reference, "main");
    }

    #[test]
    fn wrong_queries_are_refused() {
        for query in [
            "ref=a#b",
            "tag=a&branch=b",
            "ref=a&ref=b",
            "ref=",
            "reff=a",
            "subdir=a#:b",
            "keep-git-dir=maybe",
            "mtime=now",
            "fetch-by-commit",
            "tag=a#a",
        ] {
            assert!(parse(&format!("https://h/r.git?{query}"), GitHint::None).is_err(), "{query}");
        }
        assert!(parse("github.com/a/b?c", GitHint::None).is_err());
        assert!(parse("https://h/r.git?fetch-by-commit=0", GitHint::None).is_ok());
    }
}
