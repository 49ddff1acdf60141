//! The only place where ambient authority becomes capabilities.
//!
//! Reads the environment, the clock and the working directory; opens the directories and files that the user
//! named. Everything below gets what it may use as values.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use zoea::model::{Network, SafeUrl, Timestamp};
use zoea::{
    BlobStore, Credentials, FetchSettings, Fetcher, FileSink, GitProgram, Hosts, ImageStore, Proxies,
    RegistryOptions, StepSettings, Store, Surroundings,
};

use crate::error::CliError;
use crate::options::{Direction, PlainHttp};

/// The largest Dockerfile that is read; far above any that people write.
const LARGEST_DOCKERFILE: u64 = 16 << 20;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl zoea::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp {
                seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                nanoseconds: since.subsec_nanos(),
            },
            Err(_) => Timestamp::EPOCH,
        }
    }
}

/// Returns a variable of the environment, unless it is unset, empty or not UTF-8.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Opens a directory that the user named.
pub(crate) fn open_directory(path: &Path) -> Result<Dir, CliError> {
    Dir::open_ambient_dir(path, ambient_authority()).map_err(|source| CliError::File {
        action: "open directory",
        path: path.to_owned(),
        source,
    })
}

/// Opens a directory, making it and what is missing above it first.
pub(crate) fn create_directory(path: &Path) -> Result<Dir, CliError> {
    Dir::create_ambient_dir_all(path, ambient_authority()).map_err(|source| CliError::File {
        action: "create directory",
        path: path.to_owned(),
        source,
    })?;
    open_directory(path)
}

/// Splits a file's path into its opened directory and its name.
pub(crate) fn open_parent(path: &Path) -> Result<(Dir, PathBuf), CliError> {
    let name = path.file_name().ok_or_else(|| CliError::File {
        action: "use as a file",
        path: path.to_owned(),
        source: io::ErrorKind::IsADirectory.into(),
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((open_directory(parent)?, PathBuf::from(name)))
}

/// Opens the place of a file that is to be written.
///
/// A plain file, or none, is replaced when the new one is whole. A link is never replaced: as root that could be one
/// of `/dev`. What it leads to, and what is no plain file, is written in place.
pub(crate) fn file_sink(path: &Path) -> Result<FileSink, CliError> {
    let in_place = std::fs::symlink_metadata(path).is_ok_and(|status| !status.is_file() && !status.is_dir());
    if in_place {
        let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file =
            opened.map_err(|source| CliError::File { action: "open", path: path.to_owned(), source })?;
        return Ok(FileSink::InPlace { file: File::from_std(file), shown: path.to_owned() });
    }
    let (directory, name) = open_parent(path)?;
    Ok(FileSink::Replaced { directory, name, shown: path.to_owned() })
}

/// Says whether a directory is at a path.
pub(crate) fn is_directory(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|status| status.is_dir())
}

/// Says whether something exists at a path.
pub(crate) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// Reads a Dockerfile.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::File { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    read_limited(file).map_err(failed)
}

/// Reads a Dockerfile from standard input.
pub(crate) fn read_stdin() -> Result<Vec<u8>, CliError> {
    read_limited(io::stdin().lock()).map_err(|source| CliError::File {
        action: "read",
        path: PathBuf::from("standard input"),
        source,
    })
}

/// Reads what is no larger than a Dockerfile can be.
pub(crate) fn read_limited(reader: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = reader.take(LARGEST_DOCKERFILE + 1).read_to_end(&mut bytes)?;
    if count as u64 > LARGEST_DOCKERFILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB"));
    }
    Ok(bytes)
}

/// Reads a small file of the machine, such as `/etc/resolv.conf`; empty where there is none.
pub(crate) fn read_optional(path: &Path) -> Vec<u8> {
    std::fs::File::open(path).and_then(read_limited).unwrap_or_default()
}

/// The state directory, opened.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    pub(crate) directory: Dir,
    /// Absolute.
    pub(crate) path: PathBuf,
}

/// Finds the first writable of: `given`, `$XDG_STATE_HOME/zoea`, `$HOME/.local/state/zoea`, a private directory
/// under `$TMPDIR` named after `user`.
///
/// # Errors
/// When none can be written, or the given one cannot: a directory that the user named is not replaced silently.
pub(crate) fn state_directory(given: Option<&Path>, user: u32) -> Result<StateDirectory, CliError> {
    let candidates: Vec<PathBuf> = match given {
        Some(path) => vec![path.to_owned()],
        None => default_state_directories(user),
    };
    let mut tried = Vec::new();
    for path in candidates {
        match open_state(&path) {
            Ok(state) => return Ok(state),
            Err(error) => tried.push(format!("`{}` ({error})", path.display())),
        }
    }
    Err(CliError::StateDirectory { tried: tried.join(", ") })
}

fn default_state_directories(user: u32) -> Vec<PathBuf> {
    let xdg = variable("XDG_STATE_HOME").map(|path| PathBuf::from(path).join("zoea"));
    let home = variable("HOME").map(|path| PathBuf::from(path).join(".local/state/zoea"));
    let temporary = std::env::temp_dir().join(format!("zoea-{user}"));
    xdg.into_iter().chain(home).chain([temporary]).filter(|path| path.is_absolute()).collect()
}

fn open_state(path: &Path) -> io::Result<StateDirectory> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let path = std::path::absolute(path)?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    let directory = Dir::open_ambient_dir(&path, ambient_authority())?;
    let probe = format!(".writable-{}", std::process::id());
    let made_by_us = directory.create(&probe).and_then(|file| file.metadata());
    directory.remove_file(&probe)?;
    // A directory that somebody else made in a shared place could be changed under a build. Whoever this process
    // is in its user namespace, what it makes shows its own identity.
    let (owner, me) = (std::fs::metadata(&path)?.uid(), cap_std::fs::MetadataExt::uid(&made_by_us?));
    if owner != me {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it belongs to user {owner}, not to {me}"),
        ));
    }
    Ok(StateDirectory { directory, path })
}

