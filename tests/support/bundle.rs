//! The judge of what an image holds: umoci unpacks it, runc runs it.
//!
//! The container gets no network, no cgroup of its own and no resource limits, so that it runs in a virtual machine
//! and in a container alike; it is started in a mount namespace with its own `/dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::finished::Finished;
use crate::isolation::private_mounts;
use crate::skopeo;

/// An unpacked image that can be run; it is removed with this value.
#[derive(Debug)]
pub struct Bundle {
    directory: TempDir,
}

impl Bundle {
    /// Unpacks `image`, in skopeo's notation.
    ///
    /// # Errors
    /// skopeo or umoci refuses it.
    pub fn unpack(image: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("zoea-test-bundle-").tempdir_in("/var/tmp")?;
        let layout = directory.path().join("layout");
        skopeo::copy(image, &format!("oci:{}:image", layout.display()))?;
        let bundle = directory.path().join("bundle");
        let mut command = Command::new("umoci");
        command.arg("unpack").arg("--image").arg(format!("{}:image", layout.display())).arg(&bundle);
        Finished::of(&mut private_mounts(&command))?.success()?;
        let bundle = Self { directory };
        bundle.simplify()?;
        Ok(bundle)
    }

    /// Returns the unpacked tree.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("bundle/rootfs")
    }

    /// Runs the image's own command, or `arguments` if there are some.
    ///
    /// # Errors
    /// runc cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        if !arguments.is_empty() {
            self.edit(|config| {
                if let Some(words) = config.pointer_mut("/process/args") {
                    *words = json!(arguments);
                }
            })?;
        }
        let name = self.directory.path().file_name().context("A bundle without a name")?.to_owned();
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.directory.path().join("runc")).arg("--rootless=true").arg("run");
        command.arg("--bundle").arg(self.directory.path().join("bundle")).arg(name);
        Finished::of(&mut private_mounts(&command))
    }

    /// Takes out of umoci's configuration what not every machine allows.
    fn simplify(&self) -> Result<()> {
        self.edit(|config| {
            if let Some(process) = config.pointer_mut("/process").and_then(Value::as_object_mut) {
                process.insert("terminal".to_owned(), json!(false));
                process.remove("rlimits");
            }
            if let Some(linux) = config.pointer_mut("/linux").and_then(Value::as_object_mut) {
                linux.remove("resources");
            }
            if let Some(mounts) = config.pointer_mut("/mounts").and_then(Value::as_array_mut) {
                let of_kernel = |mount: &Value| {
                    mount
                        .get("destination")
                        .and_then(Value::as_str)
                        .is_some_and(|path| path.starts_with("/sys"))
                };
                mounts.retain(|mount| !of_kernel(mount));
            }
        })
    }

    fn edit(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        edit_json(&self.directory.path().join("bundle/config.json"), change)
    }
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) -> Result<()> {
    let mut value = serde_json::from_slice(&fs::read(path)?)?;
    change(&mut value);
    Ok(fs::write(path, serde_json::to_vec(&value)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Base;
    use crate::machine::{Need, ready};

    /// Makes an image of busybox with umoci alone, so that the judges are tried without the program they judge.
    fn image(directory: &Path) -> String {
        let layout = directory.join("layout");
        let image = format!("{}:image", layout.display());
        let tar = Base::Busybox.tar().unwrap();
        for arguments in [
            vec!["init", "--layout", layout.to_str().unwrap()],
            vec!["new", "--image", &image],
            vec!["raw", "add-layer", "--image", &image, tar.to_str().unwrap()],
            vec!["config", "--image", &image, "--config.cmd", "/bin/echo", "--config.cmd", "hello"],
        ] {
            Finished::of(Command::new("umoci").args(arguments)).unwrap().success().unwrap();
        }
        format!("oci:{image}")
    }

    #[test]
    fn runs_an_image() {
        let needs = [Need::Root, Need::Base(Base::Busybox)];
        let programs = ["skopeo", "umoci", "runc"].map(Need::Program);
        if !ready("runs_an_image", &[&needs[..], &programs[..]].concat()) {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let bundle = Bundle::unpack(&image(directory.path())).unwrap();
        assert_eq!(bundle.run(&[]).unwrap().success().unwrap().stdout, "hello\n");
        assert_eq!(bundle.run(&["/bin/sh", "-c", "exit 7"]).unwrap().status.code(), Some(7));
        assert!(Path::new("/dev/null").exists());
    }
}
