//! Real base images: Debian from the machine's package source, and busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::actor::Actor;
use crate::finished::Finished;
use crate::isolation::private_mounts;
use crate::zoea::Zoea;
use crate::{cache, machine};

/// The Debian release that the base is made of.
const RELEASE: &str = "bookworm";

/// What of apt's settings of this machine holds for the base too: how its package source is reached and trusted.
const APT_SETTINGS: &[&str] =
    &["Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until", "Acquire::Check-Date"];

/// A base image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// A minimal Debian with apt and its package sources.
    Debian,
    /// A static busybox with its links.
    Busybox,
    /// The same for arm64, from the machine's package source.
    Arm64Busybox,
}

impl Base {
    /// Returns its name in a registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Busybox => "busybox",
            Self::Arm64Busybox => "busybox-arm64",
        }
    }

    /// Returns its tree as a tar file; made once per machine.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn tar(self) -> Result<PathBuf> {
        let name = format!("{}.tar", self.name());
        cache::file(&cache::directory()?, &name, |path| match self {
            Self::Debian => debian(path),
            Self::Busybox => busybox(path, &native_busybox()?),
            Self::Arm64Busybox => {
                let unpacked = tempfile::tempdir()?;
                busybox(path, &download_busybox("arm64", unpacked.path())?)
            }
        })
    }

    /// Returns the image as an OCI archive; made by the program under test, once per build of it.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn archive(self) -> Result<PathBuf> {
        let (directory, _) = cache::program()?;
        let tar = self.tar()?;
        cache::file(&directory, &format!("{}.oci.tar", self.name()), |path| {
            let zoea = Zoea::new(Actor::Root)?;
            let context =
                zoea.context(&[("Dockerfile", "FROM scratch\nADD base.tar /\nCMD [\"/bin/sh\"]\n")])?;
            fs::copy(&tar, context.join("base.tar"))?;
            let made = zoea.home().join("base.oci.tar");
            let output = format!("type=oci,dest={}", made.display());
            let platform = if self == Self::Arm64Busybox { "linux/arm64" } else { "local" };
            let arguments = ["-o", &output, "--source-date-epoch", "0", "--platform", platform];
            zoea.build(&context, &arguments)?.success()?;
            fs::copy(made, path)?;
            Ok(())
        })
    }
}

/// Returns apt's settings of this machine that a step needs to reach the same package source.
///
/// # Errors
/// `apt-config` cannot be run.
pub fn apt_settings() -> Result<String> {
    let dump = Finished::of(Command::new("apt-config").arg("dump"))?.success()?.stdout;
    let wanted = |line: &&str| APT_SETTINGS.iter().any(|name| line.split(' ').next() == Some(name));
    let mut settings: String = dump.lines().filter(wanted).map(|line| format!("{line}\n")).collect();
    if let Ok(proxy) = std::env::var("http_proxy") {
        settings.push_str(&format!("Acquire::http::Proxy \"{proxy}\";\n"));
    }
    Ok(settings)
}

/// Returns the files that name this machine's package sources for the release.
fn apt_sources() -> Result<Vec<PathBuf>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        for entry in entries {
            files.push(entry?.path());
        }
    }
    files.sort();
    files.retain(|file| {
        let sources = file.extension().is_some_and(|end| end == "list" || end == "sources");
        sources && fs::read_to_string(file).is_ok_and(|text| text.contains(RELEASE))
    });
    Ok(files)
}

/// Makes a minimal Debian.
fn debian(path: &Path) -> Result<()> {
    ensure!(machine::has_program("mmdebstrap"), "`mmdebstrap` is not installed");
    let mut command = Command::new("mmdebstrap");
    let mode = if crate::actor::am_root() { "--mode=root" } else { "--mode=unshare" };
    command.args([mode, "--variant=minbase", "--format=tar"]);
    for setting in apt_settings()?.lines() {
        command.arg(format!("--aptopt={setting}"));
    }
    command.arg(RELEASE).arg(path).args(apt_sources()?);
    let home = tempfile::tempdir()?;
    let mut command = private_mounts(&command);
    Finished::of(command.env("TMPDIR", home.path()))?.success()?;
    Ok(())
}