/// Starts the threads that registry traffic runs on. After `zoea::enter`: that needs a single thread.
pub(crate) fn runtime() -> Result<Arc<tokio::runtime::Runtime>, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map(Arc::new)
        .map_err(CliError::Start)
}

/// Returns the name that this program was called by.
pub(crate) fn called_as(arguments: &[OsString]) -> Option<&str> {
    Path::new(arguments.first()?).file_name()?.to_str()
}

/// Returns the user that started this program. Before `zoea::enter`, which may make it look like root.
pub(crate) fn invoking_user() -> u32 {
    rustix::process::getuid().as_raw()
}

/// What the state directory holds, opened.
#[derive(Debug)]
pub(crate) struct Stores {
    pub(crate) layers: Store,
    pub(crate) blobs: BlobStore,
    pub(crate) images: ImageStore,
}

/// Opens the stores of the state directory.
pub(crate) fn stores(state: &StateDirectory, surroundings: &Surroundings) -> Result<Stores, CliError> {
    // Without overlays a build without RUN still works, on plain trees; one with RUN is told what is missing.
    let overlay = surroundings.probe_overlay(&state.path).ok();
    let directory = state.directory.try_clone().map_err(|source| CliError::File {
        action: "open directory",
        path: state.path.clone(),
        source,
    })?;
    let layers = Store::open(directory, state.path.clone(), overlay).map_err(CliError::State)?;
    let blobs = BlobStore::open(&state.directory).map_err(CliError::Images)?;
    let images = ImageStore::open(&state.directory, blobs.clone()).map_err(CliError::Images)?;
    Ok(Stores { layers, blobs, images })
}

/// Says how registries are spoken to: flags, `DOCKER_AUTH_CONFIG`, Docker's `config.json`, proxy variables.
pub(crate) fn registry_options(plain_http: &PlainHttp) -> Result<RegistryOptions, CliError> {
    let hosts = |direction| match plain_http.every.contains(&direction) {
        true => Hosts::All,
        false => Hosts::Listed(plain_http.registries.iter().cloned().collect()),
    };
    Ok(RegistryOptions {
        credentials: credentials()?,
        plain_http_pull: hosts(Direction::Pull),
        plain_http_push: hosts(Direction::Push),
        proxies: proxies(),
    })
}

fn credentials() -> Result<Credentials, CliError> {
    let variable_text = variable("DOCKER_AUTH_CONFIG").unwrap_or_default();
    let given = Credentials::from_docker_config(&variable_text, "DOCKER_AUTH_CONFIG");
    let directory = variable("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".docker")));
    let file = match directory.map(|directory| directory.join("config.json")) {
        Some(path) if exists(&path) => {
            let bytes = read_file(&path)?;
            Credentials::from_docker_config(&String::from_utf8_lossy(&bytes), &path.display().to_string())
        }
        Some(_) | None => Ok(Credentials::default()),
    };
    Ok(given.map_err(CliError::Images)?.or(file.map_err(CliError::Images)?))
}

/// Makes what fetches from elsewhere, into a directory of the work area.
pub(crate) fn fetcher(area: &zoea::Workspace, handle: &tokio::runtime::Handle) -> Result<Fetcher, CliError> {
    let directory = area.open_directory("fetched").map_err(CliError::State)?;
    let mut settings = FetchSettings::new(handle.clone());
    settings.proxies = proxies();
    settings.git = Some(GitProgram::new(git));
    Ok(Fetcher::new(settings, directory))
}

/// The git program with nothing of this environment but where programs are, proxies, trust, and the way to ssh keys:
/// those of the agent alone, and only to hosts that the user knows.
fn git() -> Command {
    const KEPT: &[&str] =
        &["PATH", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
    let mut command = Command::new("git");
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
    if let Some(proxy) = variable("HTTP_PROXY").filter(|_| variable("http_proxy").is_none()) {
        command.env("http_proxy", proxy);
    }
    for (ours, gits) in [("SSL_CERT_FILE", "GIT_SSL_CAINFO"), ("SSL_CERT_DIR", "GIT_SSL_CAPATH")] {
        command.envs(variable(ours).map(|path| (gits, path)));
    }
    let home = variable("HOME").unwrap_or_else(|| "/nonexistent".to_owned());
    let known_hosts = format!("{home}/.ssh/known_hosts").replace('\'', "'\\''");
    command.env(
        "GIT_SSH_COMMAND",
        format!("ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile='\"{known_hosts}\"'"),
    );
    command.env("GIT_SSH_VARIANT", "ssh");
    command
}

/// Upper-case names count, lower-case ones where those are unset; `http_proxy` has no upper-case form in
/// programs that may run as CGI, but a builder is none.
fn proxies() -> Proxies {
    let either = |upper: &str| variable(upper).or_else(|| variable(&upper.to_lowercase()));
    Proxies {
        http: either("HTTP_PROXY").map(SafeUrl::new),
        https: either("HTTPS_PROXY").map(SafeUrl::new),
        none_for: either("NO_PROXY").unwrap_or_default(),
    }
}

/// Says what all steps have in common: the host's resolver and network.
pub(crate) fn step_settings() -> StepSettings {
    StepSettings { resolver: read_optional(Path::new("/etc/resolv.conf")), network: Network::Default }
}

/// Says whether two paths lead to one file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path: &Path| std::fs::metadata(path).map(|status| (status.dev(), status.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}
