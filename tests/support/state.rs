//! The judge of a state directory: what lies in it is whole.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::finished::Finished;

/// Returns everything in the state directory that a later build could mistake for whole, and everything that a
/// build left behind.
///
/// # Errors
/// It cannot be read.
pub fn problems(state: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    blobs(&state.join("blobs"), &mut problems)?;
    layers(&state.join("layers"), &mut problems)?;
    // Beside the work areas lies the lock under which they are made and removed.
    for build in names(&state.join("builds"))?.iter().filter(|name| *name != "lock") {
        problems.push(format!("builds/{build} is left behind"));
    }
    Ok(problems)
}

/// Checks that every blob is named by its digest.
fn blobs(directory: &Path, problems: &mut Vec<String>) -> Result<()> {
    for algorithm in names(directory)? {
        if algorithm != "sha256" {
            problems.push(format!("blobs/{algorithm} is no known algorithm"));
            continue;
        }
        for name in names(&directory.join(&algorithm))? {
            let sum = Finished::of(Command::new("sha256sum").arg(directory.join(&algorithm).join(&name)))?;
            if !sum.stdout.starts_with(&name) || !is_digest(&name) {
                problems.push(format!("blobs/{algorithm}/{name} is not what its name says"));
            }
        }
    }
    Ok(())
}

/// Checks that every unpacked layer has its tree and its index.
fn layers(directory: &Path, problems: &mut Vec<String>) -> Result<()> {
    for form in names(directory)? {
        for name in names(&directory.join(&form))? {
            let layer = directory.join(&form).join(&name);
            let whole = layer.join("tree").is_dir() && layer.join("index").is_file();
            if !is_digest(&name) || !whole {
                problems.push(format!("layers/{form}/{name} is not whole"));
            }
        }
    }
    Ok(())
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the names in `directory`; none if it does not exist.
fn names(directory: &Path) -> Result<Vec<String>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn what_is_not_whole_is_found() {
        let state = tempfile::tempdir().unwrap();
        let path = |name: &str| state.path().join(name);
        fs::create_dir_all(path("blobs/sha256")).unwrap();
        fs::write(path(&format!("blobs/sha256/{EMPTY}")), "").unwrap();
        fs::create_dir_all(path(&format!("layers/overlay/{EMPTY}/tree"))).unwrap();
        fs::write(path(&format!("layers/overlay/{EMPTY}/index")), "").unwrap();
        fs::create_dir_all(path("builds")).unwrap();
        fs::write(path("builds/lock"), "").unwrap();
        assert_eq!(problems(state.path()).unwrap(), [""; 0]);

        fs::write(path(&format!("blobs/sha256/{EMPTY}")), "half").unwrap();
        fs::remove_file(path(&format!("layers/overlay/{EMPTY}/index"))).unwrap();
        fs::create_dir_all(path("builds/1")).unwrap();
        assert_eq!(problems(state.path()).unwrap().len(), 3);
    }
}