/// Returns this machine's busybox.
fn native_busybox() -> Result<PathBuf> {
    let program =
        ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.exists());
    program.context("`busybox` is not installed")
}

/// Fetches Debian's static busybox for another architecture; apt's own state stays as it is.
fn download_busybox(architecture: &str, directory: &Path) -> Result<PathBuf> {
    for name in ["lists/partial", "cache/archives/partial", "unpacked"] {
        fs::create_dir_all(directory.join(name))?;
    }
    let place = directory.display();
    let settings = [
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        format!("Dir::State::lists={place}/lists"),
        "Dir::State::status=/dev/null".to_owned(),
        format!("Dir::Cache={place}/cache"),
        format!("APT::Sandbox::User={}", if crate::actor::am_root() { "root" } else { "" }),
    ];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["-o", setting]).collect();
    for work in [&["update"][..], &["download", "busybox-static"]] {
        let mut command = Command::new("apt-get");
        Finished::of(command.args(&settings).args(work).current_dir(directory))?.success()?;
    }
    let is_package = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|end| end == "deb");
    let package = fs::read_dir(directory)?.filter_map(Result::ok).find(is_package).context("no package")?;
    let unpacked = directory.join("unpacked");
    Finished::of(Command::new("dpkg-deb").arg("--extract").arg(package.path()).arg(&unpacked))?.success()?;
    Ok(unpacked.join("bin/busybox"))
}

/// Makes a tree of busybox alone: one program, a link for everything it can do, and the usual directories.
fn busybox(path: &Path, program: &Path) -> Result<()> {
    // Another architecture's program cannot be asked; it can do the same.
    let applets = Finished::of(Command::new(native_busybox()?).arg("--list"))?.success()?.stdout;
    let tree = tempfile::tempdir()?;
    for directory in ["bin", "etc", "root", "tmp"] {
        fs::create_dir(tree.path().join(directory))?;
    }
    fs::copy(program, tree.path().join("bin/busybox"))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", tree.path().join("bin").join(applet))?;
    }
    fs::write(
        tree.path().join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1002:Alice:/home/alice:/bin/sh\n",
    )?;
    fs::write(tree.path().join("etc/group"), "root:x:0:\ncrew:x:1002:alice\nextra:x:1003:alice\n")?;
    let archive = |arguments: &[&str]| -> Result<Finished> {
        let mut command = Command::new("tar");
        command.arg("--file").arg(path).arg("--directory").arg(tree.path());
        command
            .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
            .args(arguments);
        Finished::of(&mut command)?.success()
    };
    // The modes are given here, so that they do not depend on this process's umask.
    archive(&["--create", "--mode=u+rwX,go+rX,go-w", "--exclude=./tmp", "."])?;
    archive(&["--append", "--mode=1777", "./tmp"])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Need, ready};

    fn list(base: Base) -> String {
        Finished::of(Command::new("tar").arg("tf").arg(base.tar().unwrap()))
            .unwrap()
            .success()
            .unwrap()
            .stdout
    }

    #[test]
    fn debian_has_a_package_manager() {
        if ready("debian_has_a_package_manager", &[Need::Program("mmdebstrap"), Need::Base(Base::Debian)]) {
            let list = list(Base::Debian);
            assert!(
                list.contains("./usr/bin/apt-get\n") && list.contains("./etc/apt/sources.list"),
                "{list}"
            );
        }
    }

    #[test]
    fn busybox_has_a_shell() {
        if ready("busybox_has_a_shell", &[Need::Program("busybox")]) {
            let list = list(Base::Busybox);
            assert!(list.contains("./bin/sh\n") && list.contains("./etc/passwd\n"), "{list}");
        }
    }
}
