//! Real repositories, served by `git daemon`.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use zoea_context::{FetchSettings, GitProgram};
use zoea_model::{GitHint, GitSource, Remote};

use crate::bench::Bench;

/// Every commit is of this time.
pub(crate) const TIME: i64 = 1_700_000_000;

/// The program; in tests with the tests' own environment.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    command
}

pub(crate) fn bench() -> Bench {
    bench_with(|_| {})
}

pub(crate) fn bench_with(change: impl FnOnce(&mut FetchSettings)) -> Bench {
    Bench::with(|settings| {
        settings.git = Some(GitProgram::new(git));
        change(settings);
    })
}

pub(crate) fn remote(text: &str) -> Remote {
    Remote::Git(GitSource::parse(text, GitHint::None).unwrap().unwrap().source)
}

/// A directory of repositories.
pub(crate) struct Repositories {
    directory: TempDir,
}

impl Repositories {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a repository; its work tree is its directory.
    pub(crate) fn make(&self, name: &str) -> Repository {
        let repository = Repository { path: self.path(name) };
        std::fs::create_dir(&repository.path).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Serves all of them.
    pub(crate) fn serve(&self) -> Daemon {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let base = format!("--base-path={}", self.directory.path().display());
        let mut command = git();
        command
            .args(["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(base)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // The daemon serves what belongs to whoever runs the tests.
        command.envs([
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"),
            ("GIT_CONFIG_VALUE_0", "*"),
        ]);
        let child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap();
        let daemon = Daemon { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        daemon
    }
}

/// A running `git daemon`.
pub(crate) struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("git://127.0.0.1:{}/{rest}", self.port)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }
}

/// A repository that a test fills.
pub(crate) struct Repository {
    pub(crate) path: PathBuf,
}

impl Repository {
    /// Runs git in it and returns what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        run(&self.path, arguments)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits everything and returns the commit.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Refers to another repository.
    pub(crate) fn add_submodule(&self, path: &str, url: &str, commit: &str) {
        let file = std::fs::read_to_string(self.path.join(".gitmodules")).unwrap_or_default();
        self.write(".gitmodules", &format!("{file}[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n"));
        std::fs::create_dir_all(self.path.join(path)).unwrap();
        self.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
        self.git(&["add", ".gitmodules"]);
        self.git(&["commit", "--quiet", "--message=submodule"]);
    }
}

/// Runs git in a directory.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> String {
    let time = format!("{TIME} +0000");
    let names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    let output = git()
        .current_dir(directory)
        .envs(names.map(|name| (name, "x")))
        .envs([("GIT_AUTHOR_DATE", &time), ("GIT_COMMITTER_DATE", &time)])
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
