//! A tree of a git repository, into a directory of its own.
//!
//! Owns the way from a reference to a written tree: as little history as the server lets one have, into a
//! repository that is gone afterwards unless it is asked for, then the files, then the submodules.

use std::sync::Arc;

use cap_std::fs::Dir;
use zoea_model::{GitDirectory, GitSource, GitTimes, SafeUrl, Submodules, Timestamp, TreePath};

use crate::git_program::{Git, GitProgram, is_missing};
use crate::git_tree::{Gitlink, TreeWriter, set_mode};
use crate::{Context, FetchError, FetchSettings, Fetched, IgnoreRules, git_remote};

/// How deep repositories may refer to each other. One that refers to itself would never end.
const DEEPEST_SUBMODULE: usize = 16;
/// How many repositories may be referred to, at all depths: above the largest known ones, and each costs a connection.
const MOST_SUBMODULES: usize = 2_000;
/// Where the files go, beside the repositories.
const TREE: &str = "tree";

/// Fetches `source` into `directory`, which is empty.
pub(crate) fn fetch(
    source: &GitSource,
    directory: &Dir,
    settings: &FetchSettings,
) -> Result<Fetched, FetchError> {
    let program = settings.git.as_ref().ok_or(FetchError::NoGit)?;
    let mut fetch = GitFetch { program, directory, settings, repositories: 0, room: settings.largest_file };
    let wanted = source.reference.clone().map_or(Wanted::Head, Wanted::Reference);
    let repository = fetch.repository(&source.remote, &wanted)?;
    repository.check(source.checksum.as_deref())?;
    let modified = repository.time()?;
    let time = match source.times {
        GitTimes::Checkout => None,
        GitTimes::Commit => Some(modified),
    };
    directory.create_dir(TREE).map_err(FetchError::Store)?;
    let root = directory.open_dir(TREE).map_err(FetchError::Store)?;
    set_mode(&root).map_err(FetchError::Store)?;
    let content = Content { subdirectory: &source.subdirectory, submodules: source.submodules, time };
    fetch.write(&repository, &content, &root, 0)?;
    match source.git_directory {
        GitDirectory::Keep if source.subdirectory.is_root() => repository.keep(&root, &source.remote)?,
        GitDirectory::Keep | GitDirectory::Drop => {}
    }
    Ok(Fetched {
        context: Arc::new(Context::new(root, IgnoreRules::none())),
        file: None,
        modified: Some(modified),
        validator: Some(repository.commit.clone()),
    })
}

/// What is asked of a repository.
enum Wanted {
    /// Its default branch.
    Head,
    /// A branch, a tag, a whole reference or a commit.
    Reference(String),
}

/// What is written of a commit.
struct Content<'a> {
    subdirectory: &'a TreePath,
    submodules: Submodules,
    time: Option<Timestamp>,
}

struct GitFetch<'a> {
    program: &'a GitProgram,
    directory: &'a Dir,
    settings: &'a FetchSettings,
    repositories: usize,
    /// How many bytes may be written yet.
    room: u64,
}

/// A repository with the wanted commit in it.
struct Repository<'a> {
    git: Git<'a>,
    name: &'a str,
    /// What that names: the commit, or an annotated tag.
    object: String,
    commit: String,
}

