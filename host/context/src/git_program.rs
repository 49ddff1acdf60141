//! Running the git program without trusting what it works on.
//!
//! Owns its environment's configuration, its limits and its output. No hook runs, no configuration of the user or
//! the machine is read, no protocol but those of remote repositories is spoken, and every received object is
//! checked. Secrets are given in the environment, where other users do not see them.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rustix::process::{Pid, Signal};

use crate::FetchError;

/// How much of a short answer is read, such as a list of references: a repository has some hundred thousand.
const MOST_OUTPUT: u64 = 64 << 20;
/// How much of a complaint is shown.
const MOST_COMPLAINT: usize = 4 << 10;
/// How often a running git is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How long one git command may take: far above the clone of the largest known histories.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// What holds for every command. Historic mistakes that git itself only warns of in `git fsck` do not stop a build.
const CONFIGURATION: &[(&str, &str)] = &[
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("protocol.git.allow", "always"),
    ("protocol.ssh.allow", "always"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("core.bigFileThreshold", "16m"),
    // A log would put this machine's name, user and clock into a `.git` that is kept.
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("transfer.fsckObjects", "true"),
    ("fetch.fsck.missingSpaceBeforeDate", "warn"),
    ("fetch.fsck.zeroPaddedFilemode", "warn"),
    ("fetch.fsck.badTimezone", "warn"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
    ("init.defaultBranch", "master"),
    // A server that sends less for so long is gone.
    ("http.lowSpeedLimit", "256"),
    ("http.lowSpeedTime", "60"),
];

/// The right to run git. Makes a command of the program with a clean environment: `PATH`, what ssh needs, proxies.
#[derive(Clone)]
pub struct GitProgram(Arc<dyn Fn() -> Command + Send + Sync>);

impl GitProgram {
    /// Takes what makes the command.
    pub fn new(command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self(Arc::new(command))
    }
}

impl fmt::Debug for GitProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GitProgram")
    }
}

/// A git that works in one directory.
#[derive(Debug)]
pub(crate) struct Git<'a> {
    pub(crate) program: &'a GitProgram,
    /// Its working directory.
    pub(crate) directory: &'a Dir,
    /// Its repository, from there.
    pub(crate) repository: &'a str,
    /// More configuration; may hold secrets.
    pub(crate) configuration: Vec<(String, String)>,
    /// How many bytes its repository may grow to.
    pub(crate) largest: u64,
    /// How long a command may work without its repository growing.
    pub(crate) patience: Duration,
}

impl Git<'_> {
    /// Runs a command and returns what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, FetchError> {
        let mut running = self.start(arguments, Stdio::null())?;
        let output = running.child.stdout.take().map(|output| read_in_thread(output, MOST_OUTPUT));
        let deadline = Instant::now() + PATIENCE;
        let (mut grown, mut size) = (Instant::now(), 0);
        let status = loop {
            if let Some(status) = running.child.try_wait().map_err(FetchError::Store)? {
                break status;
            }
            let (now, size_now) = (Instant::now(), self.size());
            if size_now > self.largest {
                return Err(FetchError::TooLarge { limit: self.largest });
            }
            if size_now != size {
                (grown, size) = (now, size_now);
            }
            if now > deadline || now - grown > self.patience {
                return Err(running.fail("nothing came any more, or it took too long"));
            }
            std::thread::sleep(GLANCE);
        };
        let output = output.map_or_else(Vec::new, finished);
        match status.success() && output.len() as u64 <= MOST_OUTPUT {
            true => Ok(output),
            false => Err(running.fail("it failed without a word")),
        }
    }

    /// Starts a command whose output is read as it comes.
    pub(crate) fn start(&self, arguments: &[&str], input: Stdio) -> Result<RunningGit, FetchError> {
        let mut command = (self.program.0)();
        command
            // The directory is a capability, not a path; the child inherits it until it executes git.
            .current_dir(format!("/proc/self/fd/{}", self.directory.as_raw_fd()))
            .args(["--git-dir", self.repository, "--no-replace-objects", "--no-optional-locks"])
            .args(arguments)
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_ATTR_NOSYSTEM", "1"),
                ("GIT_TERMINAL_PROMPT", "0"),
                ("GIT_TEMPLATE_DIR", ""),
                ("GIT_NO_LAZY_FETCH", "1"),
                ("HOME", "/nonexistent"),
                ("XDG_CONFIG_HOME", "/nonexistent"),
                ("LC_ALL", "C"),
            ])
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let fixed = CONFIGURATION.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let all: Vec<_> = fixed.chain(self.configuration.iter().cloned()).collect();
        command.env("GIT_CONFIG_COUNT", all.len().to_string());
        for (number, (name, value)) in all.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), name);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        let mut child = command.spawn().map_err(|source| FetchError::GitProgram { source })?;
        let complaint = child.stderr.take().map(read_last_in_thread);
        let operation = arguments.first().copied().unwrap_or_default().to_owned();
        Ok(RunningGit { child, complaint, operation })
    }

    /// How large the repository's packs are by now.
    fn size(&self) -> u64 {
        let packs = format!("{}/objects/pack", self.repository);
        let entries = self.directory.read_dir(packs).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

/// A git at work; ends with this value.
#[derive(Debug)]
pub(crate) struct RunningGit {
    pub(crate) child: Child,
    complaint: Option<JoinHandle<Vec<u8>>>,
    operation: String,
}

impl RunningGit {
    /// Ends it and makes an error of what it complained about.
    pub(crate) fn fail(&mut self, otherwise: &str) -> FetchError {
        self.end();
        let complaint = self.complaint.take().map_or_else(Vec::new, finished);
        let text = String::from_utf8_lossy(&complaint);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.map(|line| line.escape_debug().to_string()).collect::<Vec<_>>().join("; ");
        FetchError::Git {
            operation: self.operation.clone(),
            text: if text.is_empty() { otherwise.to_owned() } else { text },
        }
    }

    fn end(&mut self) {
        // Its helpers are of its group. Once it was waited for there may be no group, and nothing to do.
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
                && rustix::process::kill_process_group(group, Signal::KILL).is_err()
            {
                // It ended by itself meanwhile.
            }
            drop(self.child.wait());
        }
    }
}

impl Drop for RunningGit {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_in_thread(from: impl Read + Send + 'static, most: u64) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read ends the output; the exit status tells of the failure.
        drop(from.take(most + 1).read_to_end(&mut bytes));
        bytes
    })
}

/// Reads all and keeps the end, where the reason stands.
fn read_last_in_thread(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut last, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            last.extend_from_slice(buffer.get(..count).unwrap_or_default());
            let excess = last.len().saturating_sub(MOST_COMPLAINT);
            drop(last.drain(..excess));
        }
        last
    })
}

fn finished(thread: JoinHandle<Vec<u8>>) -> Vec<u8> {
    thread.join().unwrap_or_default()
}

/// Says whether a file of this error is only not there.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
