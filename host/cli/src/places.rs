//! Addresses of contexts → contexts: opened where they are here, named where they are fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use zoea::model::{
    Events, GitDirectory, GitForm, GitHint, GitReference, GitSource, HttpSource, Remote, TreePath,
};
use zoea::{
    Clock as _, Context, ContextSource, ContextTree, CopyTree, DockerfileText, Fetcher, Location,
    Remotes as _, Workspace,
};

use crate::error::CliError;
use crate::options::DockerfileChoice;
use crate::wire;

/// The build argument that keeps the `.git` of contexts from repositories.
const KEEP_GIT: &str = "BUILDKIT_CONTEXT_KEEP_GIT_DIR";

/// The name of the one file in a context from a web server, as in BuildKit (`frontend/dockerui`).
const WEB_CONTEXT_FILE: &str = "context";

/// What contexts are made of.
pub(crate) struct Places<'a> {
    pub(crate) fetcher: &'a Fetcher,
    /// Where archives are unpacked.
    pub(crate) area: &'a Workspace,
    /// The builder's own directory, which is in no context.
    pub(crate) state: &'a Dir,
    pub(crate) events: &'a dyn Events,
}

/// Where a context is.
pub(crate) enum Located {
    Directory(PathBuf),
    Remote(Remote),
}

impl Places<'_> {
    /// Reads an address. What is a directory here is that directory, whatever else it looks like.
    pub(crate) fn locate(
        &self,
        text: &str,
        build_args: &BTreeMap<String, Option<String>>,
    ) -> Result<Located, CliError> {
        if wire::is_directory(Path::new(text)) {
            return Ok(Located::Directory(PathBuf::from(text)));
        }
        let keep = build_args.get(KEEP_GIT).cloned().flatten();
        match text.parse().map_err(CliError::Context)? {
            Location::Git(reference) => Ok(Located::Remote(git(*reference, keep.as_deref()))),
            Location::Web(url) => Ok(Located::Remote(Remote::Http(HttpSource {
                url,
                file_name: WEB_CONTEXT_FILE.to_owned(),
                checksum: None,
            }))),
            Location::Directory(path) => match GitSource::parse(text, GitHint::None) {
                Ok(Some(reference)) if reference.form == GitForm::MaybePath => {
                    Ok(Located::Remote(git(reference, keep.as_deref())))
                }
                Ok(_) | Err(_) => Ok(Located::Directory(path)),
            },
        }
    }

    /// Opens a directory, with the ignore file that is for it.
    pub(crate) fn local(
        &self,
        path: &Path,
        dockerfile: Option<(&Dir, &Path)>,
    ) -> Result<ContextSource, CliError> {
        let directory = wire::open_directory(path)?;
        let mut context = Context::open_with_ignore_file(directory, dockerfile).map_err(CliError::Context)?;
        // A build must not copy its own work area into itself.
        context.hide(self.state).map_err(CliError::Context)?;
        Ok(ContextSource::Local(Arc::new(context)))
    }

    /// Fetches a context from elsewhere and reads its Dockerfile.
    pub(crate) fn remote(
        &self,
        remote: Remote,
        choice: &DockerfileChoice,
    ) -> Result<(DockerfileText, ContextSource), CliError> {
        let fetched = self.fetcher.fetch(&remote).map_err(CliError::Context)?;
        let unpacked = zoea::unpack_context(&fetched, self.area, wire::SystemClock.now());
        let unpacked = unpacked.map_err(|source| zoea::ZoeaError::UnpackContext {
            address: remote.to_string(),
            source: Box::new(source),
        })?;
        let source = match unpacked {
            Some(tree) => ContextSource::Archive { archive: Arc::clone(&fetched), tree: Arc::new(tree) },
            None => ContextSource::Remote(remote),
        };
        let text = match (choice, &source) {
            (DockerfileChoice::Stdin, _) => {
                DockerfileText { name: "Dockerfile".to_owned(), bytes: wire::read_stdin()? }
            }
            (_, ContextSource::Archive { tree, .. }) => dockerfile(tree.as_ref(), choice)?,
            (_, ContextSource::Local(_) | ContextSource::Remote(_)) => {
                // A file that is no archive is itself the Dockerfile, whatever was asked for.
                let itself = fetched.file.as_ref().map(|path| path.as_relative().to_owned());
                let itself = itself.map(DockerfileChoice::Path);
                dockerfile(&ContextTree::Fetched(fetched), itself.as_ref().unwrap_or(choice))?
            }
        };
        Ok((text, source))
    }
}

/// Reads the Dockerfile of a context from elsewhere; its path is one in that context.
fn dockerfile(tree: &dyn CopyTree, choice: &DockerfileChoice) -> Result<DockerfileText, CliError> {
    let open = |path: &Path| {
        let tree_path = TreePath::new(path.as_os_str().as_encoded_bytes()).map_err(std::io::Error::other)?;
        tree.open(&tree_path)
    };
    let (name, opened) = match choice {
        DockerfileChoice::Path(path) | DockerfileChoice::WorkingDirectoryOrContext(path) => {
            (path.as_path(), open(path))
        }
        DockerfileChoice::Default | DockerfileChoice::Stdin => match open(Path::new("Dockerfile")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                match open(Path::new("dockerfile")) {
                    Ok(file) => (Path::new("dockerfile"), Ok(file)),
                    Err(_) => (Path::new("Dockerfile"), Err(error)),
                }
            }
            other => (Path::new("Dockerfile"), other),
        },
    };
    let bytes = opened.and_then(wire::read_limited);
    let bytes = bytes.map_err(|source| CliError::File { action: "read", path: name.to_owned(), source })?;
    Ok(DockerfileText { name: name.display().to_string(), bytes })
}

/// What the address itself says of `.git` counts before the build argument.
fn git(reference: GitReference, keep: Option<&str>) -> Remote {
    let mut source = reference.source;
    if reference.git_directory.is_none() && matches!(keep, Some("1" | "t" | "T" | "true" | "True" | "TRUE")) {
        source.git_directory = GitDirectory::Keep;
    }
    Remote::Git(source)
}