impl<'a> GitFetch<'a> {
    /// Gets the wanted commit of a remote repository.
    fn repository(&mut self, remote: &SafeUrl, wanted: &Wanted) -> Result<Repository<'a>, FetchError> {
        git_remote::check(remote.reveal())?;
        self.repositories += 1;
        if self.repositories > MOST_SUBMODULES {
            return Err(FetchError::Submodules { most: MOST_SUBMODULES });
        }
        let name: &'a str = if self.repositories == 1 { "repository" } else { "submodule" };
        match self.directory.remove_dir_all(name) {
            Err(error) if !is_missing(&error) => return Err(FetchError::Store(error)),
            Ok(()) | Err(_) => {}
        }
        let mut configuration = vec![("remote.origin.url".to_owned(), remote.reveal().to_owned())];
        configuration.extend(git_remote::credentials(remote.reveal(), &self.settings.secrets));
        let (program, directory) = (self.program, self.directory);
        let (largest, patience) = (self.settings.largest_file, self.settings.git_patience);
        let git = Git { program, directory, repository: name, configuration, largest, patience };
        git.run(&["init", "--quiet", "--bare"])?;
        let (reference, object) = match wanted {
            Wanted::Reference(commit) if is_commit(commit) => (None, commit.to_ascii_lowercase()),
            Wanted::Head => find(&git, "HEAD")?,
            Wanted::Reference(reference) => find(&git, reference)?,
        };
        match &reference {
            Some(reference) => fetch_shallow(&git, &format!("+{reference}:{}", local(reference)))?,
            None => fetch_commit(&git, &object)?,
        }
        let object = match &reference {
            Some(reference) => revision(&git, &local(reference))?,
            None => object,
        };
        let commit = revision(&git, &format!("{object}^{{commit}}"))?;
        Ok(Repository { git, name, object, commit })
    }

    /// Writes the files of a repository, then those of the repositories that it refers to.
    fn write(
        &mut self,
        repository: &Repository<'_>,
        content: &Content<'_>,
        root: &Dir,
        depth: usize,
    ) -> Result<(), FetchError> {
        let tree = match content.subdirectory.is_root() {
            true => format!("{}^{{tree}}", repository.commit),
            false => {
                let path = String::from_utf8_lossy(content.subdirectory.as_bytes()).into_owned();
                let name = format!("{}:{path}", repository.commit);
                let object = revision(&repository.git, &name).ok();
                let missing = FetchError::NoDirectory { path };
                revision(&repository.git, &format!("{}^{{tree}}", object.unwrap_or_default()))
                    .map_err(|_| missing)?
            }
        };
        let root_again = root.try_clone().map_err(FetchError::Store)?;
        let mut writer = TreeWriter { git: &repository.git, time: content.time, room: &mut self.room };
        let gitlinks = writer.write(&tree, root_again)?;
        if gitlinks.is_empty() || content.submodules == Submodules::Skip {
            return Ok(());
        }
        let known = Modules::read(repository)?;
        for gitlink in gitlinks {
            let path = String::from_utf8_lossy(gitlink.path.as_bytes()).into_owned();
            self.submodule(repository, &known, content, (&gitlink, root, depth))
                .map_err(|source| FetchError::Submodule { path, source: Box::new(source) })?;
        }
        Ok(())
    }

    fn submodule(
        &mut self,
        parent: &Repository<'_>,
        known: &Modules,
        content: &Content<'_>,
        (gitlink, root, depth): (&Gitlink, &Dir, usize),
    ) -> Result<(), FetchError> {
        if depth >= DEEPEST_SUBMODULE {
            return Err(FetchError::Submodules { most: DEEPEST_SUBMODULE });
        }
        let path = content.subdirectory.join(gitlink.path.as_bytes()).map_err(|_| FetchError::NoModule)?;
        let module = known.find(&path).ok_or(FetchError::NoModule)?;
        if module.update.as_deref() == Some("none") {
            return Ok(());
        }
        let parent_remote = parent.git.configuration.first().map_or("", |(_, remote)| remote.as_str());
        let remote = git_remote::submodule(parent_remote, &module.url)?;
        let repository = self.repository(&remote, &Wanted::Reference(gitlink.commit.clone()))?;
        // Made as a directory a moment ago, below directories that were: no link is on the way.
        let root = root.open_dir(gitlink.path.as_relative()).map_err(FetchError::Store)?;
        let everything = Content { subdirectory: &TreePath::root(), ..*content };
        self.write(&repository, &everything, &root, depth + 1)
    }
}

impl Repository<'_> {
    fn check(&self, checksum: Option<&str>) -> Result<(), FetchError> {
        let Some(checksum) = checksum else { return Ok(()) };
        let wanted = checksum.to_ascii_lowercase();
        match self.commit.starts_with(&wanted) || self.object.starts_with(&wanted) {
            true => Ok(()),
            false => Err(FetchError::Commit { expected: checksum.to_owned(), found: self.commit.clone() }),
        }
    }

    /// When the commit was made.
    fn time(&self) -> Result<Timestamp, FetchError> {
        let output = self.git.run(&["log", "-1", "--no-show-signature", "--format=%ct", &self.commit])?;
        let text = String::from_utf8_lossy(&output);
        text.parse().map_err(|_| FetchError::Git {
            operation: "log".to_owned(),
            text: "the commit has no time".to_owned(),
        })
    }

    /// Makes the repository the `.git` of the written tree: as a clone would have it, without a secret.
    fn keep(&self, root: &Dir, remote: &SafeUrl) -> Result<(), FetchError> {
        let set = |name: &str, value: &str| self.git.run(&["config", name, value]).map(drop);
        set("core.bare", "false")?;
        let url = without_credentials(remote.reveal());
        set("remote.origin.url", &url)?;
        set("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")?;
        self.git.run(&["update-ref", "--no-deref", "HEAD", &self.commit])?;
        for name in ["FETCH_HEAD", "ORIG_HEAD", "description"] {
            match self.git.directory.remove_file(format!("{}/{name}", self.name)) {
                Err(error) if !is_missing(&error) => return Err(FetchError::Store(error)),
                Ok(()) | Err(_) => {}
            }
        }
        self.git.directory.rename(self.name, root, ".git").map_err(FetchError::Store)?;
        let git = Git { directory: root, repository: ".git", configuration: Vec::new(), ..self.git };
        git.run(&["read-tree", &self.commit])?;
        // With the files' times in the index, nobody has to read them to see that nothing changed.
        git.run(&["--work-tree=.", "update-index", "-q", "--refresh"]).map(drop)
    }
}

