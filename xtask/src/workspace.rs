//! The workspace as Cargo sees it: its packages, their dependencies and their source files.
//!
//! Only reads. Every check takes this value, so that a test can hand it a workspace of its own making.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::source::SourceFile;

/// The packages of the workspace.
#[derive(Default)]
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Every member, by name.
    pub(crate) packages: BTreeMap<String, Package>,
}

/// One member.
#[derive(Default)]
pub(crate) struct Package {
    /// Names of the packages that its library, programs and build script use. Those of its tests are left out:
    /// they are no part of what it is.
    pub(crate) dependencies: Vec<String>,
    /// Its source files, tests included.
    pub(crate) sources: Vec<SourceFile>,
}

impl Workspace {
    /// Asks Cargo for the workspace that this program was built from, and parses its source files.
    pub(crate) fn load() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let mut packages = BTreeMap::new();
        for package in metadata.workspace_packages() {
            let used = package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
            let dependencies = used.map(|one| one.name.clone()).collect();
            let directory = package.manifest_path.parent().context("A manifest without a directory")?;
            let mut sources = Vec::new();
            read_sources(directory.as_std_path(), &root, &mut sources)?;
            sources.sort_by(|one, other| one.path.cmp(&other.path));
            packages.insert(package.name.to_string(), Package { dependencies, sources });
        }
        Ok(Self { root, packages })
    }
}

/// Parses every Rust file below `directory`.
fn read_sources(directory: &Path, root: &Path, sources: &mut Vec<SourceFile>) -> Result<()> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                read_sources(&path, root, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            sources.push(SourceFile::parse(name, &text)?);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod sample {
    //! Small workspaces for the tests of the checks.

    use super::*;

    /// Makes a workspace of packages with their dependencies, each with an empty and lawful library.
    pub(crate) fn workspace(packages: &[(&str, &[&str])]) -> Workspace {
        let packages = packages.iter().map(|(name, dependencies)| {
            let package = Package {
                dependencies: dependencies.iter().map(|one| (*one).to_owned()).collect(),
                sources: vec![library(name, "//! Owns nothing.\n#![forbid(unsafe_code)]\n")],
            };
            ((*name).to_owned(), package)
        });
        Workspace { root: PathBuf::new(), packages: packages.collect() }
    }

    /// Makes the `lib.rs` of the package `name`.
    pub(crate) fn library(name: &str, text: &str) -> SourceFile {
        SourceFile::parse(PathBuf::from(format!("host/{name}/src/lib.rs")), text).unwrap()
    }
}
