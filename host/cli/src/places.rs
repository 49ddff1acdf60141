//! Addresses of contexts → contexts: opened where they are here, named where they are fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use zoea::model::{
    Events, GitDirectory, GitForm, GitHint, GitReference, GitSource, HttpSource, Remote, TreePath,
};
use zoea::{Context, ContextSource, DockerfileText, Fetcher, Location, Remotes as _};

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

    /// Reads the Dockerfile of a context from elsewhere; its path is one in that context.
    pub(crate) fn remote_dockerfile(
        &self,
        remote: &Remote,
        choice: &DockerfileChoice,
    ) -> Result<DockerfileText, CliError> {
        let path = match choice {
            DockerfileChoice::Stdin => {
                return Ok(DockerfileText { name: "Dockerfile".to_owned(), bytes: wire::read_stdin()? });
            }
            DockerfileChoice::Path(path) | DockerfileChoice::WorkingDirectoryOrContext(path) => Some(path),
            DockerfileChoice::Default => None,
        };
        let context = &self.fetcher.fetch(remote).map_err(CliError::Context)?.context;
        let open = |path: &Path| {
            let tree_path =
                TreePath::new(path.as_os_str().as_encoded_bytes()).map_err(std::io::Error::other)?;
            context.open(&tree_path)
        };
        let (name, opened) = match path {
            Some(path) => (path.as_path(), open(path)),
            None => match open(Path::new("Dockerfile")) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    match open(Path::new("dockerfile")) {
                        Ok(file) => (Path::new("dockerfile"), Ok(file)),
                        Err(_) => (Path::new("Dockerfile"), Err(error)),
                    }
                }
                other => (Path::new("Dockerfile"), other),
            },
        };
        let read = opened.and_then(wire::read_limited);
        let bytes =
            read.map_err(|source| CliError::File { action: "read", path: name.to_owned(), source })?;
        Ok(DockerfileText { name: name.display().to_string(), bytes })
    }
}

/// What the address itself says of `.git` counts before the build argument.
fn git(reference: GitReference, keep: Option<&str>) -> Remote {
    let mut source = reference.source;
    if reference.git_directory.is_none() && matches!(keep, Some("1" | "t" | "T" | "true" | "True" | "TRUE")) {
        source.git_directory = GitDirectory::Keep;
    }
    Remote::Git(source)
}
