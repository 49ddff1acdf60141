//! A fetcher with a runtime and a directory of its own.

use std::error::Error as _;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use zoea_context::{FetchSettings, Fetched, Fetcher, Remotes as _};
use zoea_model::{Remote, TreePath};

pub(crate) struct Bench {
    pub(crate) fetcher: Fetcher,
    directory: TempDir,
    _runtime: Runtime,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut FetchSettings)) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut settings = FetchSettings::new(runtime.handle().clone());
        settings.patience = Duration::from_secs(20);
        change(&mut settings);
        let directory = TempDir::new().unwrap();
        let opened = rustix::fs::open(directory.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        let fetcher = Fetcher::new(settings, Dir::from_std_file(opened.into()));
        Self { fetcher, directory, _runtime: runtime }
    }

    /// Where the git tree of the number that `fetched` has is.
    pub(crate) fn place(&self, fetched: &Fetched) -> PathBuf {
        let directories = std::fs::read_dir(self.directory.path()).unwrap();
        let mut trees = directories.map(|entry| entry.unwrap().path().join("tree"));
        let git = fetched.context.lookup(&TreePath::new(".git").unwrap()).unwrap().unwrap();
        let mut same = trees.find(|tree| {
            let status = std::fs::symlink_metadata(tree.join(".git"));
            status.is_ok_and(|status| status.mtime_nsec() == i64::from(git.attributes.mtime.nanoseconds))
        });
        same.take().unwrap()
    }

    pub(crate) fn fetch(&self, remote: &Remote) -> Arc<Fetched> {
        self.fetcher.fetch(remote).unwrap_or_else(|error| panic!("{error}: {:?}", error.source()))
    }

    /// Returns the words of a failure, with those of all its causes.
    pub(crate) fn failure(&self, remote: &Remote) -> String {
        let error = self.fetcher.fetch(remote).unwrap_err();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

/// Reads a file of what was fetched.
pub(crate) fn content(fetched: &Fetched, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    fetched.context.open(&TreePath::new(path).unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
