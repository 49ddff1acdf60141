//! A real registry: Debian's `docker-registry` on a free port of this machine, with its storage in a temporary
//! directory.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

use crate::base::Base;
use crate::skopeo;

/// How long a registry may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running registry; it ends with this value.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    directory: TempDir,
    address: String,
}

impl Registry {
    /// Starts a registry that is empty.
    ///
    /// # Errors
    /// It does not start.
    pub fn start() -> Result<Self> {
        for _ in 0..3 {
            if let Some(registry) = Self::try_start()? {
                return Ok(registry);
            }
        }
        bail!("docker-registry does not start")
    }

    /// Starts a registry, unless another process took the port meanwhile.
    fn try_start() -> Result<Option<Self>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let directory = tempfile::Builder::new().prefix("zoea-test-registry-").tempdir_in("/var/tmp")?;
        let storage = directory.path().join("storage");
        let settings = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    \
             enabled: true\nhttp:\n  addr: {address}\n",
            storage.display()
        );
        let file = directory.path().join("settings.yml");
        fs::write(&file, settings)?;
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(fs::File::create(directory.path().join("requests"))?)
            .stderr(fs::File::create(directory.path().join("log"))?)
            .spawn()?;
        let mut registry = Self { process, directory, address };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if registry.process.try_wait()?.is_some() {
                return Ok(None);
            }
            if registry.answers() {
                return Ok(Some(registry));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains(" 200 "))
    }

    /// Returns host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the reference of `name` in this registry.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Puts `base` into the registry and returns its reference.
    ///
    /// # Errors
    /// The base cannot be made or copied.
    pub fn put(&self, base: Base) -> Result<String> {
        let reference = self.reference(&format!("{}:latest", base.name()));
        skopeo::copy(&format!("oci-archive:{}", base.archive()?.display()), &skopeo::remote(&reference))?;
        Ok(reference)
    }

    /// Returns the files of all blobs that the registry keeps, for tests that spoil them.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn blobs(&self) -> Result<Vec<PathBuf>> {
        let root = self.directory.path().join("storage/docker/registry/v2/blobs/sha256");
        let mut blobs = Vec::new();
        for first in fs::read_dir(root)? {
            for blob in fs::read_dir(first?.path())? {
                blobs.push(blob?.path().join("data"));
            }
        }
        blobs.sort();
        Ok(blobs)
    }

    /// Returns the file of the biggest blob: a layer.
    ///
    /// # Errors
    /// There is none.
    pub fn biggest_blob(&self) -> Result<PathBuf> {
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let biggest = self.blobs()?.into_iter().max_by_key(|path| size(path));
        ensure!(biggest.is_some(), "the registry is empty");
        Ok(biggest.unwrap_or_default())
    }

    /// Returns the requests that came so far: `GET /v2/… HTTP/1.1`, one a line.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn requests(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.directory.path().join("requests"))?;
        Ok(text.lines().filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone then.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Need, ready};

    #[test]
    fn starts_and_ends() {
        if !ready("starts_and_ends", &[Need::Program("docker-registry")]) {
            return;
        }
        let registry = Registry::start().unwrap();
        let address = registry.address().to_owned();
        assert!(registry.answers());
        assert!(registry.requests().unwrap().iter().any(|line| line.starts_with("GET /v2/")));
        drop(registry);
        assert!(TcpStream::connect(address).is_err());
    }
}
