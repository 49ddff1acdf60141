//! The `zoea` program as its users run it: with an environment, a home and a state directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::actor::Actor;
use crate::cache;
use crate::finished::Finished;
use crate::isolation::private_mounts;

/// The only directories that are searched for programs.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One user with a home directory, who runs the program.
#[derive(Debug)]
pub struct Zoea {
    actor: Actor,
    program: PathBuf,
    home: TempDir,
}

impl Zoea {
    /// Makes a home for `actor` with an empty state directory.
    ///
    /// # Errors
    /// The program cannot be built, or the directories not be made.
    pub fn new(actor: Actor) -> Result<Self> {
        let (_, program) = cache::program()?;
        // Below /var/tmp: state must not lie on an overlay or a small file system in memory.
        let home = tempfile::Builder::new().prefix("zoea-test-").tempdir_in("/var/tmp")?;
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
        let zoea = Self { actor, program, home };
        actor.own(zoea.home())?;
        zoea.directory("tmp")?;
        Ok(zoea)
    }

    /// Returns the home directory, which the actor owns.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.home().join("state")
    }

    /// Makes the directory `name` in the home.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.home().join(name);
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        self.actor.own(&path)?;
        Ok(path)
    }

    /// Makes a directory `context…` in the home with these files.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn context(&self, files: &[(&str, &str)]) -> Result<PathBuf> {
        let number = fs::read_dir(self.home())?.count();
        let context = self.directory(&format!("context{number}"))?;
        for (name, text) in files {
            let path = context.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(context)
    }

    /// Makes a command that runs the program with `arguments`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    /// Makes a command that runs the program below `wrapper`, another program with its arguments.
    pub fn command_under(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let mut words = wrapper.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        words.push(self.program.clone().into());
        words.extend(arguments.iter().map(std::ffi::OsString::from));
        let mut words = words.into_iter();
        let mut inner = self.actor.command(words.next().unwrap_or_default());
        inner.args(words);
        let mut command = private_mounts(&inner);
        command
            .current_dir(self.home())
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("HOME", self.home())
            .env("TMPDIR", self.home().join("tmp"))
            .env("ZOEA_STATE_DIR", self.state());
        command
    }

    /// Runs the program with `arguments` to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        Finished::of(&mut self.command(arguments))
    }

    /// Runs the program with `arguments` to its end and returns the most memory that was resident in one of its
    /// processes, in KiB.
    ///
    /// # Errors
    /// It fails, or GNU time is not installed.
    pub fn peak_memory(&self, arguments: &[&str]) -> Result<u64> {
        let figure = self.home().join("tmp/peak-memory");
        let wrapper =
            ["/usr/bin/time", "--format=%M", "--output", &figure.to_string_lossy()].map(str::to_owned);
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        Finished::of(&mut self.command_under(&wrapper, arguments))?.success()?;
        let text = fs::read_to_string(figure)?;
        text.trim().parse().with_context(|| format!("GNU time said `{text}`"))
    }

    /// Runs `zoea build` on `context` with more `arguments`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn build(&self, context: &Path, arguments: &[&str]) -> Result<Finished> {
        Finished::of(&mut self.build_command(context, arguments))
    }

    /// Makes the command `zoea build` on `context` with more `arguments`.
    pub fn build_command(&self, context: &Path, arguments: &[&str]) -> Command {
        let context = context.to_string_lossy();
        let mut words = vec!["build", &context];
        words.extend(arguments);
        self.command(&words)
    }
}
