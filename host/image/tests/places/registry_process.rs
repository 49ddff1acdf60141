//! Debian's `docker-registry`, on the loopback, with its storage in a temporary directory.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a registry may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running registry; it stops when this is dropped.
pub(crate) struct RegistryProcess {
    child: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl RegistryProcess {
    /// Starts a registry that everyone may use.
    pub(crate) fn start() -> Self {
        Self::start_with("", &[])
    }

    /// Starts a registry with more lines in its configuration, in which `DIRECTORY` is its directory, and with
    /// more files there.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test makes its own work area and starts a real registry"
    )]
    pub(crate) fn start_with(more: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let configuration = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {path}/storage}}}}\n\
             http:\n  addr: \"{address}\"\n{}",
            more.replace("DIRECTORY", &path)
        );
        for (name, content) in files.iter().chain([&("config.yml", configuration.as_str())]) {
            std::fs::write(directory.path().join(name), content).unwrap();
        }
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(directory.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need Debian's package docker-registry");
        let mut registry = Self { child, address, directory };
        registry.wait();
        registry
    }

    fn wait(&mut self) {
        let end = Instant::now() + START;
        while Instant::now() < end && self.child.try_wait().unwrap().is_none() {
            if let Ok(mut stream) = TcpStream::connect(&self.address) {
                stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").unwrap();
                let mut answer = String::new();
                if stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.") {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("docker-registry does not answer at {}", self.address);
    }

    /// Returns a name in this registry.
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// Returns `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns where it keeps the bytes of a blob.
    pub(crate) fn blob_path(&self, hex: &str) -> PathBuf {
        let prefix: String = hex.chars().take(2).collect();
        let blobs = self.directory.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(prefix).join(hex).join("data")
    }
}

impl Drop for RegistryProcess {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("docker-registry did not stop: {error}");
        }
    }
}
