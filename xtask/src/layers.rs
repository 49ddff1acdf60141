//! Which crate may import which: arrows go one way, and this is the list of them.
//!
//! Compares the list with what the manifests say. A crate that is not in the list fails the check, so that a new
//! one is placed on purpose.

use anyhow::Result;

use crate::finding::{Finding, report};
use crate::workspace::Workspace;

/// Every crate of the workspace and the crates of the workspace that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("zoea-model", &[]),
    ("zoea-dockerfile", &["zoea-model"]),
    ("zoea-rootfs", &["zoea-model"]),
    ("zoea-http", &["zoea-model"]),
    ("zoea-image", &["zoea-model", "zoea-http"]),
    ("zoea-context", &["zoea-model", "zoea-http"]),
    ("zoea-sys", &[]),
    ("zoea-launch", &["zoea-model", "zoea-rootfs", "zoea-sys"]),
    ("zoea-wasi", &["zoea-model", "zoea-rootfs", "zoea-launch"]),
    ("zoea-build", &["zoea-model", "zoea-rootfs", "zoea-image", "zoea-context", "zoea-launch"]),
    (
        "zoea",
        &[
            "zoea-model",
            "zoea-dockerfile",
            "zoea-rootfs",
            "zoea-http",
            "zoea-image",
            "zoea-context",
            "zoea-launch",
            "zoea-wasi",
            "zoea-build",
        ],
    ),
    ("zoea-cli", &["zoea"]),
    ("zoea-fuzz", &["zoea-model", "zoea-dockerfile", "zoea-context"]),
    ("zoea-tests", &[]),
    ("xtask", &["zoea-tests"]),
];

/// Libraries that belong to few crates, and those crates.
///
/// A name that ends in `*` stands for every library that begins so.
const RESERVED: &[(&str, &[&str])] = &[
    ("wasmtime*", &["zoea-wasi"]),
    ("clap*", &["zoea-cli"]),
    // The core is synchronous: only what talks to the network, and who makes the runtime, knows of tasks.
    ("tokio*", &["zoea-image", "zoea-context", "zoea-wasi", "zoea", "zoea-cli"]),
    ("reqwest", &["zoea-http", "zoea-image", "zoea-context"]),
    ("anyhow", &["xtask", "zoea-tests"]),
];

/// The one crate that may have unsafe code.
const UNSAFE: &str = "zoea-sys";

/// Checks the workspace.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    report("layers", &check(&workspace))
}

fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = arrows(workspace);
    findings.extend(reserved(workspace));
    findings.extend(unsafe_code(workspace));
    findings
}

/// Finds imports that go the wrong way.
fn arrows(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in &workspace.packages {
        let Some((_, allowed)) = ARROWS.iter().find(|(one, _)| one == name) else {
            findings.push(Finding::new(name, "is not in the list of arrows of `cargo xtask layers`"));
            continue;
        };
        let own = package.dependencies.iter().filter(|one| workspace.packages.contains_key(*one));
        for dependency in own.filter(|one| !allowed.contains(&one.as_str())) {
            findings.push(Finding::new(name, format!("must not use `{dependency}`")));
        }
    }
    findings
}

/// Finds uses of libraries that are reserved for other crates.
fn reserved(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in &workspace.packages {
        for (library, owners) in RESERVED {
            let matches = |one: &&String| match library.strip_suffix('*') {
                Some(start) => one.starts_with(start),
                None => one == library,
            };
            for dependency in package.dependencies.iter().filter(matches) {
                if !owners.contains(&name.as_str()) {
                    findings
                        .push(Finding::new(name, format!("must not use `{dependency}`, which is reserved")));
                }
            }
        }
    }
    findings
}

/// Finds unsafe code outside the crate for it, and crates that do not forbid it.
fn unsafe_code(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, package) in workspace.packages.iter().filter(|(name, _)| *name != UNSAFE) {
        for source in package.sources.iter().filter(|source| source.has_unsafe()) {
            let problem = format!("has `unsafe`, which only `{UNSAFE}` may have");
            findings.push(Finding::new(source.path.display(), problem));
        }
        let roots: Vec<_> = package.sources.iter().filter(|source| source.is_crate_root()).collect();
        if roots.is_empty() {
            findings.push(Finding::new(name, "has neither `lib.rs` nor `main.rs`"));
        }
        for root in roots.into_iter().filter(|root| !root.forbids_unsafe()) {
            findings.push(Finding::new(root.path.display(), "lacks `#![forbid(unsafe_code)]`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::sample;

    #[test]
    fn lawful_arrows_pass() {
        let workspace = sample::workspace(&[
            ("zoea-model", &["serde"]),
            ("zoea-build", &["zoea-model"]),
            ("zoea-wasi", &["wasmtime", "wasmtime-wasi", "tokio"]),
            ("zoea-cli", &["clap"]),
        ]);
        assert_eq!(check(&workspace), []);
    }

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        let workspace =
            sample::workspace(&[("zoea-model", &["zoea-rootfs"]), ("zoea-rootfs", &["zoea-model"])]);
        assert_eq!(check(&workspace), [Finding::new("zoea-model", "must not use `zoea-rootfs`")]);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let workspace = sample::workspace(&[("zoea-extra", &[])]);
        assert_eq!(check(&workspace).len(), 1);
    }

    #[test]
    fn a_reserved_library_is_found() {
        let workspace =
            sample::workspace(&[("zoea-launch", &["wasmtime-wasi"]), ("zoea-rootfs", &["tokio", "anyhow"])]);
        assert_eq!(check(&workspace).len(), 3);
    }

    #[test]
    fn unsafe_code_is_found_outside_its_crate() {
        let mut workspace = sample::workspace(&[("zoea-sys", &[]), ("zoea-rootfs", &[])]);
        for (name, package) in &mut workspace.packages {
            package.sources = vec![sample::library(name, "//! A.\nfn a() { unsafe {} }")];
        }
        let places: Vec<_> = check(&workspace).into_iter().map(|finding| finding.problem).collect();
        assert_eq!(
            places,
            ["has `unsafe`, which only `zoea-sys` may have", "lacks `#![forbid(unsafe_code)]`"]
        );
    }

    #[test]
    fn every_allowed_crate_has_a_row() {
        for (name, allowed) in ARROWS {
            for one in *allowed {
                assert!(ARROWS.iter().any(|(row, _)| row == one), "{name} may use the unknown {one}");
            }
        }
    }

    #[test]
    fn the_list_has_no_circle() {
        // Rows stand below everything they use, so that no path leads back.
        for (index, (name, allowed)) in ARROWS.iter().enumerate() {
            for one in *allowed {
                let position = ARROWS.iter().position(|(row, _)| row == one).unwrap();
                assert!(position < index, "{name} stands above {one}, which it may use");
            }
        }
    }
}