/// Returns an address without user, password and query.
fn without_credentials(remote: &str) -> String {
    let Some((scheme, rest)) = remote.split_once("://") else { return remote.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match (scheme, authority.rsplit_once('@')) {
        ("http" | "https", Some((_, host))) => format!("{scheme}://{host}{path}"),
        (_, _) => remote.to_owned(),
    }
}

/// The reference under which it is kept here.
fn local(reference: &str) -> String {
    match reference.starts_with("refs/") {
        true => reference.to_owned(),
        false => "refs/zoea/fetched".to_owned(),
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Asks the server what a name means: a whole reference, else a branch, else a tag, as BuildKit looks.
fn find(git: &Git<'_>, name: &str) -> Result<(Option<String>, String), FetchError> {
    let short = name.strip_prefix("refs/").unwrap_or(name);
    let candidates = match name {
        "HEAD" => vec!["HEAD".to_owned()],
        _ => vec![format!("refs/{short}"), format!("refs/heads/{short}"), format!("refs/tags/{short}")],
    };
    let mut arguments = vec!["ls-remote", "--symref", "origin"];
    arguments.extend(candidates.iter().map(String::as_str));
    let output = git.run(&arguments)?;
    let text = String::from_utf8_lossy(&output);
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    let branch = lines.iter().find_map(|(target, of)| target.strip_prefix("ref: ").filter(|_| *of == "HEAD"));
    for candidate in &candidates {
        let found = lines.iter().find(|(object, reference)| reference == candidate && is_commit(object));
        if let Some((object, reference)) = found {
            let reference = branch.filter(|branch| branch.starts_with("refs/heads/")).unwrap_or(reference);
            return Ok((Some(reference.to_owned()), (*object).to_owned()));
        }
    }
    Err(FetchError::NoReference { reference: name.to_owned() })
}

/// Fetches one commit of a reference, or its history where the server knows no less.
fn fetch_shallow(git: &Git<'_>, reference: &str) -> Result<(), FetchError> {
    let fetch = |depth: &[&str]| {
        let arguments = [&["fetch", "--quiet", "--no-tags"], depth, &["origin", reference]].concat();
        git.run(&arguments).map(drop)
    };
    match fetch(&["--depth=1"]) {
        Err(FetchError::Git { text, .. }) if text.contains("shallow") || text.contains("depth") => fetch(&[]),
        other => other,
    }
}

/// Fetches a commit by its name; from a server that only gives what has a reference, everything that has one.
fn fetch_commit(git: &Git<'_>, commit: &str) -> Result<(), FetchError> {
    let Err(error) = fetch_shallow(git, &format!("+{commit}:refs/zoea/fetched")) else { return Ok(()) };
    if !matches!(error, FetchError::Git { .. }) {
        return Err(error);
    }
    git.run(&[
        "fetch",
        "--quiet",
        "origin",
        "+refs/heads/*:refs/zoea/heads/*",
        "+refs/tags/*:refs/zoea/tags/*",
    ])?;
    match git.run(&["cat-file", "-e", &format!("{commit}^{{commit}}")]) {
        Ok(_) => Ok(()),
        Err(_) => Err(FetchError::NoReference { reference: commit.to_owned() }),
    }
}

/// Returns the object that a revision names.
fn revision(git: &Git<'_>, name: &str) -> Result<String, FetchError> {
    let output = git.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", name])?;
    let text = String::from_utf8_lossy(&output).trim_end().to_owned();
    match is_commit(&text) {
        true => Ok(text),
        false => Err(FetchError::NoReference { reference: name.to_owned() }),
    }
}

/// What `.gitmodules` says.
struct Modules(Vec<Module>);

#[derive(Default)]
struct Module {
    name: String,
    path: Option<TreePath>,
    url: String,
    update: Option<String>,
}

impl Modules {
    fn read(repository: &Repository<'_>) -> Result<Self, FetchError> {
        let blob = format!("{}:.gitmodules", repository.commit);
        let output = repository.git.run(&["config", "--blob", &blob, "--no-includes", "--null", "--list"])?;
        let mut modules: Vec<Module> = Vec::new();
        for entry in output.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(entry);
            let Some((key, value)) = text.split_once('\n') else { continue };
            let Some((name, key)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.'))
            else {
                continue;
            };
            if modules.last().is_none_or(|last| last.name != name) {
                modules.push(Module { name: name.to_owned(), ..Module::default() });
            }
            let Some(module) = modules.last_mut() else { continue };
            match key {
                "path" => module.path = TreePath::new(value).ok(),
                "url" => value.clone_into(&mut module.url),
                "update" => module.update = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(Self(modules))
    }

    fn find(&self, path: &TreePath) -> Option<&Module> {
        self.0.iter().find(|module| module.path.as_ref() == Some(path) && !module.url.is_empty())
    }
}
