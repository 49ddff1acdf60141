//! What is made once per machine: bases, and the program under test at a place that every user can read.
//!
//! Outside the source tree. Everything is written under another name and renamed, so that what is there is whole;
//! one lock per entry keeps tests that run at the same time from making it twice.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

/// Names another directory for the cache.
const PLACE: &str = "ZOEA_TEST_CACHE";

/// Names the program to test; without it, this workspace's is built.
pub const PROGRAM: &str = "ZOEA_PROGRAM";

/// How long what belongs to an older build of the program is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the cache's directory, which is this user's alone to write and everybody's to read.
///
/// # Errors
/// It cannot be made, or belongs to somebody else.
pub fn directory() -> Result<PathBuf> {
    let own = fs::metadata("/proc/self").context("Failed to read /proc/self")?.uid();
    let path = match std::env::var_os(PLACE) {
        Some(place) => PathBuf::from(place),
        None => PathBuf::from(format!("/var/tmp/zoea-test-cache-{own}")),
    };
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
    let metadata = fs::symlink_metadata(&path)?;
    ensure!(metadata.is_dir() && metadata.uid() == own, "{} belongs to somebody else", path.display());
    Ok(path)
}

/// Returns the file `name` of `directory`; makes it first with `make` where it is not there.
///
/// # Errors
/// It cannot be made.
pub fn file(directory: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let path = directory.join(name);
    let lock = File::create(directory.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !path.exists() {
        let unfinished = directory.join(format!("{name}.unfinished"));
        make(&unfinished).with_context(|| format!("Failed to make {}", path.display()))?;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
        fs::rename(&unfinished, &path)?;
    }
    Ok(path)
}

/// Returns the directory of what belongs to this build of the program, and the program in it.
///
/// # Errors
/// The program cannot be built or copied.
pub fn program() -> Result<(PathBuf, PathBuf)> {
    let built = built_program()?;
    let metadata = fs::metadata(&built).with_context(|| format!("No program at {}", built.display()))?;
    let time = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    let cache = directory()?;
    let own = cache.join(format!("program-{time}-{}", metadata.len()));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&own)?;
    let program = file(&own, "zoea", |path| {
        remove_old(&cache, &own)?;
        fs::copy(&built, path)?;
        Ok(())
    })?;
    Ok((own, program))
}

/// Removes what belongs to programs that were built long ago.
fn remove_old(cache: &Path, current: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let old = entry.metadata()?.modified()?.elapsed().unwrap_or_default() > KEPT;
        let program = entry.file_name().to_string_lossy().starts_with("program-");
        if old && program && entry.path() != current {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Builds the program with Cargo, unless one was named.
fn built_program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(PROGRAM) {
        return Ok(PathBuf::from(program));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "zoea-cli", "--message-format", "json"])
        .arg("--manifest-path")
        .arg(manifest)
        .output()?;
    ensure!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let Some(path) = message.get("executable").and_then(serde_json::Value::as_str) {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo build made no program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_only_whole() {
        let directory = tempfile::tempdir().unwrap();
        let broken = file(directory.path(), "a", |path| {
            fs::write(path, "half")?;
            bail!("broken")
        });
        assert!(broken.is_err());
        assert!(!directory.path().join("a").exists());
        let path = file(directory.path(), "a", |path| Ok(fs::write(path, "whole")?)).unwrap();
        let again = file(directory.path(), "a", |_| bail!("must not be made again")).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap(), &again), ("whole".to_owned(), &path));
    }
}
